//! The checkpoint store, through its public interface.

#![allow(
    clippy::unwrap_used,
    reason = "helpers outside of test functions fail a test the same way"
)]

mod crash;
mod hostile;
mod references;
mod shared;

use std::collections::BTreeMap;

use shared::{adapter, draft, install, sha, store};
use truefill_model::store::{Found, Resolved, StoreError};

#[test]
fn what_is_installed_can_be_listed_resolved_and_verified() {
    let (_root, store) = store();
    let installed = install(
        &store,
        &draft("SmolLM2 135M Q4_1"),
        &[("model.gguf", b"weights")],
    );
    assert!(installed.new);
    assert!(
        installed.id.as_str().starts_with("smollm2-135m-q4_1-"),
        "{}",
        installed.id
    );

    let listing = store.list().unwrap();
    assert!(listing.damaged.is_empty());
    let stored = &listing.checkpoints[0];
    assert_eq!(stored.manifest.id(), &installed.id);
    assert_eq!(stored.manifest.about(), &draft("SmolLM2 135M Q4_1"));
    assert_eq!(stored.manifest.bytes(), 7);
    assert_eq!(stored.manifest.files()[0].sha256, sha(b"weights"));
    assert_eq!(
        std::fs::read(stored.folder.join("model.gguf")).unwrap(),
        b"weights"
    );

    store
        .set_alias("default".parse().unwrap(), &installed.id)
        .unwrap();
    for name in ["default", installed.id.as_str(), "smollm2"] {
        assert_eq!(store.find(name).unwrap(), installed.id, "{name}");
        assert!(
            matches!(store.resolve(name).unwrap(), Resolved::Stored(found) if *found == *stored)
        );
    }
    let mut told = Vec::new();
    let verification = store
        .verify(&installed.id, &mut |file| told.push(file.name.to_string()))
        .unwrap();
    assert!(verification.holds());
    assert_eq!(told, ["model.gguf"]);
}

#[test]
fn a_file_that_may_only_be_read_can_be_installed() {
    let (root, store) = store();
    let original = root.path().join("model.gguf");
    std::fs::write(&original, b"weights").unwrap();
    let mut permissions = std::fs::metadata(&original).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&original, permissions).unwrap();

    let staging = store.stage().unwrap();
    let name = "model.gguf".parse().unwrap();
    staging.copy(&name, &original).unwrap();
    let copied = staging.folder().join("model.gguf");
    let permissions = std::fs::metadata(&copied).unwrap().permissions();
    assert!(
        !permissions.readonly(),
        "an ordinary user could not flush it"
    );
    assert!(store.install(staging, draft("m")).unwrap().new);
}

#[test]
fn the_same_contents_are_one_checkpoint_whatever_they_are_called() {
    let (_root, store) = store();
    let first = install(&store, &draft("one"), &[("model.gguf", b"weights")]);
    let mut renamed = draft("two");
    renamed.source = "elsewhere".into();
    renamed.created = 7;
    let again = install(&store, &renamed, &[("model.gguf", b"weights")]);
    assert_eq!((again.id.clone(), again.new), (first.id.clone(), false));

    let mut other_format = draft("one");
    other_format.format.version = 2;
    let changed = [
        install(&store, &other_format, &[("model.gguf", b"weights")]),
        install(&store, &draft("one"), &[("model.gguf", b"weightz")]),
        install(&store, &draft("one"), &[("model2.gguf", b"weights")]),
    ];
    for other in &changed {
        assert!(other.new);
        assert_ne!(other.id, first.id);
    }
    assert!(
        std::fs::read_dir(store.root().join("staging"))
            .unwrap()
            .next()
            .is_none()
    );
}

