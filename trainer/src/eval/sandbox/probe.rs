//! Whether this machine can isolate a program: found out by trying.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use super::{Job, Outcome, Sandbox, SandboxError, Status};

/// The first with `--size` and `--disable-userns`.
const OLDEST: (u32, u32) = (0, 8);

const INSTALL: &str = "install it (Debian, Ubuntu: `apt install bubblewrap`)";

/// Run inside with a folder of the host as its argument. Each line that it prints is checked.
const TRY: &str = r#"
grep -E '^(CapEff|CapBnd|NoNewPrivs|Uid):' /proc/self/status
grep -E '^Max processes' /proc/self/limits
sed -n 's/^ *\([^ :]*\):.*/interface \1/p' /proc/net/dev
if (true); then echo forked; fi
if [ -e "$1" ]; then echo seen; fi
if echo >"$1/written"; then echo written; fi 2>/dev/null
if echo >/written; then echo root written; fi 2>/dev/null
exit 0
"#;

/// Where `bwrap` is, new enough.
pub(super) fn installed() -> Result<PathBuf, SandboxError> {
    let tried = "`bwrap --version`";
    if !cfg!(target_os = "linux") {
        let found = format!("{}, which has no namespaces", env::consts::OS);
        return Err(refused(
            tried,
            found,
            "run this on Linux, or in a Linux virtual machine",
        ));
    }
    let path = find(&env::var_os("PATH").unwrap_or_default())?;
    let said = Command::new(&path).arg("--version").output()?.stdout;
    new_enough(&String::from_utf8_lossy(&said))?;
    Ok(path)
}

pub(super) fn find(folders: &OsStr) -> Result<PathBuf, SandboxError> {
    let found = env::split_paths(folders)
        .map(|folder| folder.join("bwrap"))
        .find(|path| path.is_file());
    found.ok_or_else(|| refused("`bwrap --version`", "no `bwrap` in PATH", INSTALL))
}

/// `bubblewrap 0.8.0` and later.
pub(super) fn new_enough(said: &str) -> Result<(), SandboxError> {
    let mut numbers = said
        .trim()
        .rsplit(' ')
        .next()
        .unwrap_or_default()
        .split('.')
        .map(str::parse::<u32>);
    let version = match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
        _ => (0, 0),
    };
    if version >= OLDEST {
        return Ok(());
    }
    let advice = format!(
        "version {}.{} or newer is needed: {INSTALL}",
        OLDEST.0, OLDEST.1
    );
    Err(refused(
        "`bwrap --version`",
        format!("`{}`", said.trim()),
        &advice,
    ))
}

/// Whether this process is root's, as the kernel says.
pub(super) fn is_root() -> Result<bool, SandboxError> {
    let status = fs::read_to_string("/proc/self/status")?;
    let user = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    Ok(user.is_none_or(|ids| ids.split_whitespace().nth(1) == Some("0")))
}

/// Runs a program that tries to get out.
pub(super) fn verify(sandbox: &Sandbox) -> Result<(), SandboxError> {
    let folder = tempfile::tempdir()?;
    let mut command: Vec<_> = ["bash", "-c", TRY, "try"].map(Into::into).to_vec();
    command.push(folder.path().into());
    let job = Job {
        command,
        ..Job::default()
    };
    let patient = sandbox.limits.clone();
    let wall = patient.wall.max(std::time::Duration::from_secs(60));
    let outcome = sandbox
        .clone()
        .with_limits(super::Limits { wall, ..patient })
        .run(&job);
    match outcome {
        Ok(outcome) => isolated(&outcome, sandbox.limits.processes, folder.path()),
        Err(SandboxError::SetUp { said, .. }) => Err(refused(
            "to run a program in `bwrap`",
            said.clone(),
            advice(&said),
        )),
        Err(error) => Err(error),
    }
}

fn isolated(outcome: &Outcome, processes: u64, folder: &Path) -> Result<(), SandboxError> {
    let tried = "to get out of `bwrap`";
    let mut said: Vec<String> = outcome
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    said.sort();
    let mut expected = vec![
        "CapBnd: 0000000000000000".to_owned(),
        "CapEff: 0000000000000000".to_owned(),
        "NoNewPrivs: 1".to_owned(),
        "Uid: 1000 1000 1000 1000".to_owned(),
        format!("Max processes {processes} {processes} processes"),
        "forked".to_owned(),
        "interface lo".to_owned(),
    ];
    expected.sort();
    let written = folder.read_dir()?.next().is_some();
    if outcome.status == Status::Passed && said == expected && !written {
        return Ok(());
    }
    let found = format!(
        "`{}` where `{}` is expected ({:?}) {}",
        said.join(", "),
        expected.join(", "),
        outcome.status,
        outcome.stderr.trim()
    );
    let advice = "where `forked` is missing, the kernel is older than 5.14 and counts processes of other programs; else report this";
    Err(refused(tried, found, advice))
}

/// The usual reasons for what `bwrap` says.
fn advice(said: &str) -> &'static str {
    if said.contains("bash") || said.contains("setpriv") {
        "bash, coreutils and, for root, util-linux must be installed in /usr"
    } else if Path::new("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").exists() {
        "allow it user namespaces: an AppArmor profile for bwrap with `userns,`, or \
         `sysctl kernel.apparmor_restrict_unprivileged_userns=0`; in a container, allow them there"
    } else {
        "allow user namespaces: `sysctl kernel.unprivileged_userns_clone=1`, \
         `sysctl user.max_user_namespaces=10000`; a container must be allowed to make namespaces \
         (Docker: `--security-opt seccomp=unconfined --security-opt systempaths=unconfined --cap-add SYS_ADMIN`)"
    }
}

fn refused(tried: &str, found: impl Into<String>, advice: &str) -> SandboxError {
    SandboxError::Refused {
        tried: tried.to_owned(),
        found: found.into(),
        advice: advice.to_owned(),
    }
}
