//! Manifests and files that somebody else wrote.

use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};
use truefill_model::store::{CheckpointId, Store, StoreError};

use crate::shared::{draft, install, store};

fn installed() -> (tempfile::TempDir, Store, CheckpointId, Value) {
    let (root, store) = store();
    let id = install(&store, &draft("m"), &[("model.gguf", b"weights")]).id;
    let bytes = std::fs::read(manifest(&store, &id)).unwrap();
    (root, store, id, serde_json::from_slice(&bytes).unwrap())
}

fn manifest(store: &Store, id: &CheckpointId) -> std::path::PathBuf {
    store.folder(id).join("manifest.json")
}

#[test]
fn a_changed_manifest_is_refused_by_name() {
    let (_root, store, id, original) = installed();
    type Change = fn(&mut Value);
    let changes: &[(&str, Change, &str)] = &[
        (
            "traversal",
            |m| m["files"][0]["name"] = json!("../../escape"),
            "plain file name",
        ),
        (
            "absolute",
            |m| m["files"][0]["name"] = json!("/etc/passwd"),
            "plain file name",
        ),
        (
            "itself",
            |m| m["files"][0]["name"] = json!("manifest.json"),
            "plain file name",
        ),
        (
            "hash",
            |m| m["files"][0]["sha256"] = json!("00".repeat(32)),
            "was changed",
        ),
        (
            "short hash",
            |m| m["files"][0]["sha256"] = json!("00"),
            "SHA-256",
        ),
        (
            "length",
            |m| m["files"][0]["bytes"] = json!(u64::MAX),
            "was changed",
        ),
        (
            "negative",
            |m| m["files"][0]["bytes"] = json!(-1),
            "invalid",
        ),
        (
            "format",
            |m| m["about"]["format"]["version"] = json!(9),
            "was changed",
        ),
        (
            "base",
            |m| m["about"]["base"] = json!("x-00000000"),
            "no base",
        ),
        (
            "kind",
            |m| m["about"]["kind"] = json!("other"),
            "unknown variant",
        ),
        ("no files", |m| m["files"] = json!([]), "1 to 4096 files"),
        ("version", |m| m["version"] = json!(2), "another release"),
        ("unknown key", |m| m["extra"] = json!(1), "unknown field"),
        (
            "deep key",
            |m| m["about"]["run"] = json!("rm"),
            "unknown field",
        ),
        ("id", |m| m["id"] = json!("m-00000000"), "was changed"),
        (
            "long",
            |m| m["about"]["source"] = json!("x".repeat(2000)),
            "bytes of source",
        ),
        ("no object", |m| *m = json!([]), "version"),
    ];
    for (what, change, expected) in changes {
        let mut changed = original.clone();
        change(&mut changed);
        std::fs::write(manifest(&store, &id), changed.to_string()).unwrap();
        let error = store.get(&id).unwrap_err();
        assert!(
            matches!(error, StoreError::Refused { .. }),
            "{what}: {error}"
        );
        let text = error.to_string();
        assert!(text.contains(expected), "{what}: {text}");
        assert!(text.contains("manifest.json"), "{what}: {text}");
        let listing = store.list().unwrap();
        assert_eq!(
            (listing.checkpoints.len(), listing.damaged.len()),
            (0, 1),
            "{what}"
        );
        assert!(store.verify(&id, &mut |_| ()).is_err(), "{what}");
    }
}

#[test]
fn a_manifest_in_another_checkpoints_folder_is_refused() {
    let (_root, store, id, _) = installed();
    let other: CheckpointId = "other-00000000".parse().unwrap();
    std::fs::rename(store.folder(&id), store.folder(&other)).unwrap();
    assert!(
        store
            .get(&other)
            .unwrap_err()
            .to_string()
            .contains("expected the id")
    );
}

#[test]
fn a_giant_manifest_is_not_read() {
    let (_root, store, id, _) = installed();
    std::fs::File::create(manifest(&store, &id))
        .unwrap()
        .set_len(1 << 40)
        .unwrap();
    let error = store.get(&id).unwrap_err().to_string();
    assert!(error.contains("expected at most 1048576 bytes"), "{error}");
}

#[test]
fn strange_folders_are_reported_and_harm_nothing() {
    let (_root, store, id, _) = installed();
    std::fs::create_dir(store.root().join("checkpoints/No Id")).unwrap();
    std::fs::create_dir(store.root().join("checkpoints/empty-00000000")).unwrap();
    let listing = store.list().unwrap();
    assert_eq!(listing.checkpoints[0].manifest.id(), &id);
    assert_eq!(listing.damaged.len(), 2);
    assert!(store.prune(&[id], false).unwrap().removed.is_empty());
}

#[test]
fn staged_files_with_names_that_do_not_belong_are_refused() {
    let (_root, store) = store();
    for name in [".hidden", "manifest.json", "with space"] {
        let staging = store.stage().unwrap();
        std::fs::write(staging.folder().join(name), b"x").unwrap();
        assert!(store.install(staging, draft("m")).is_err(), "{name}");
    }
    let staging = store.stage().unwrap();
    std::fs::create_dir(staging.folder().join("folder")).unwrap();
    assert!(store.install(staging, draft("m")).is_err());
    assert!(
        store
            .install(store.stage().unwrap(), draft("empty"))
            .is_err()
    );
    assert!(store.list().unwrap().checkpoints.is_empty());
}

#[cfg(unix)]
#[test]
fn links_are_not_followed_out_of_the_store() {
    let (root, store, id, _) = installed();
    let outside = root.path().join("outside");
    std::fs::write(&outside, b"weights").unwrap();
    let staging = store.stage().unwrap();
    std::os::unix::fs::symlink(&outside, staging.folder().join("model.gguf")).unwrap();
    assert!(store.install(staging, draft("linked")).is_err());

    let inside = store.folder(&id).join("model.gguf");
    std::fs::remove_file(&inside).unwrap();
    std::os::unix::fs::symlink(&outside, &inside).unwrap();
    assert!(!store.verify(&id, &mut |_| ()).unwrap().holds());
}

fn write_and_read_all(store: &Store, path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
    // Any answer will do but a panic; what is accepted must be valid.
    if let Ok(serving) = store.serving() {
        assert!(serving.arms.iter().all(|arm| arm.weight >= 0.0));
    }
    let _ = store.aliases();
    let _ = store.resolve("default");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_in_the_index_files_cause_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let (_root, store) = store();
        for name in ["serving.json", "aliases.json"] {
            write_and_read_all(&store, &store.root().join(name), &bytes);
        }
    }

    #[test]
    fn one_flipped_byte_never_goes_unnoticed_in_what_the_id_covers(
        position in any::<prop::sample::Index>(), bit in 0..8_u8,
    ) {
        let (_root, store, id, original) = installed();
        let mut bytes = std::fs::read(manifest(&store, &id)).unwrap();
        let at = position.index(bytes.len());
        bytes[at] ^= 1 << bit;
        std::fs::write(manifest(&store, &id), &bytes).unwrap();
        if let Ok(stored) = store.get(&id) {
            let original_files = original["files"].clone();
            prop_assert_eq!(serde_json::to_value(stored.manifest.files()).unwrap(), original_files);
            prop_assert_eq!(stored.manifest.about().format.name.as_str(), "causal");
        }
    }
}
