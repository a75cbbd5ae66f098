//! The handle that a process records through.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, UnixMicros, system_clock};
use crate::counters::Counters;
use crate::error::FlushError;
use crate::health::{Health, OffReason};
use crate::queue::{Bounds, Queue, Recorded, Settled, Stamped, Ticket};
use crate::record::Event;
use crate::writer::Writer;

/// How a journal is kept.
#[derive(Clone)]
pub struct Options {
    /// Whether text of documents may be written.
    pub context: bool,
    /// Tells the time of events.
    pub clock: Clock,
    /// Events that may wait for the writer.
    pub queue_events: usize,
    /// Bytes of memory that waiting events may take.
    pub queue_bytes: usize,
    /// How long events are gathered into one transaction. An event is committed
    /// within this and the time of a commit.
    pub gather: Duration,
    /// The file's largest size in bytes; at it the oldest rows make room for new ones.
    pub max_bytes: Option<u64>,
    /// How long rows are kept.
    pub keep: Option<Duration>,
    /// How long the journal stays off before it tries again.
    pub retry_after: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            context: false,
            clock: system_clock(),
            queue_events: 8192,
            queue_bytes: 16 << 20,
            gather: Duration::from_millis(50),
            max_bytes: None,
            keep: None,
            retry_after: Duration::from_secs(60),
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("context", &self.context)
            .field("gather", &self.gather)
            .field("max_bytes", &self.max_bytes)
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}

/// How long dropping a journal waits for its last events.
const CLOSE_ON_DROP: Duration = Duration::from_secs(2);

/// Records events of this process into one file, through one thread.
///
/// Nothing here waits for the disk but [`Journal::flush`],
/// [`Journal::wait_started`] and [`Journal::close`], and these have deadlines.
#[derive(Debug)]
pub struct Journal {
    queue: Arc<Queue>,
    path: PathBuf,
    clock: ClockCell,
    /// How long dropping this waits for the writer.
    patience: Duration,
}

struct ClockCell(Clock);

impl std::fmt::Debug for ClockCell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

impl Journal {
    /// Starts a journal at `path`; the file is opened, and made if need be, in
    /// the background.
    ///
    /// There is no error: whether it works is told by [`Journal::health`], and
    /// one that does not work drops and counts.
    pub fn open(path: impl Into<PathBuf>, options: Options) -> Self {
        let path = path.into();
        let bounds = Bounds {
            events: options.queue_events,
            bytes: options.queue_bytes,
        };
        let queue = Arc::new(Queue::new(bounds));
        let writer = Writer {
            path: path.clone(),
            queue: Arc::clone(&queue),
            clock: Arc::clone(&options.clock),
            context: options.context,
            max_bytes: options.max_bytes,
            keep: options.keep,
            next_look: None,
            gather: options.gather,
            retry_after: options.retry_after,
            database: None,
        };
        let thread = std::thread::Builder::new().name("journal".to_owned());
        if let Err(error) = thread.spawn(move || writer.run()) {
            let sentence = format!("{}: the journal is off: no thread: {error}", path.display());
            queue.set_health(Health::Off(OffReason {
                sentence,
                retries: false,
            }));
            queue.finish();
        }
        Self {
            queue,
            path,
            clock: ClockCell(options.clock),
            patience: CLOSE_ON_DROP,
        }
    }

    /// Takes an event in, stamped with the time of the call, or drops and counts it.
    ///
    /// Takes microseconds: a lock that nobody holds while working, and a push.
    pub fn record(&self, event: Event) -> Recorded {
        self.record_at((self.clock.0)(), event)
    }

    /// As [`Journal::record`], for something that happened at another time.
    pub fn record_at(&self, at: UnixMicros, event: Event) -> Recorded {
        self.queue.push(Stamped { at, event })
    }

    /// Whether an event of this process is committed, and so acknowledged.
    pub fn settled(&self, ticket: Ticket) -> Settled {
        self.queue.settled(ticket)
    }

    /// Commits what was recorded so far, now, and waits for it.
    ///
    /// # Errors
    /// If that took longer than `within`, or events were lost since the last
    /// flush that told of losses.
    pub fn flush(&self, within: Duration) -> Result<(), FlushError> {
        self.queue.flush(within)
    }

    /// Whether the journal works.
    pub fn health(&self) -> Health {
        self.queue.health()
    }

    /// Waits until the file is open or the journal is off, at most `within`.
    pub fn wait_started(&self, within: Duration) -> Health {
        self.queue.wait_started(within)
    }

    /// What the journal did so far.
    pub fn counters(&self) -> Counters {
        self.queue.cells.read()
    }

    /// The file.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Writes what waits and ends the writer.
    ///
    /// # Errors
    /// As for [`Journal::flush`]; the writer then ends by itself once the disk lets it.
    pub fn close(mut self, within: Duration) -> Result<(), FlushError> {
        let result = self.queue.flush(within);
        if matches!(result, Err(FlushError::TimedOut { .. })) {
            self.patience = Duration::ZERO;
        }
        result
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.queue.close();
        self.queue.wait_finished(self.patience);
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue")
            .field("counters", &self.cells.read())
            .finish_non_exhaustive()
    }
}
