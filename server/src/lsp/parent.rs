//! Ends the server when the editor is gone. A closed stdin tells it in most cases; an
//! editor that was killed while another process holds the pipe open is seen here.

use std::sync::Arc;
use std::time::Duration;

use super::backend::Session;

/// How often it is looked at; twice this is below the five seconds after which a server
/// without a client must be gone.
const INTERVAL: Duration = Duration::from_secs(2);

/// Watches a process and tells the session when it is gone.
pub fn watch(process: u32, session: Arc<Session>) {
    let started = start_time(process);
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while alive(process, started) {
            tick.tick().await;
        }
        tracing::info!(process, "the client's process is gone");
        session.client_gone.notify_one();
    });
}

/// Whether the process is still the one that was seen at first. On systems without
/// `/proc` only a closed stdin ends the server.
#[cfg(target_os = "linux")]
fn alive(process: u32, started: Option<u64>) -> bool {
    // A process that could not be seen at first cannot be told from one that is gone.
    started.is_none() || start_time(process) == started
}

#[cfg(not(target_os = "linux"))]
fn alive(_process: u32, _started: Option<u64>) -> bool {
    true
}

/// When a process started, in clock ticks since boot; `None` where there is none, or
/// only its remains. It tells a process from a later one of the same number.
fn start_time(process: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is a name in parentheses that can itself hold anything.
    let fields = stat.rsplit_once(')')?.1;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_ended_is_not_alive() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let started = start_time(child.id());
        assert!(started.is_some());
        assert!(alive(child.id(), started));
        child.kill().unwrap();
        // Not waited for yet: only its remains are there.
        while start_time(child.id()).is_some() {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(!alive(child.id(), started));
        child.wait().unwrap();
    }
}
