//! `truefill doctor` and `truefill models`.

use serde_json::Value;
use truefill_tests::{User, tiny_model};

use crate::{json, user};

#[test]
fn doctor_tells_what_is_in_place() {
    let user = user();
    let output = user.run(&["doctor"]);
    assert_eq!(
        (output.code, output.err.as_str()),
        (Some(0), ""),
        "{}",
        output.out
    );
    let names = [
        "configuration",
        "store",
        "cpu",
        "threads",
        "device",
        "model",
        "engine",
        "memory",
        "journal",
        "git",
    ];
    let lines = output.out.lines().filter(|line| !line.starts_with(' '));
    for (line, name) in lines.zip(names) {
        let level = ["ok    ", "warn  "]
            .iter()
            .find(|level| line.starts_with(**level));
        let rest = &line[level.unwrap_or_else(|| panic!("{line}")).len()..];
        assert!(rest.starts_with(&format!("{name}: ")), "{line}");
    }
    let value = json(&user.run(&["doctor", "--json"]));
    assert_eq!(value["ok"], true);
    let checks = value["checks"].as_array().unwrap();
    let found: Vec<&str> = checks
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(found, names);
    for check in checks {
        let is_ok = check["level"] == "ok";
        assert!(is_ok || check["level"] == "warn", "{check}");
        assert!(
            check["found"].is_string() && check["advice"].is_string() != is_ok,
            "{check}"
        );
    }
}

#[test]
fn doctor_tells_what_is_missing_and_what_to_do() {
    let user = User::default();
    let output = user.run(&["doctor"]);
    assert_eq!(output.code, Some(1));
    let failed = output
        .out
        .lines()
        .position(|line| line.starts_with("FAIL  model: "));
    let advice = output.out.lines().nth(failed.unwrap() + 1).unwrap();
    assert_eq!(advice.trim(), "→ truefill models pull default");
    let output = user.run(&["doctor", "--json"]);
    let value: Value = serde_json::from_str(&output.out).unwrap();
    assert_eq!((output.code, &value["ok"]), (Some(1), &false.into()));
    // A backend of one's own; it is not contacted, and its address is told without its path.
    user.write(
        "truefill.toml",
        "[remote]\nkind = \"openai\"\nurl = \"http://localhost:9/secret-path\"\n",
    );
    let output = user.run(&["doctor"]);
    assert!(
        output.out.contains("ok    remote: `remote@localhost:9/"),
        "{}",
        output.out
    );
    assert!(!output.out.contains("secret-path"), "{}", output.out);
}

#[test]
fn models_are_pulled_listed_and_verified() {
    let user = User::default();
    let empty = user.run(&["models", "list"]);
    assert_eq!((empty.code, empty.out.as_str()), (Some(0), ""));
    assert!(
        empty.err.contains("truefill models pull default"),
        "{}",
        empty.err
    );
    let model = tiny_model();
    let pulled = user.run(&["models", "pull", model.to_str().unwrap()]);
    assert_eq!(pulled.code, Some(0), "{}", pulled.err);
    let listed = user.run(&["models", "list"]);
    assert!(listed.out.contains("llama-q8_0"), "{}", listed.out);
    assert_eq!(user.run(&["models", "verify"]).code, Some(0));
    // A damaged file is found.
    let checkpoints = std::fs::read_dir(user.home().join("checkpoints")).unwrap();
    let folder = checkpoints
        .map(|entry| entry.unwrap().path())
        .next()
        .unwrap();
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is_model = |path: &std::path::PathBuf| path.extension().is_some_and(|it| it == "gguf");
    let file = files.into_iter().find(is_model).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let verified = user.run(&["models", "verify"]);
    assert_eq!(verified.code, Some(1), "{} {}", verified.out, verified.err);
}

#[cfg(target_os = "linux")]
#[test]
fn a_pull_that_is_told_to_end_leaves_no_download_behind() {
    use std::path::Path;
    use std::process::{Command, Stdio};

    use truefill_tests::{alive, binaries};

    let eventually = |what: &str, holds: &dyn Fn() -> bool| {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while !holds() {
            assert!(std::time::Instant::now() < end, "not yet: {what}");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    };

    let user = User::default();
    let number = user.home().join("number");
    // Plays Python: the file beside the link says what it does.
    let player = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/remote/tests/data/python3");
    let script = format!("echo $$ > '{}'\nexec sleep 600\n", number.display());
    let folder = user.write("bin/python3.sh", &script);
    let folder = folder.parent().unwrap();
    std::os::unix::fs::symlink(player.canonicalize().unwrap(), folder.join("python3")).unwrap();
    let search = std::env::var("PATH").unwrap_or_default();
    let mut pull = Command::new(&binaries().truefill)
        .args(["models", "pull", "default"])
        .env("TRUEFILL_HOME", user.home())
        .env("PATH", format!("{}:{search}", folder.display()))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let python = || {
        let text = std::fs::read_to_string(&number).ok()?;
        text.trim().parse::<u32>().ok()
    };
    eventually("the download begins", &|| python().is_some());
    let process = python().unwrap();
    assert!(alive(process));
    let told = Command::new("kill").arg(pull.id().to_string()).status();
    assert!(told.unwrap().success());
    let status = pull.wait().unwrap();
    assert_eq!(status.code(), Some(1), "it ended by itself, with an error");
    eventually("the download is gone", &|| !alive(process));
}
