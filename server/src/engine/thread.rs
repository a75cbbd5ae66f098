//! The thread that runs the engines, and its queue.
//!
//! What is served can be replaced while it runs: a job holds the engine that it was assigned, so
//! one that is under way ends on the old engine, which goes with it.
//!
//! The newest request of a document wins: an older one that waits is answered as
//! superseded, one that runs is cancelled. Warming has the lowest priority and gives
//! way to any request, for any document.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::lineup::Lineup;
use super::queue::{Idle, Inspection, Shared, Step, Waiting, Warming};
use super::{
    CancelGuard, CancelToken, Engine, EngineError, EngineRequest, Flow, Generated, RenderedPrompt,
    Sampling, StopReason,
};

/// Watches the growing text of one sample; a fresh one is made for each.
pub type StopFn = Box<dyn FnMut(&str) -> Flow + Send>;

/// Opens what is served; runs on a thread that may take its time. It gets what is served now, where
/// something is: what does not change is taken over.
pub type Loader = Box<dyn FnOnce(Option<&Lineup>) -> Result<Lineup, EngineError> + Send>;

/// Work that gives way to everything else; the token says when.
pub type IdleWork = Box<dyn FnOnce(&CancelToken) + Send>;

/// Work for idle times that waits; beyond this the oldest is dropped.
const IDLE_LIMIT: usize = 4;

/// One completion with its alternatives.
pub struct Job {
    /// Which of two jobs for a document is newer: the order in which they were asked, which
    /// need not be the order in which they get here.
    pub sequence: u64,
    /// Who answers.
    pub engine: Arc<dyn Engine>,
    /// The request; its `sampling` makes the first sample.
    pub request: EngineRequest,
    /// Further samples, made only while the deadline allows.
    pub alternatives: Vec<Sampling>,
    /// Time for them after the first sample; one that is not finished by then is dropped.
    pub alternatives_within: Duration,
    /// Makes the watcher of each sample.
    pub make_stop: Box<dyn Fn() -> StopFn + Send>,
}

/// What became of a job.
#[derive(Debug)]
pub enum Answer {
    /// The samples, at least one, in the order asked, and the time spent waiting in
    /// the queue.
    Done {
        /// What was generated.
        samples: Vec<Generated>,
        /// From submission to the start.
        queued: Duration,
    },
    /// A newer request for the same document took its place.
    Superseded,
    /// It was cancelled by who asked.
    Cancelled,
    /// The engine failed.
    Failed(EngineError),
}

/// Whether the engine can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineState {
    /// The model is being opened.
    Loading,
    /// Ready, with what is served.
    Ready(Arc<Lineup>),
    /// It cannot be opened; the sentence says what to do.
    Failed(String),
}

/// A job's end, for who waits. Dropping it cancels the job.
pub struct Ticket {
    receiver: oneshot::Receiver<Answer>,
    _guard: CancelGuard,
}

impl Ticket {
    /// Waits for the end.
    pub async fn wait(self) -> Answer {
        // A sender dropped without an answer means that the engine thread is gone.
        self.receiver.await.unwrap_or(Answer::Cancelled)
    }
}

/// Documents whose sessions wait to be warmed; beyond this the oldest is dropped.
const WARM_LIMIT: usize = 8;

/// Asks the engine thread; cheap to clone.
#[derive(Clone)]
pub struct EngineHandle {
    shared: Arc<Shared>,
}

/// The thread itself; dropping it stops the thread after the token in hand.
pub struct EngineThread {
    handle: EngineHandle,
    thread: Option<JoinHandle<()>>,
}

impl EngineThread {
    /// Starts the thread, which first runs `loader`.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn spawn(loader: Loader) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            wake: Condvar::new(),
            state: watch::Sender::new(EngineState::Loading),
        });
        let inner = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("truefill-engine".into())
            .spawn(move || run(&inner, loader))?;
        Ok(Self {
            handle: EngineHandle { shared },
            thread: Some(thread),
        })
    }

    /// A handle to ask by.
    pub fn handle(&self) -> EngineHandle {
        self.handle.clone()
    }
}

impl Drop for EngineThread {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take()
            && self.handle.state() != EngineState::Loading
        {
            // A thread that is still loading cannot be stopped; the process's end takes it.
            let _ = thread.join();
        }
    }
}

impl EngineHandle {
    /// Whether the engine can be asked.
    pub fn state(&self) -> EngineState {
        self.shared.state.borrow().clone()
    }

    /// Tells every change of [`EngineHandle::state`].
    pub fn watch(&self) -> watch::Receiver<EngineState> {
        self.shared.state.subscribe()
    }