#[test]
fn a_prefix_must_fit_one_checkpoint() {
    let (_root, store) = store();
    let unknown = store.resolve("default").unwrap_err().to_string();
    assert!(
        unknown.contains("truefill models pull default"),
        "{unknown}"
    );

    let one = install(&store, &draft("qwen-a"), &[("model.gguf", b"1")]);
    let two = install(&store, &draft("qwen-b"), &[("model.gguf", b"2")]);
    match store.resolve("qwen") {
        Err(StoreError::Ambiguous { matches, .. }) => {
            assert_eq!(matches, [one.id.to_string(), two.id.to_string()]);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(store.find("qwen-b").unwrap(), two.id);
    let unknown = store.resolve("nothing").unwrap_err().to_string();
    assert!(unknown.contains(one.id.as_str()), "{unknown}");
    assert!(store.resolve("").is_err());
}

#[test]
fn what_is_written_as_a_path_is_one() {
    let (root, store) = store();
    let file = root.path().join("a.gguf");
    std::fs::write(&file, b"x").unwrap();
    let text = file.to_str().unwrap();
    assert_eq!(store.resolve(text).unwrap(), Resolved::Path(file.clone()));
    let missing = store.resolve("./missing.gguf").unwrap_err().to_string();
    assert_eq!(missing, "./missing.gguf: no such file or folder");
}

#[test]
fn verification_names_each_damaged_missing_and_foreign_file() {
    let (_root, store) = store();
    let files: &[(&str, &[u8])] = &[("a.bin", b"aaaa"), ("b.bin", b"bbbb"), ("c.bin", b"cccc")];
    let id = install(&store, &draft("m"), files).id;
    let folder = store.folder(&id);
    std::fs::write(folder.join("a.bin"), b"aaXa").unwrap();
    std::fs::remove_file(folder.join("b.bin")).unwrap();
    std::fs::write(folder.join("extra"), b"").unwrap();

    let report = store.verify(&id, &mut |_| ()).unwrap();
    assert!(!report.holds());
    assert_eq!(report.unlisted, ["extra"]);
    let by_name: BTreeMap<_, _> = report
        .files
        .iter()
        .map(|check| (check.expected.name.as_str(), check))
        .collect();
    assert_eq!(
        by_name["a.bin"].found,
        Found::File {
            bytes: 4,
            sha256: sha(b"aaXa")
        }
    );
    assert_eq!(by_name["b.bin"].found, Found::Missing);
    assert!(by_name["c.bin"].holds());
}

#[test]
fn installing_again_repairs_what_is_damaged() {
    let (_root, store) = store();
    let id = install(&store, &draft("one"), &[("model.gguf", b"weights")]).id;
    store
        .add_evidence(&id, &"gate.json".parse().unwrap(), b"{}")
        .unwrap();
    std::fs::write(store.folder(&id).join("model.gguf"), b"weXghts").unwrap();
    assert!(!store.verify(&id, &mut |_| ()).unwrap().holds());

    let again = install(&store, &draft("two"), &[("model.gguf", b"weights")]);
    assert_eq!((&again.id, again.new), (&id, false));
    assert!(store.verify(&id, &mut |_| ()).unwrap().holds());
    assert_eq!(store.evidence(&id).unwrap().len(), 1);
    assert_eq!(store.get(&id).unwrap().manifest.about(), &draft("one"));
    assert_eq!(
        std::fs::read_dir(store.root().join("staging"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn an_adapter_needs_its_base_and_a_full_model_has_none() {
    let (_root, store) = store();
    let base = install(&store, &draft("base"), &[("model.gguf", b"weights")]).id;
    let id = install(
        &store,
        &adapter("tuned", &base),
        &[("adapter.safetensors", b"delta")],
    )
    .id;
    assert_eq!(
        store.get(&id).unwrap().manifest.about().base.as_ref(),
        Some(&base)
    );

    let staging = store.stage().unwrap();
    std::fs::write(staging.folder().join("a.safetensors"), b"d").unwrap();
    let absent = "absent-00000000".parse().unwrap();
    assert!(matches!(
        store.install(staging, adapter("lost", &absent)),
        Err(StoreError::Unknown { .. })
    ));

    let mut wrong = draft("wrong");
    wrong.base = Some(base);
    let staging = store.stage().unwrap();
    std::fs::write(staging.folder().join("a.safetensors"), b"d").unwrap();
    assert!(matches!(
        store.install(staging, wrong),
        Err(StoreError::Invalid(_))
    ));
    assert_eq!(store.list().unwrap().checkpoints.len(), 2);
}

#[test]
fn evidence_lies_beside_the_manifest_and_does_not_change() {
    let (_root, store) = store();
    let id = install(&store, &draft("m"), &[("model.gguf", b"w")]).id;
    let name = "gate-1.json".parse().unwrap();
    assert!(store.evidence(&id).unwrap().is_empty());
    store.add_evidence(&id, &name, b"{}").unwrap();
    store.add_evidence(&id, &name, b"{}").unwrap();
    let error = store
        .add_evidence(&id, &name, b"[]")
        .unwrap_err()
        .to_string();
    assert!(error.contains("evidence does not change"), "{error}");
    assert_eq!(store.read_evidence(&id, &name).unwrap(), b"{}");
    assert_eq!(store.evidence(&id).unwrap(), [name]);
    assert!(store.verify(&id, &mut |_| ()).unwrap().holds());
}
