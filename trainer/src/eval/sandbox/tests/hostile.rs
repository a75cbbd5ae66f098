//! Programs that a completion could be.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use super::*;

/// Enough to begin; for programs that never end.
const SHORT: Duration = Duration::from_secs(3);

/// A statement that gives the process, and those it forks, a name that the host sees.
pub(super) fn rename(name: &str) -> String {
    format!("import ctypes; ctypes.CDLL(None).prctl(15, b'{name}')")
}

/// The host as a program could hurt it.
struct Host {
    name: String,
    vault: tempfile::TempDir,
    tcp: TcpListener,
    unix: UnixListener,
}

impl Host {
    fn new(case: usize) -> Self {
        let name = format!("tfh{}x{case}", std::process::id());
        let vault = tempfile::tempdir().expect("a folder");
        fs::write(vault.path().join("secret"), "secret").expect("written");
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
        tcp.set_nonblocking(true).expect("set");
        let address = SocketAddr::from_abstract_name(&name).expect("an address");
        let unix = UnixListener::bind_addr(&address).expect("a socket");
        unix.set_nonblocking(true).expect("set");
        Self {
            name,
            vault,
            tcp,
            unix,
        }
    }

    /// Folders that the user of this test can write.
    fn folders(&self) -> Vec<PathBuf> {
        let home = env::var_os("HOME").map(PathBuf::from);
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let known = [
            self.vault.path().to_path_buf(),
            env::temp_dir(),
            here.join("../target"),
            "/run".into(),
        ];
        home.into_iter().chain(known).collect()
    }

    /// The program with what it needs to know of the host.
    fn program(&self, body: &str) -> String {
        let folders: Vec<String> = self
            .folders()
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let port = self.tcp.local_addr().expect("an address").port();
        format!(
            "import os, sys, socket, signal, subprocess, time, ctypes\n{}\nNAME = {:?}\nVAULT = {:?}\n\
             FOLDERS = {folders:?}\nPORT = {port}\n{REFUSED}{body}",
            rename(&self.name),
            self.name,
            self.vault.path(),
        )
    }

    fn check(&self, case: &str) {
        for folder in self.folders() {
            assert!(
                !folder.join(&self.name).exists(),
                "{case}: wrote to {}",
                folder.display()
            );
        }
        assert_eq!(
            fs::read_to_string(self.vault.path().join("secret")).expect("there"),
            "secret",
            "{case}"
        );
        assert_eq!(
            self.vault.path().read_dir().expect("a folder").count(),
            1,
            "{case}"
        );
        assert!(self.tcp.accept().is_err(), "{case}: connected");
        assert!(self.unix.accept().is_err(), "{case}: connected");
        assert_eq!(named(&self.name), 0, "{case}: left running");
    }
}

const REFUSED: &str = "
def refused(act, *arguments):
    try:
        act(*arguments)
    except OSError:
        return
    raise AssertionError((act, arguments))
";

