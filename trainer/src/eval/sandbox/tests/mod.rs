//! What a hostile program does to the host: nothing, whatever it tries. By the real `bwrap`.

mod hostile;
mod repository;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use super::python::Python;
use super::*;

/// For programs that end by themselves: never reached, however busy the machine is.
pub(in crate::eval) const PATIENT: Duration = Duration::from_secs(120);

/// A sandbox; without `bwrap` the refusal is looked at instead, but not where CI runs.
fn sandbox(wall: Duration) -> Option<Sandbox> {
    match Sandbox::open(Limits::program(wall)) {
        Ok(sandbox) => Some(sandbox),
        Err(refusal) => {
            assert!(env::var_os("CI").is_none(), "{refusal}");
            assert!(matches!(refusal, SandboxError::Refused { .. }), "{refusal}");
            println!("not tested, there is no sandbox here: {refusal}");
            None
        }
    }
}

pub(in crate::eval) fn python(wall: Duration) -> Option<Python> {
    Some(Python::open(Path::new("python3"), false, sandbox(wall)?).expect("a Python"))
}

/// With packages, which ones there are is a part of what an outcome hangs on.
#[test]
fn a_python_is_told_by_its_version_and_packages() {
    let open = |packages| {
        let python = Python::open(Path::new("python3"), packages, sandbox(PATIENT)?);
        Some(python.expect("a Python").identity().to_owned())
    };
    let (Some(bare), Some(with)) = (open(false), open(true)) else {
        return;
    };
    assert!(bare.starts_with("CPython 3."), "{bare}");
    assert!(with.starts_with(&format!("{bare} with ")), "{with}");
}

fn job<'a>(words: &[&str]) -> Job<'a> {
    Job {
        command: words.iter().map(Into::into).collect(),
        ..Job::default()
    }
}

/// Processes of the host with this name.
fn named(name: &str) -> usize {
    let comm = |entry: fs::DirEntry| fs::read_to_string(entry.path().join("comm")).ok();
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    entries
        .filter_map(comm)
        .filter(|comm| comm.trim() == name)
        .count()
}

