//! What is told of the store, and what stays in it.

use std::process::ExitCode;

use clap::Parser;
use truefill_server::config::Config;
use truefill_server::engine::open::open;
use truefill_server::paths::Paths;

use crate::user::*;

#[test]
fn the_list_shows_what_is_there_and_what_is_damaged() {
    let user = User::new();
    let empty = user.run(&["list"]);
    assert!(empty.success && empty.out.is_empty());
    assert!(
        empty.err.contains("truefill models pull default"),
        "{}",
        empty.err
    );

    let gguf = fixture("gguf/llama-q4_1.gguf");
    assert!(
        user.run(&["pull", "default", "--from", gguf.to_str().unwrap()])
            .success
    );
    let other = fixture("gguf/llama-q8_0.gguf");
    assert!(user.run(&["pull", other.to_str().unwrap()]).success);
    std::fs::create_dir(user.path("data/checkpoints/empty-00000000")).unwrap();
    let (first, second) = (user.id("llama-q8_0"), user.id("default"));
    let list = user.run(&["list"]);
    let width = second.len();
    assert_eq!(
        list.out,
        format!(
            "{:width$}  ARCHITECTURE  FORMAT     SIZE     NAMES\n\
             {first:width$}  llama         causal v1  45.0 kB\n\
             {second:width$}  llama         causal v1  34.2 kB  default, default-base\n",
            "ID"
        )
    );
    assert!(list.err.starts_with("damaged: "), "{}", list.err);

    let list = user.run(&["list", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&list.out).unwrap();
    assert_eq!(json["checkpoints"][1]["id"], second);
    assert_eq!(json["checkpoints"][1]["aliases"][0], "default");
    assert_eq!(json["checkpoints"][1]["bytes"], 34_240);
    assert_eq!(json["checkpoints"][1]["format"]["name"], "causal");
    assert_eq!(json["damaged"].as_array().unwrap().len(), 1);
    assert_eq!(user.run(&["verify"]).code, Some(ExitCode::FAILURE));
}

#[test]
fn wrong_usage_is_told_apart_from_failure() {
    let user = User::new();
    for arguments in [
        &["pull"][..],
        &["pull", "hf:nothing"],
        &["pull", "hf:a/../b"],
        &["pull", "x", "--name", "Not A Name"],
        &["lost"],
    ] {
        let error = Cli::try_parse_from(arguments).map(|_| ()).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{arguments:?}");
    }
    let outcome = user.run(&["pull", "./x", "--from", "y"]);
    assert_eq!(outcome.code, Some(ExitCode::from(2)));
    assert!(
        outcome
            .err
            .contains("`--from` says where `default` comes from"),
        "{}",
        outcome.err
    );
    let outcome = user.run(&["verify", "nothing"]);
    assert!(outcome.code.is_none());
    assert!(
        outcome
            .err
            .contains("no checkpoint, alias or file is called"),
        "{}",
        outcome.err
    );
}

#[test]
fn a_checkpoint_in_use_is_not_pruned() {
    let user = User::new();
    let model = fixture("gguf/llama-q8_0.gguf");
    let pulled = user.run(&["pull", &model.to_string_lossy(), "--name", "tiny"]);
    assert!(pulled.success, "{}", pulled.err);
    let paths = Paths::from_home(Some(user.path("data").into())).unwrap();
    let store = user.store();
    let id = store.list().unwrap().checkpoints[0].manifest.id().clone();
    let mut config = Config::default();
    config.model.id = id.to_string();
    let engine = open(&paths, &config).unwrap();
    let would_remove = || store.prune(&[], true).unwrap().removed;
    // An alias would keep it as well.
    std::fs::remove_file(paths.store().join("aliases.json")).unwrap_or_default();
    assert_eq!(would_remove(), []);
    drop(engine);
    assert_eq!(would_remove(), [id]);
}
