//! Logs and panics go to stderr, and never hold text of a document.

use std::io::Write;
use std::panic::PanicHookInfo;

use tracing_subscriber::EnvFilter;

/// Starts logging for a process that serves. `TRUEFILL_LOG` sets the filter.
pub fn start() {
    let filter = std::env::var("TRUEFILL_LOG").unwrap_or_default();
    let filter = if filter.is_empty() {
        "warn"
    } else {
        filter.as_str()
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_ansi(false);
    // A second start, as in tests, keeps the first.
    let _ = subscriber.try_init();
    std::panic::set_hook(Box::new(report_panic));
}

/// Says where, and what only where it is a fixed text: messages made at run time, such as
/// those of slicing, quote what they failed on. `writeln!` because `eprintln!` would panic
/// again on a closed stream.
fn report_panic(info: &PanicHookInfo<'_>) {
    let what = info
        .payload()
        .downcast_ref::<&'static str>()
        .copied()
        .unwrap_or("(text withheld)");
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("unnamed");
    let mut stderr = std::io::stderr().lock();
    let _ = match info.location() {
        Some(place) => writeln!(stderr, "thread `{name}` panicked at {place}: {what}"),
        None => writeln!(stderr, "thread `{name}` panicked: {what}"),
    };
}
