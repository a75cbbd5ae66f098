//! Python programs: passed means that the last line was reached.
//!
//! A completion may call `sys.exit(0)` or `os._exit(0)` before the tests. So a runner executes the program
//! in a child process, which hands a random token back after the last line; without it, exit status 0 is a
//! failure. The token is drawn inside and is in no file, argument or variable of the environment, but the
//! child's own memory: a completion that walks the frames above it finds it. It cheats its score, as one
//! that replaces `check` does, and nothing more.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::eval::output::short_hash;

use super::{Job, Limits, Mount, Outcome, Sandbox, SandboxError, Status};

/// Prints where the interpreter is, where it is installed, the home folder, its version and, where it is asked,
/// which packages it has, by name and version; Python 3.8 has them.
const WHERE: &str = "\
import os, platform, sys
for path in sys.executable, sys.prefix, sys.base_prefix, os.path.expanduser('~'): print(path)
print(platform.python_implementation(), platform.python_version())
found = set()
if sys.argv[1:]:
    import importlib.metadata
    for it in importlib.metadata.distributions():
        try: found.add('%s==%s' % (it.metadata['Name'], it.metadata['Version']))
        except Exception: pass
print(' '.join(sorted(found)))";

/// Results that do not hang on how many cores a machine has, and threads that do not count as processes.
const ENVIRONMENT: [&str; 3] = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"];

/// A Python that programs are run with.
#[derive(Clone, Debug)]
pub struct Python {
    interpreter: PathBuf,
    /// Whether its installed packages can be imported.
    packages: bool,
    /// What a program's outcome hangs on beside its text.
    identity: String,
    sandbox: Sandbox,
}

impl Python {
    /// Uses `interpreter` (a path, or a name in PATH) and shows its installation in the sandbox, the
    /// virtual environment's too where it is one. With `packages`, its site packages can be imported.
    pub fn open(
        interpreter: &Path,
        packages: bool,
        sandbox: Sandbox,
    ) -> Result<Self, SandboxError> {
        let unusable = |why: String| SandboxError::Path {
            path: interpreter.to_path_buf(),
            why,
        };
        let asked = packages.then_some("packages");
        let mut command = Command::new(interpreter);
        let output = command.args(["-I", "-c", WHERE]).args(asked).output();
        let output = output
            .map_err(|error| unusable(format!("a Python 3 interpreter is expected: {error}")))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let [executable, prefix, base, home, version, installed] =
            said.lines().collect::<Vec<_>>()[..]
        else {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(unusable(format!(
                "a Python 3 interpreter is expected, it said: {}",
                said.trim()
            )));
        };
        let mut mounts = Vec::new();
        for path in [base, prefix].map(Path::new) {
            if Path::new(home).starts_with(path)
                && !path.starts_with("/usr")
                && path != Path::new("/")
            {
                let path = path.display();
                return Err(unusable(format!(
                    "it is installed in {path}, which holds the home folder; use another"
                )));
            }
            let seen = Path::new("/usr").starts_with(path) || path.starts_with("/usr");
            let mount = Mount::same(path);
            if !seen && !mounts.contains(&mount) {
                mounts.push(mount);
            }
        }
        let python = Self {
            interpreter: PathBuf::from(executable),
            packages,
            identity: match packages {
                true => format!("{version} with {}", short_hash(installed)),
                false => version.to_owned(),
            },
            sandbox: sandbox.with_mounts(&mounts)?,
        };
        python.verify(&unusable)?;
        Ok(python)
    }

    /// The interpreter's version and, where programs can import them, which packages are installed.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The same with other limits.
    pub fn with_limits(&self, limits: Limits) -> Self {
        Self {
            sandbox: self.sandbox.clone().with_limits(limits),
            ..self.clone()
        }
    }

    /// A first program shows that the installation is complete inside.
    fn verify(&self, unusable: &dyn Fn(String) -> SandboxError) -> Result<(), SandboxError> {
        let mut limits = self.sandbox.limits.clone();
        limits.wall = limits.wall.max(std::time::Duration::from_secs(60));
        let patient = self.with_limits(limits);
        let outcome = patient.run("import ctypes, json, random, unittest\n")?;
        if outcome.status == Status::Passed {
            return Ok(());
        }
        let said = outcome.stderr.trim();
        Err(unusable(format!(
            "it does not run inside ({:?}): {said}",
            outcome.status
        )))
    }

    /// Runs a program; it passed where its last line was reached and the interpreter did not crash.
    pub fn run(&self, program: &str) -> Result<Outcome, SandboxError> {
        // Not `-I`, which would leave out the seed of the hashes: the environment is ours.
        let mut command = vec![self.interpreter.clone().into(), "-s".into(), "-B".into()];
        if !self.packages {
            command.push("-S".into());
        }
        command.extend(["-c".into(), include_str!("runner.py").into()]);
        let environment = ENVIRONMENT.map(|name| (name.to_owned(), "1".to_owned()));
        self.sandbox.run(&Job {
            command,
            stdin: program.as_bytes(),
            environment: &environment,
            ..Job::default()
        })
    }
}
