//! A repository's own tests, run on a copy.

use std::os::unix::fs::symlink;

use super::*;

fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("src")).expect("made");
    fs::write(folder.path().join("src/answer"), "wrong").expect("written");
    let test = "set -e\nmkdir build\necho built >build/out\nls\ntest \"$(cat src/answer)\" = 42\n\
                test \"$(cat /opt/tool/version)\" = 1\nif echo >/opt/tool/version; then exit 9; fi\nrm -r src\n";
    fs::write(folder.path().join("test.sh"), test).expect("written");
    folder
}

#[test]
fn its_own_tests_run_on_a_copy() {
    let Some(sandbox) = sandbox(PATIENT) else {
        return;
    };
    let (folder, tool) = (repository(), tempfile::tempdir().expect("a folder"));
    fs::write(tool.path().join("version"), "1").expect("written");
    let mount = Mount {
        host: tool.path().to_path_buf(),
        inside: "/opt/tool".into(),
    };
    let sandbox = sandbox
        .with_limits(Limits::repository(PATIENT))
        .with_mounts(&[mount])
        .expect("mounted");
    let changed = [(PathBuf::from("src/answer"), b"42".to_vec())];
    for (changed, expected) in [(&changed[..], Status::Passed), (&[], Status::Failed(1))] {
        let mut job = job(&["sh", "test.sh"]);
        job.source = Some(folder.path());
        job.changed = changed;
        let outcome = sandbox.run(&job).expect("a run");
        assert_eq!(outcome.status, expected, "{}", outcome.stderr);
        assert_eq!(outcome.stdout, "build\nsrc\ntest.sh\n");
    }
    assert_eq!(
        fs::read_to_string(folder.path().join("src/answer")).expect("there"),
        "wrong"
    );
    assert!(!folder.path().join("build").exists());
    assert_eq!(
        fs::read_to_string(tool.path().join("version")).expect("there"),
        "1"
    );
}

/// A link in the repository that leads out leads nowhere.
#[test]
fn links_lead_nowhere() {
    let Some(sandbox) = sandbox(PATIENT) else {
        return;
    };
    let (folder, vault) = (repository(), tempfile::tempdir().expect("a folder"));
    symlink(vault.path(), folder.path().join("out")).expect("a link");
    let changed = [(PathBuf::from("out/file"), b"x".to_vec())];
    let mut job = job(&["true"]);
    job.source = Some(folder.path());
    job.changed = &changed;
    let error = sandbox
        .run(&job)
        .expect_err("no folder to write to")
        .to_string();
    assert!(
        error.starts_with("the sandbox did not start `true`: cp: "),
        "{error}"
    );
    assert_eq!(vault.path().read_dir().expect("a folder").count(), 0);
}

#[test]
fn paths_that_would_undo_isolation_are_refused() {
    let Some(sandbox) = sandbox(PATIENT) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    for (host, inside) in [
        ("/nonexistent", "/opt/x"),
        ("/usr", "/"),
        ("/usr", "opt"),
        ("/usr", "/opt/../proc"),
        ("/usr", "/proc"),
    ] {
        let mount = Mount {
            host: host.into(),
            inside: inside.into(),
        };
        let refused = sandbox.clone().with_mounts(&[mount]);
        assert!(
            matches!(refused, Err(SandboxError::Path { .. })),
            "{host} {inside}"
        );
    }
    let socket = folder.path().join("agent.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    let refused = sandbox.clone().with_mounts(&[Mount::same(&socket)]);
    let error = refused.expect_err("a socket").to_string();
    assert!(error.contains("this is a socket"), "{error}");
    for path in ["../x", "/etc/x", "a/../../x"] {
        let changed = [(PathBuf::from(path), Vec::new())];
        let mut job = job(&["true"]);
        job.source = Some(folder.path());
        job.changed = &changed;
        assert!(
            matches!(sandbox.run(&job), Err(SandboxError::Path { .. })),
            "{path}"
        );
    }
}

/// Root's sandbox is nobody's, who could not read what a strict mask of permissions makes; and what a
/// generous one makes anyone could read.
#[test]
fn changed_files_are_the_sandbox_users_to_read_and_no_one_elses() {
    use std::os::unix::fs::PermissionsExt as _;
    if env::var_os("TRUEFILL_TEST_MASK").is_none() {
        for mask in ["077", "022", "000"] {
            let test = "eval::sandbox::tests::repository::changed_files_are_the_sandbox_users_to_read_and_no_one_elses";
            let mut command = Command::new("/bin/bash");
            command
                .args(["-c", "umask \"$1\"; shift; exec \"$@\"", "bash", mask])
                .arg(env::current_exe().expect("this program"))
                .args(["--exact", test])
                .env("TRUEFILL_TEST_MASK", mask);
            let output = command.output().expect("this program again");
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success() && said.contains("1 passed"),
                "{mask}: {said}"
            );
        }
        return;
    }
    let changed = [(PathBuf::from("src/deep/answer"), b"42".to_vec())];
    let mut job = job(&["bash", "-c", "cat src/deep/answer"]);
    job.changed = &changed;
    let inputs = arguments::Inputs::write(&job).expect("written");
    let folder = inputs.changed().expect("a folder");
    let mode = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o777;
    let outer = folder.parent().expect("a parent");
    assert_eq!(mode(outer), 0o700);
    assert_eq!(mode(&folder.join("src/deep")), 0o755);
    assert_eq!(mode(&folder.join("src/deep/answer")), 0o644);
    let name = outer.file_name().expect("a name").to_string_lossy();
    assert!(name.starts_with("truefill-"), "{name}");
    let Some(sandbox) = sandbox(PATIENT) else {
        return;
    };
    let outcome = sandbox.run(&job).expect("a run");
    assert_eq!(outcome.stdout, "42", "{}", outcome.stderr);
}