/// The names, the programs, and what becomes of them; those that never end have the short limit.
const HOSTILE: &[(&str, &str, Status)] = &[
    ("writes", "
import shutil
for folder in FOLDERS + ['/', '/usr', '/etc', '/dev', '/proc', '/input', '/home', '/root', '/work']:
    refused(open, os.path.join(folder, NAME), 'w') if folder != '/tmp' else open('/tmp/' + NAME, 'w')
", Status::Passed),
    ("reads", "
for path in ['/etc/shadow', '/etc/passwd', VAULT + '/secret', '/proc/1/root' + VAULT + '/secret', '/run/dbus/system_bus_socket']:
    refused(open, path)
for pid in filter(str.isdigit, os.listdir('/proc')):
    assert int(pid) < 100, 'processes of the host'
assert not os.path.exists('/sys') and not os.path.exists('/home') and not os.path.exists('/run')
assert set(os.environ) <= {'PATH', 'HOME', 'LANG', 'PWD', 'SHLVL', '_', 'OLDPWD', 'PYTHONHASHSEED', 'PYTHONDONTWRITEBYTECODE',
    'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS', 'LC_CTYPE'}, os.environ
", Status::Passed),
    ("connects", "
for address in [('127.0.0.1', PORT), ('192.0.2.1', 9), ('1.1.1.1', 53)]:
    refused(socket.create_connection, address, 20)
unix = socket.socket(socket.AF_UNIX)
refused(unix.connect, chr(0) + NAME)
refused(socket.getaddrinfo, 'example.org', 80)
refused(socket.socket, socket.AF_PACKET, socket.SOCK_RAW)
", Status::Passed),
    ("gains rights", "
libc = ctypes.CDLL(None)
assert libc.unshare(0x10000000) == -1, 'a user namespace'
assert libc.mount(b'none', b'/tmp', b'tmpfs', 0, None) == -1
assert libc.setuid(0) == -1
for path in ['/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger', '/proc/sys/vm/drop_caches']:
    refused(open, path, 'w')
for path in ['/dev/mem', '/dev/kmsg', '/dev/vda', '/dev/sda']:
    refused(open, path)
", Status::Passed),
    ("leaves a daemon", "
if os.fork() == 0:
    os.setsid()
    os.closerange(0, 100)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(5)
    open(os.path.join(VAULT, NAME), 'w')
    time.sleep(1000)
", Status::Passed),
    ("leaves a daemon that holds the pipes", "
if os.fork() == 0:
    os.setsid()
    time.sleep(1000)
", Status::Passed),
    ("forks for ever", "
while True:
    try:
        os.fork()
    except OSError:
        pass
", Status::TimedOut),
    ("takes all memory", "
held = bytearray(1 << 20)
while True:
    held += held
", Status::Failed(1)),
    ("fills the folders", "
for folder in ['/tmp', '/dev/shm', '.']:
    def fill():
        number = 0
        while True:
            number += 1
            with open(os.path.join(folder, str(number)), 'wb') as file:
                for _ in range(32):
                    file.write(bytes(1 << 20))
    refused(fill)
    for name in os.listdir(folder):
        os.remove(os.path.join(folder, name))
", Status::Passed),
    ("writes a huge file", "
with open('huge', 'wb') as file:
    file.truncate(1 << 40)
", Status::Failed(1)),
    ("prints for ever", "
while True:
    print('x' * 10000)
    print('y' * 10000, file=sys.stderr)
", Status::TimedOut),
    ("sleeps", "
for number in range(1, 32):
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_IGN)
time.sleep(100000)
", Status::TimedOut),
    ("sleeps with its pipes closed", "
os.closerange(0, 100)
time.sleep(100000)
", Status::TimedOut),
    ("stops its runner", "
os.kill(os.getppid(), signal.SIGSTOP)
", Status::TimedOut),
    ("kills all", "os.kill(-1, 9)\n", Status::Failed(137)),
    ("kills process 1", "
os.kill(1, 9)
os.kill(1, signal.SIGSTOP)
os.kill(1, signal.SIGTERM)
time.sleep(0.2)
", Status::Passed),
    ("kills its runner", "
os.kill(os.getppid(), 9)
time.sleep(1000)
", Status::Failed(137)),
    ("crashes", "ctypes.string_at(0)\n", Status::Failed(139)),
    ("deletes all", "
import shutil
for folder in FOLDERS + ['/etc', '/dev', '/usr/bin', '/tmp', '/sandbox']:
    shutil.rmtree(folder, ignore_errors=True)
", Status::Passed),
];

#[test]
fn the_host_is_as_it_was() {
    let (Some(patient), Some(short)) = (python(PATIENT), python(SHORT)) else {
        return;
    };
    for (index, (case, body, expected)) in HOSTILE.iter().enumerate() {
        let host = Host::new(index);
        let python = if *expected == Status::TimedOut {
            &short
        } else {
            &patient
        };
        let outcome = python.run(&host.program(body)).expect("a run");
        assert_eq!(outcome.status, *expected, "{case}: {}", outcome.stderr);
        assert!(
            outcome.stdout.len() <= 64 << 10 && outcome.stderr.len() <= 64 << 10,
            "{case}"
        );
        host.check(case);
    }
}

/// Exit status 0 is not enough: the line after the completion was not reached.
#[test]
fn who_leaves_before_the_tests_has_failed() {
    let Some(python) = python(PATIENT) else {
        return;
    };
    let ways = [
        "import sys; sys.exit(0)",
        "import sys; sys.exit()",
        "raise SystemExit",
        "import os; os._exit(0)",
        "import os; os.execv('/bin/true', ['true'])",
        "import os; pid = os.fork(); pid and os._exit(0)",
        "import os\nfor fd in range(3, 20):\n    try: os.write(fd, b'0' * 32)\n    except OSError: pass\nos._exit(0)",
        "import atexit, os; atexit.register(os._exit, 0); raise ValueError",
        "exit()",
    ];
    for way in ways {
        let outcome = python
            .run(&format!("{way}\nassert 1 == 1\n"))
            .expect("a run");
        assert_eq!(
            outcome.status,
            Status::Failed(1),
            "{way}: {}",
            outcome.stderr
        );
    }
}

#[test]
fn an_honest_program_is_judged_by_its_tests() {
    let Some(python) = python(PATIENT) else {
        return;
    };
    let head = "def add(a, b):\n    return ";
    let tail = "\n\ndef check(f):\n    assert f(1, 2) == 3\ncheck(add)";
    for (completion, expected) in [
        ("a + b", Status::Passed),
        ("a - b", Status::Failed(1)),
        ("a +", Status::Failed(1)),
    ] {
        let outcome = python
            .run(&format!("{head}{completion}{tail}"))
            .expect("a run");
        assert_eq!(outcome.status, expected, "{}", outcome.stderr);
    }
    let failed = python.run(&format!("{head}a - b{tail}")).expect("a run");
    assert!(
        failed.stderr.contains("assert f(1, 2) == 3"),
        "{}",
        failed.stderr
    );
    // The harnesses of the benchmarks do not run this; classes that look themselves up are found.
    let guarded = "if __name__ == '__main__':\n    raise ValueError\n\
                   import dataclasses\n@dataclasses.dataclass\nclass Point:\n    x: 'int'\nassert Point(1).x == 1";
    assert_eq!(python.run(guarded).expect("a run").status, Status::Passed);
    let seeded = "print(hash('a'))";
    assert_eq!(
        python.run(seeded).expect("a run").stdout,
        python.run(seeded).expect("a run").stdout
    );
}
