//! A running sandbox: fed, listened to, ended at its time.
//!
//! Nothing here can be made to wait by what runs inside. Process 1 of the sandbox and `bwrap` keep the
//! output open, so that its end means that they are gone, and with process 1 everything inside.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::{Job, Limits, Outcome, SandboxError, Status};

/// For mounts and for the copy of a folder, on a busy machine; a program's own time begins after it.
const SETTING_UP: Duration = Duration::from_secs(120);

/// 128 and SIGXCPU: the limit of CPU time.
const OUT_OF_CPU: i32 = 152;

/// What the readers tell.
enum Event {
    /// The program begins; the process whose end ends everything.
    Ready(String),
    /// Everything has ended.
    Ended,
}

/// How the waiting came out.
struct Waited {
    in_time: bool,
    wall: Duration,
}

pub(super) fn run(
    mut command: Command,
    job: &Job,
    limits: &Limits,
) -> Result<Outcome, SandboxError> {
    let pipes = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // Ctrl-C is for the trainer, which lets what runs come to its end.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(pipes, 0);
    let mut child = pipes.spawn()?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (events, told) = channel();
    let ready = events.clone();
    let failed = |said: String| SandboxError::SetUp {
        command: job
            .command
            .first()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        said,
    };
    thread::scope(|scope| {
        // A program that does not read breaks the pipe when it ends; that is its own affair.
        scope.spawn(move || stdin.map(|mut pipe| pipe.write_all(job.stdin)));
        let output = scope.spawn(move || {
            let tail = stdout.map(|pipe| keep_tail(pipe, Vec::new(), limits.output));
            let _ = events.send(Event::Ended);
            tail.unwrap_or_default()
        });
        let errors =
            scope.spawn(move || stderr.map(|pipe| keep_errors(pipe, limits.output, &ready)));
        let waited = wait(&mut child, &told, limits.wall);
        let exit = child.wait()?.code();
        let stdout = output.join().unwrap_or_default();
        let stderr = match errors.join().ok().flatten() {
            Some(Ok(text)) => text,
            Some(Err(said)) => return Err(failed(said)),
            None => return Err(failed("its errors could not be read".to_owned())),
        };
        let status = match exit {
            _ if !waited.in_time => Status::TimedOut,
            Some(0) => Status::Passed,
            Some(OUT_OF_CPU) => Status::TimedOut,
            Some(code) => Status::Failed(code),
            None => return Err(failed("`bwrap` was killed from outside".to_owned())),
        };
        let wall = waited.wall;
        Ok(Outcome {
            status,
            stdout,
            stderr,
            wall,
        })
    })
}

/// Until everything has ended, or until it is ended.
fn wait(child: &mut Child, told: &Receiver<Event>, limit: Duration) -> Waited {
    match told.recv_timeout(SETTING_UP) {
        Ok(Event::Ready(first)) => {
            let begun = Instant::now();
            let in_time = !matches!(told.recv_timeout(limit), Err(RecvTimeoutError::Timeout));
            if !in_time {
                end(child, &first);
            }
            let wall = begun.elapsed();
            Waited { in_time, wall }
        }
        Ok(Event::Ended) | Err(RecvTimeoutError::Disconnected) => Waited {
            in_time: true,
            wall: Duration::ZERO,
        },
        Err(RecvTimeoutError::Timeout) => {
            let _ = child.kill();
            Waited {
                in_time: false,
                wall: Duration::ZERO,
            }
        }
    }
}

/// Ends process 1, which ends all others; `bwrap` sees that and ends. Were `bwrap` killed itself, the
/// rest would end a little after it, and this process would not know when.
fn end(child: &mut Child, first: &str) {
    let mut kill = Command::new("/bin/bash");
    kill.args(["-c", "kill -KILL \"$1\"", "kill", first]);
    let killed = kill
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !killed.is_ok_and(|status| status.success()) {
        let _ = child.kill();
    }
}

/// Reads what comes before the program, tells that it begins, keeps the end of what it says itself.
/// Where it never begins, the error is what was said.
fn keep_errors(mut pipe: impl Read, limit: usize, ready: &Sender<Event>) -> Result<String, String> {
    const READY: &str = "\nready\n";
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        let read = read(&mut pipe, &mut chunk);
        head.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&head);
        let first = text
            .split_once("\"child-pid\":")
            .map(|(_, rest)| rest.trim_start());
        let digits = |rest: &str| {
            rest.chars()
                .take_while(char::is_ascii_digit)
                .collect::<String>()
        };
        if let (Some(at), Some(first)) = (text.find(READY), first.map(digits)) {
            let rest = head.split_off((at + READY.len()).min(head.len()));
            let _ = ready.send(Event::Ready(first));
            return Ok(keep_tail(pipe, rest, limit));
        }
        if read == 0 {
            let said = text
                .rsplit_once("}\n")
                .map_or(&*text, |(_, said)| said)
                .trim();
            return Err(if said.is_empty() {
                "it said nothing".to_owned()
            } else {
                said.to_owned()
            });
        }
    }
}

/// Reads to the end and keeps the last bytes.
fn keep_tail(mut pipe: impl Read, begun: Vec<u8>, limit: usize) -> String {
    let mut tail = VecDeque::from(begun);
    let mut chunk = vec![0; 16 << 10];
    loop {
        let read = read(&mut pipe, &mut chunk);
        tail.extend(&chunk[..read]);
        tail.drain(..tail.len().saturating_sub(limit));
        if read == 0 {
            return String::from_utf8_lossy(tail.make_contiguous()).into_owned();
        }
    }
}

/// Bytes read; 0 at the end, and where nothing more can be read.
fn read(pipe: &mut impl Read, chunk: &mut [u8]) -> usize {
    loop {
        match pipe.read(chunk) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result.unwrap_or(0),
        }
    }
}