    /// What is served, where the engine is ready.
    pub fn lineup(&self) -> Option<Arc<Lineup>> {
        match &*self.shared.state.borrow() {
            EngineState::Ready(lineup) => Some(Arc::clone(lineup)),
            EngineState::Loading | EngineState::Failed(_) => None,
        }
    }

    /// Serves something else from the next request on. Jobs that were queued before, and the one
    /// that runs, end on the engines that they were assigned.
    pub fn replace(&self, lineup: Lineup) {
        let kept: Vec<_> = lineup
            .slots()
            .map(|slot| Arc::clone(&slot.engine))
            .collect();
        let old = self
            .shared
            .state
            .send_replace(EngineState::Ready(Arc::new(lineup)));
        let mut queue = self.shared.lock();
        queue
            .warm
            .retain(|warm| kept.iter().any(|engine| Arc::ptr_eq(engine, &warm.engine)));
        drop(queue);
        // Weights may be gigabytes: not under the lock.
        drop(old);
    }

    /// Queues a completion. An older one for the same document, waiting or running,
    /// is answered as superseded; warming stops.
    pub fn submit(&self, job: Job) -> Ticket {
        let cancel = CancelToken::new();
        let (reply, receiver) = oneshot::channel();
        let ticket = Ticket {
            receiver,
            _guard: CancelGuard::new(cancel.clone()),
        };
        let mut queue = self.shared.lock();
        if queue.shutdown {
            return ticket;
        }
        if queue.has_newer(&job) {
            let _ = reply.send(Answer::Superseded);
            return ticket;
        }
        queue.supersede(&job.request.document);
        if let Some(running) = queue.running.as_mut().filter(|running| running.warming) {
            running.cancel.cancel();
        }
        queue
            .warm
            .retain(|warm| warm.request.document != job.request.document);
        queue.jobs.push_back(Waiting {
            job,
            cancel,
            reply,
            submitted: Instant::now(),
        });
        drop(queue);
        self.shared.wake.notify_one();
        ticket
    }

    /// Queues warming of a document's session; the newest of a document replaces older.
    pub fn warm(&self, engine: Arc<dyn Engine>, request: EngineRequest) {
        let mut queue = self.shared.lock();
        if queue.shutdown
            || queue
                .jobs
                .iter()
                .any(|w| w.job.request.document == request.document)
        {
            return;
        }
        queue
            .warm
            .retain(|warm| warm.request.document != request.document);
        if queue.warm.len() >= WARM_LIMIT {
            queue.warm.pop_front();
        }
        queue.warm.push_back(Warming { engine, request });
        drop(queue);
        self.shared.wake.notify_one();
    }

    /// Queues work for when nothing else waits; it may be dropped.
    pub fn when_idle(&self, document: String, work: IdleWork) {
        let mut queue = self.shared.lock();
        if queue.shutdown {
            return;
        }
        if queue.idle.len() == IDLE_LIMIT {
            queue.idle.pop_front();
        }
        queue.idle.push_back(Idle { document, work });
        drop(queue);
        self.shared.wake.notify_one();
    }

    /// The exact prompt of a request by an arm's engine, once the thread is free; waits for it.
    ///
    /// # Errors
    /// As [`Engine::render`], or where the engine is not there.
    pub async fn render(
        &self,
        engine: Arc<dyn Engine>,
        request: EngineRequest,
    ) -> Result<RenderedPrompt, EngineError> {
        let (sender, receiver) = oneshot::channel();
        let inspection: Inspection = Box::new(move || {
            let _ = sender.send(engine.render(&request));
        });
        self.inspect(inspection);
        let gone = || EngineError::Load("the engine is not running".into());
        receiver.await.map_err(|_| gone())?
    }

    /// Queues an inspection; at shutdown it is dropped, and with it who would answer.
    fn inspect(&self, inspection: Inspection) {
        let mut queue = self.shared.lock();
        if !queue.shutdown {
            queue.inspections.push_back(inspection);
        }
        drop(queue);
        self.shared.wake.notify_one();
    }

    /// Frees what the engine keeps for a closed document and stops work for it.
    pub fn forget(&self, document: &str) {
        let mut queue = self.shared.lock();
        queue.supersede(document);
        queue.warm.retain(|warm| warm.request.document != document);
        queue.closed_documents.push(document.to_owned());
        drop(queue);
        self.shared.wake.notify_one();
    }