fn until(what: &str, met: impl Fn() -> bool) {
    let begun = Instant::now();
    while !met() {
        assert!(begun.elapsed() < PATIENT, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn nothing_is_run_where_nothing_isolates() {
    let missing = probe::find(OsStr::new("/nonexistent"))
        .expect_err("no bwrap")
        .to_string();
    assert_eq!(
        missing,
        "completions run in a sandbox or not at all: tried `bwrap --version`, found no `bwrap` in PATH; \
         install it (Debian, Ubuntu: `apt install bubblewrap`)"
    );
    let old = probe::new_enough("bubblewrap 0.4.1\n")
        .expect_err("old")
        .to_string();
    assert!(
        old.contains("`bubblewrap 0.4.1`; version 0.8 or newer is needed"),
        "{old}"
    );
    assert!(probe::new_enough("bubblewrap 0.8.0\n").is_ok());
    assert!(probe::new_enough("bubblewrap 1.0\n").is_ok());
    assert!(probe::new_enough("").is_err());
    // It is there and makes no namespaces; it is there and isolates nothing.
    for (bwrap, expected) in [
        ("/bin/false", "it said nothing"),
        ("/bin/echo", "it said nothing"),
    ] {
        let sandbox = Sandbox {
            bwrap: PathBuf::from(bwrap),
            root: false,
            limits: Limits::program(PATIENT),
            mounts: Vec::new(),
        };
        let refusal = probe::verify(&sandbox).expect_err("no sandbox");
        assert!(matches!(refusal, SandboxError::Refused { .. }), "{refusal}");
        let said = refusal.to_string();
        assert!(said.contains(expected) && said.contains("user"), "{said}");
    }
}

#[test]
fn what_a_program_says_comes_back() {
    let Some(sandbox) = sandbox(PATIENT) else {
        return;
    };
    let mut job = job(&["bash", "-c", "cat; echo \"$GIVEN\" >&2; pwd; id -u; exit 7"]);
    job.stdin = b"fed\n";
    let environment = [("GIVEN".to_owned(), "given".to_owned())];
    job.environment = &environment;
    let outcome = sandbox.run(&job).expect("a run");
    assert_eq!(outcome.status, Status::Failed(7));
    assert_eq!(outcome.stdout, "fed\n/sandbox\n1000\n");
    assert_eq!(outcome.stderr, "given\n");
}

#[test]
fn a_program_need_not_read_its_input() {
    let Some(sandbox) = sandbox(PATIENT) else {
        return;
    };
    let much = vec![b'x'; 4 << 20];
    let mut job = job(&["true"]);
    job.stdin = &much;
    assert_eq!(sandbox.run(&job).expect("a run").status, Status::Passed);
}

#[test]
fn a_program_that_is_not_there_fails() {
    let Some(sandbox) = sandbox(PATIENT) else {
        return;
    };
    let outcome = sandbox.run(&job(&["no-such-program"])).expect("a run");
    assert_eq!(outcome.status, Status::Failed(127));
}

/// Ours inherits descriptors too; what of them is open inside leads outside.
#[test]
fn inherited_descriptors_are_closed() {
    let leak = "exec 7</etc 12</tmp; exec bash -c \"$0\" setup 100 8000000000 1000000 \"$(ulimit -H -u)\" 256 ls /proc/self/fd";
    let output = Command::new("bash")
        .args(["-c", leak, include_str!("../setup.sh")])
        .output()
        .expect("bash");
    // 3 is the folder that `ls` reads.
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0\n1\n2\n3\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "ready\n");
}

/// Neither the soft nor the hard limit lets a program have more.
#[test]
fn files_that_are_open_are_limited() {
    let Some(sandbox) = sandbox(PATIENT) else {
        return;
    };
    let greedy = "ulimit -S -n; ulimit -H -n; if ulimit -n 1025; then echo more; fi 2>/dev/null";
    let outcome = sandbox.run(&job(&["bash", "-c", greedy])).expect("a run");
    assert_eq!(outcome.stdout, "1024\n1024\n");
}

#[test]
fn many_run_at_a_time() {
    let Some(python) = python(PATIENT) else {
        return;
    };
    thread::scope(|scope| {
        for number in 0..6 {
            let python = &python;
            scope.spawn(move || {
                let outcome = python
                    .run(&format!("print({number})\nassert {number} % 2 == 0\n"))
                    .expect("a run");
                assert_eq!(outcome.stdout, format!("{number}\n"));
                let expected = [Status::Passed, Status::Failed(1)][number % 2];
                assert_eq!(outcome.status, expected, "{}", outcome.stderr);
            });
        }
    });
}

/// Named when the next test kills it; alone it does nothing.
#[test]
fn sleeper() {
    let Some(name) = env::var_os("TRUEFILL_TEST_SLEEPER") else {
        return;
    };
    let name = name.to_string_lossy().into_owned();
    let python = python(PATIENT * 10).expect("a sandbox");
    let _ = python.run(&format!(
        "{}\nimport time\ntime.sleep(1000)\n",
        hostile::rename(&name)
    ));
}

#[test]
fn nothing_outlives_our_own_death() {
    if sandbox(PATIENT).is_none() {
        return;
    }
    let name = format!("tfs{}", std::process::id());
    let mut command = Command::new(env::current_exe().expect("this program"));
    command
        .args(["--exact", "eval::sandbox::tests::sleeper"])
        .env("TRUEFILL_TEST_SLEEPER", &name);
    let mut child = command
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("this program again");
    until("the program runs", || named(&name) > 0);
    child.kill().expect("killed");
    child.wait().expect("gone");
    until("the program is gone", || named(&name) == 0);
}
