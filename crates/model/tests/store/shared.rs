//! A store in a temporary folder and small checkpoints to put into it.

use sha2::Digest;
use tempfile::TempDir;
use truefill_model::store::{CheckpointId, Draft, FormatName, Installed, Kind, Sha256Hex, Store};

pub fn store() -> (TempDir, Store) {
    let root = TempDir::new().unwrap();
    let store = Store::open(&root.path().join("data")).unwrap();
    (root, store)
}

pub fn sha(bytes: &[u8]) -> Sha256Hex {
    hex::encode(sha2::Sha256::digest(bytes)).parse().unwrap()
}

pub fn draft(name: &str) -> Draft {
    Draft {
        data_sha256: [("sft.jsonl".to_owned(), sha(b"data"))].into(),
        created: 1_700_000_000,
        ..Draft::full(
            name,
            "a test",
            "llama",
            FormatName::new("causal", 1),
            sha(b"tokenizer"),
        )
    }
}

pub fn adapter(name: &str, base: &CheckpointId) -> Draft {
    Draft {
        kind: Kind::Adapter,
        base: Some(base.clone()),
        ..draft(name)
    }
}

pub fn install(store: &Store, draft: &Draft, files: &[(&str, &[u8])]) -> Installed {
    let staging = store.stage().unwrap();
    for (name, contents) in files {
        std::fs::write(staging.folder().join(name), contents).unwrap();
    }
    store.install(staging, draft.clone()).unwrap()
}
