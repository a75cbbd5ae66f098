//! The command line of `bwrap`.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use super::folder::{PrivateFolder, new_folder, readable};
use super::{Job, Mount, Sandbox, SandboxError};

/// The user and group inside, and who root becomes: nobody.
const INSIDE: &str = "1000";
const NOBODY: &str = "65534";

/// Names that hold what is in `/usr` on a merged system, folders of their own elsewhere.
const ROOTS: [&str; 5] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64"];

/// What of `/etc` programs need to start: where libraries are, and Debian's choices between them.
const ETC: [&str; 2] = ["/etc/ld.so.cache", "/etc/alternatives"];

/// Files of a job on the host, for as long as it runs.
pub(super) struct Inputs {
    source: Option<PathBuf>,
    changed: Option<PrivateFolder>,
}

impl Inputs {
    pub(super) fn write(job: &Job) -> Result<Self, SandboxError> {
        let unusable = |path: &Path, why: &str| SandboxError::Path {
            path: path.to_path_buf(),
            why: why.to_owned(),
        };
        if let Some(source) = job.source.filter(|source| !source.is_dir()) {
            return Err(unusable(source, "a folder to copy is expected"));
        }
        let mut inputs = Self {
            source: job.source.map(Path::to_path_buf),
            changed: None,
        };
        if !job.changed.is_empty() {
            let folder = PrivateFolder::new("changed")?;
            for (path, content) in job.changed {
                if !path
                    .components()
                    .all(|part| matches!(part, Component::Normal(_)))
                {
                    return Err(unusable(
                        path,
                        "a path inside the folder is expected, without `..`",
                    ));
                }
                write(folder.path(), path, content)?;
            }
            inputs.changed = Some(folder);
        }
        Ok(inputs)
    }

    /// Where the files are that are written over the copy.
    #[cfg(test)]
    pub(super) fn changed(&self) -> Option<&Path> {
        self.changed.as_ref().map(PrivateFolder::path)
    }

    fn mounts(&self) -> impl Iterator<Item = Mount> {
        let named = |host: &Path, name: &str| Mount {
            host: host.to_path_buf(),
            inside: Path::new("/input").join(name),
        };
        let source = self.source.iter().map(move |path| named(path, "source"));
        source.chain(
            self.changed
                .iter()
                .map(move |folder| named(folder.path(), "changed")),
        )
    }
}

/// Writes a file below a folder, for the sandbox's user to read.
fn write(folder: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    let mut at = folder.to_owned();
    for part in path.parent().into_iter().flat_map(Path::components) {
        at.push(part);
        if !at.is_dir() {
            new_folder(&at)?;
        }
    }
    let mut file = fs::File::create(folder.join(path))?;
    file.write_all(content)?;
    readable(&file, false)
}

/// What runs a job. Its errors begin with what `bwrap` says of itself, then `ready`.
pub(super) fn command(sandbox: &Sandbox, job: &Job, inputs: &Inputs) -> Command {
    let mut mounts: Vec<Mount> = sandbox
        .mounts
        .iter()
        .cloned()
        .chain(inputs.mounts())
        .collect();
    let mut command = Command::new("/bin/bash");
    // `bwrap` closes the descriptor that it is given to tell of itself.
    command
        .env_clear()
        .args(["-c", "exec \"$@\" 3>&2", "bash"])
        .arg(&sandbox.bwrap);
    command.args(["--info-fd", "3"]);
    if sandbox.root {
        command.args(step_down(&mut mounts)).arg(&sandbox.bwrap);
    }
    command.args(isolation()).args(files(sandbox, &mounts));
    for (name, value) in job.environment {
        command.args(["--setenv", name, value]);
    }
    let limits = &sandbox.limits;
    command.args(["--", "/bin/bash", "-c", include_str!("setup.sh"), "setup"]);
    for limit in [
        limits.cpu.as_secs().max(1),
        limits.memory,
        limits.file,
        limits.processes,
        limits.open_files,
    ] {
        command.arg(limit.to_string());
    }
    command.args(&job.command);
    command
}

/// Root becomes nobody before anything else. Nobody could not enter root's folders, so an outer `bwrap`
/// shows the mounts in a `/tmp` of its own. It has a process namespace whose first process is root's: the
/// outer `bwrap`, a root without capabilities, may not signal nobody, and when it dies only the kernel can
/// end what nobody runs.
fn step_down(mounts: &mut [Mount]) -> Vec<OsString> {
    let mut outer = words("--unshare-pid --as-pid-1 --die-with-parent --dev-bind / / --tmpfs /tmp");
    for (index, mount) in mounts.iter_mut().enumerate() {
        let staged = PathBuf::from(format!("/tmp/{index}"));
        outer.extend([
            "--ro-bind".into(),
            mount.host.clone().into(),
            staged.clone().into(),
        ]);
        mount.host = staged;
    }
    outer.extend(["--", "/bin/bash", "-c", "\"$@\"; exit $?", "first"].map(OsString::from));
    outer.extend(words("/usr/bin/setpriv --clear-groups --reuid"));
    outer.extend([NOBODY, "--regid", NOBODY, "--"].map(OsString::from));
    outer
}

/// Process 1 inside is `setup.sh`: when it ends, the kernel ends every process, and `bwrap` waits for it.
fn isolation() -> Vec<OsString> {
    let mut arguments = words(
        "--unshare-all --unshare-user --disable-userns --as-pid-1 --die-with-parent --new-session \
         --cap-drop ALL --hostname sandbox --clearenv",
    );
    arguments.extend(["--uid", INSIDE, "--gid", INSIDE].map(OsString::from));
    for (name, value) in [
        ("PATH", super::PATH),
        ("HOME", super::HOME),
        ("LANG", "C.UTF-8"),
        ("PYTHONHASHSEED", "0"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
    ] {
        arguments.extend(["--setenv", name, value].map(OsString::from));
    }
    arguments
}

/// The file system: `/usr`, what is named, and three bounded folders in memory. The rest of it, which
/// would be memory without a bound, cannot be written.
fn files(sandbox: &Sandbox, mounts: &[Mount]) -> Vec<OsString> {
    let mut arguments = words("--ro-bind /usr /usr");
    for root in ROOTS {
        match fs::read_link(root) {
            Ok(target) => arguments.extend(["--symlink".into(), target.into(), root.into()]),
            Err(_) => arguments.extend(["--ro-bind-try", root, root].map(OsString::from)),
        }
    }
    for path in ETC {
        arguments.extend(["--ro-bind-try", path, path].map(OsString::from));
    }
    arguments.extend(words("--proc /proc --dev /dev"));
    let folder = sandbox.limits.folder;
    arguments.extend(words(&format!(
        "--perms 1777 --size {folder} --tmpfs /dev/shm --perms 1777 --size {folder} --tmpfs /tmp \
         --perms 0755 --size {folder} --tmpfs /sandbox"
    )));
    for Mount { host, inside } in mounts {
        arguments.extend(["--ro-bind".into(), host.into(), inside.into()]);
    }
    arguments.extend(words("--remount-ro /dev --remount-ro / --chdir /sandbox"));
    arguments
}

fn words(text: &str) -> Vec<OsString> {
    text.split_whitespace().map(OsString::from).collect()
}
