//! What waits for the engine thread, and which of it comes next.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{oneshot, watch};

use super::thread::{Answer, EngineState, IdleWork, Job};
use super::{CancelToken, Engine, EngineRequest};

pub(super) struct Waiting {
    pub job: Job,
    pub cancel: CancelToken,
    pub reply: oneshot::Sender<Answer>,
    pub submitted: Instant,
}

pub(super) struct Running {
    pub document: String,
    pub cancel: CancelToken,
    pub superseded: bool,
    pub warming: bool,
    /// The job's; `None` for warming.
    pub sequence: Option<u64>,
}

pub(super) type Inspection = Box<dyn FnOnce() + Send>;

/// A session to bring up to date, and whose.
pub(super) struct Warming {
    pub engine: Arc<dyn Engine>,
    pub request: EngineRequest,
}

/// Something for when there is nothing else to do.
pub(super) struct Idle {
    pub document: String,
    pub work: IdleWork,
}

#[derive(Default)]
pub(super) struct Queue {
    pub jobs: VecDeque<Waiting>,
    pub warm: VecDeque<Warming>,
    pub idle: VecDeque<Idle>,
    pub inspections: VecDeque<Inspection>,
    pub closed_documents: Vec<String>,
    pub running: Option<Running>,
    pub shutdown: bool,
}

impl Queue {
    /// Whether a newer job for the same document waits or runs.
    pub fn has_newer(&self, job: &Job) -> bool {
        let document = &job.request.document;
        let waiting = self.jobs.iter().map(|waiting| &waiting.job);
        let waiting = waiting.filter(|other| other.request.document == *document);
        let running = self
            .running
            .iter()
            .filter(|running| running.document == *document);
        waiting
            .map(|other| other.sequence)
            .chain(running.filter_map(|running| running.sequence))
            .any(|sequence| sequence > job.sequence)
    }

    /// Answers what waits for a document, and ends what runs for it.
    pub fn supersede(&mut self, document: &str) {
        let mut kept = VecDeque::with_capacity(self.jobs.len());
        for waiting in self.jobs.drain(..) {
            if waiting.job.request.document == document {
                let _ = waiting.reply.send(Answer::Superseded);
            } else {
                kept.push_back(waiting);
            }
        }
        self.jobs = kept;
        let running = self.running.as_mut();
        if let Some(running) = running.filter(|running| running.document == document) {
            running.superseded = true;
            running.cancel.cancel();
        }
    }
}

pub(super) struct Shared {
    pub queue: Mutex<Queue>,
    pub wake: Condvar,
    pub state: watch::Sender<EngineState>,
}

impl Shared {
    /// A panic while the lock is held leaves a queue that is still consistent: every
    /// change under it is a single push, pop or assignment.
    pub fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to do. What ran before does not run any more.
    pub fn next_step(&self) -> Step {
        let mut queue = self.lock();
        queue.running = None;
        loop {
            if queue.shutdown {
                return Step::End;
            }
            if !queue.closed_documents.is_empty() {
                return Step::Forget(std::mem::take(&mut queue.closed_documents));
            }
            if let Some(waiting) = queue.jobs.pop_front() {
                queue.running = Some(Running {
                    document: waiting.job.request.document.clone(),
                    cancel: waiting.cancel.clone(),
                    superseded: false,
                    warming: false,
                    sequence: Some(waiting.job.sequence),
                });
                return Step::Complete(waiting);
            }
            if let Some(inspection) = queue.inspections.pop_front() {
                return Step::Inspect(inspection);
            }
            if let Some(warming) = queue.warm.pop_back() {
                let cancel = CancelToken::new();
                queue.running = Some(Running {
                    document: warming.request.document.clone(),
                    cancel: cancel.clone(),
                    superseded: false,
                    warming: true,
                    sequence: None,
                });
                return Step::Warm(warming, cancel);
            }
            if let Some(idle) = queue.idle.pop_front() {
                let cancel = CancelToken::new();
                queue.running = Some(Running {
                    document: idle.document,
                    cancel: cancel.clone(),
                    superseded: false,
                    warming: true,
                    sequence: None,
                });
                return Step::Idle(idle.work, cancel);
            }
            queue = self
                .wake
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What the thread does next.
pub(super) enum Step {
    Complete(Waiting),
    Inspect(Inspection),
    Warm(Warming, CancelToken),
    Idle(IdleWork, CancelToken),
    Forget(Vec<String>),
    End,
}
