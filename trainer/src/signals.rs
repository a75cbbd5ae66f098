//! SIGINT and SIGTERM: the first asks a long step to end, the second ends it.

use std::io::Write as _;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::Result;

/// The steps of a program share what they listen to: the second signal is the second, whichever step
/// runs.
static HEARD: OnceLock<Arc<AtomicU8>> = OnceLock::new();
static TOLD: Mutex<&str> = Mutex::new("");

/// The exit status that the first SIGINT or SIGTERM asks for, 0 before it; `told` is said then. The second
/// ends the program as if there were no handler.
///
/// # Errors
/// Where signals cannot be listened to.
pub fn first(told: &'static str) -> Result<Arc<AtomicU8>> {
    *TOLD.lock().unwrap_or_else(PoisonError::into_inner) = told;
    if let Some(heard) = HEARD.get() {
        return Ok(Arc::clone(heard));
    }
    let heard = Arc::new(AtomicU8::new(0));
    let asked = Arc::clone(&heard);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            runtime.block_on(async {
                let Ok(code) = signal().await else {
                    return;
                };
                asked.store(code, Ordering::Relaxed);
                let told = *TOLD.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = writeln!(std::io::stderr(), "{told}");
                let code = signal().await.unwrap_or(code);
                #[expect(clippy::exit, reason = "the user will not wait for the step's end")]
                std::process::exit(i32::from(code));
            });
        })?;
    Ok(Arc::clone(HEARD.get_or_init(|| heard)))
}

/// Waits for a signal; the exit status of who ends by it.
#[cfg(unix)]
async fn signal() -> std::io::Result<u8> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| 130),
        _ = terminated.recv() => Ok(143),
    }
}

#[cfg(not(unix))]
async fn signal() -> std::io::Result<u8> {
    tokio::signal::ctrl_c().await.map(|()| 130)
}