    /// Stops the thread: everything that waits is answered as cancelled.
    pub fn close(&self) {
        let mut queue = self.shared.lock();
        queue.shutdown = true;
        queue.warm.clear();
        queue.idle.clear();
        queue.inspections.clear();
        if let Some(running) = &queue.running {
            running.cancel.cancel();
        }
        for waiting in queue.jobs.drain(..) {
            let _ = waiting.reply.send(Answer::Cancelled);
        }
        drop(queue);
        self.shared.wake.notify_all();
    }
}

fn run(shared: &Shared, loader: Loader) {
    let served = catch_unwind(AssertUnwindSafe(|| {
        let lineup = EngineState::Ready(Arc::new(loader(None)?));
        shared.state.send_replace(lineup);
        serve(shared);
        Ok(())
    }));
    if let Err(error) = served.unwrap_or(Err(EngineError::Panicked)) {
        tracing::error!(%error, "there is no engine any more");
        shared
            .state
            .send_replace(EngineState::Failed(error.to_string()));
        refuse_all(shared, &error);
    }
}

/// Serves until the end. A panic in one work is caught there, and one elsewhere ends the engine.
fn serve(shared: &Shared) {
    let lineup = || match &*shared.state.borrow() {
        EngineState::Ready(lineup) => Some(Arc::clone(lineup)),
        EngineState::Loading | EngineState::Failed(_) => None,
    };
    loop {
        match shared.next_step() {
            Step::Complete(waiting) => complete(shared, waiting),
            Step::Inspect(inspection) => {
                let _ = catch_unwind(AssertUnwindSafe(inspection));
            }
            Step::Warm(warming, cancel) => warm(&warming, &cancel),
            Step::Idle(work, cancel) => {
                if catch_unwind(AssertUnwindSafe(|| work(&cancel))).is_err() {
                    tracing::warn!("work for an idle time panicked");
                }
            }
            Step::Forget(documents) => {
                for slot in lineup().iter().flat_map(|it| it.slots()) {
                    documents.iter().for_each(|it| slot.engine.forget(it));
                }
            }
            Step::End => return,
        }
    }
}

fn warm(Warming { engine, request }: &Warming, cancel: &CancelToken) {
    match catch_unwind(AssertUnwindSafe(|| engine.warm(request, cancel))) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "warming a session failed"),
        Err(_) => tracing::warn!("warming a session panicked"),
    }
}

/// Without an engine every job is answered by the reason.
fn refuse_all(shared: &Shared, error: &EngineError) {
    loop {
        match shared.next_step() {
            Step::Complete(waiting) => {
                let _ = waiting.reply.send(Answer::Failed(error.clone()));
            }
            Step::Inspect(_) | Step::Warm(..) | Step::Idle(..) | Step::Forget(_) => {}
            Step::End => return,
        }
    }
}

fn complete(shared: &Shared, waiting: Waiting) {
    let queued = waiting.submitted.elapsed();
    let result = samples(&waiting);
    let superseded = shared
        .lock()
        .running
        .as_ref()
        .is_some_and(|running| running.superseded);
    let answer = match result {
        _ if superseded => Answer::Superseded,
        Ok(samples) if samples.is_empty() || waiting.cancel.is_cancelled() => Answer::Cancelled,
        Ok(samples) => Answer::Done { samples, queued },
        Err(error) => Answer::Failed(error),
    };
    let _ = waiting.reply.send(answer);
}

/// The first sample, and the alternatives that came in time. What goes wrong with an
/// alternative costs the alternatives alone.
fn samples(waiting: &Waiting) -> Result<Vec<Generated>, EngineError> {
    let mut request = waiting.job.request.clone();
    let first = sample(waiting, &request)?;
    if first.stop == StopReason::Cancelled {
        return Ok(Vec::new());
    }
    let mut samples = vec![first];
    let until = Instant::now() + waiting.job.alternatives_within;
    request.deadline = Some(
        request
            .deadline
            .map_or(until, |deadline| deadline.min(until)),
    );
    for sampling in &waiting.job.alternatives {
        request.sampling = *sampling;
        match sample(waiting, &request) {
            Ok(next) if !matches!(next.stop, StopReason::Cancelled | StopReason::Deadline) => {
                samples.push(next);
            }
            Ok(_) => break,
            Err(error) => {
                tracing::warn!(%error, "an alternative failed");
                break;
            }
        }
    }
    Ok(samples)
}

/// One sample; a panic is an error like any other.
fn sample(waiting: &Waiting, request: &EngineRequest) -> Result<Generated, EngineError> {
    catch_unwind(AssertUnwindSafe(|| {
        let mut stop = (waiting.job.make_stop)();
        waiting
            .job
            .engine
            .complete(request, &waiting.cancel, &mut *stop)
    }))
    .unwrap_or(Err(EngineError::Panicked))
}
