//! The engine thread's queue: who waits, who wins, who gives way.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use truefill_server::engine::lineup::Lineup;
use truefill_server::engine::{
    Answer, CancelToken, Engine, EngineError, EngineHandle, EngineInfo, EngineKind, EngineRequest,
    EngineState, EngineThread, Flow, Generated, Job, RenderedPrompt, Sampling, StopReason, Ticket,
};

/// Seed of a sample that fails, and of one that panics.
const FAILS: u64 = 98;
const PANICS: u64 = 99;

/// An engine that reports what it begins and goes on only when it is told to.
struct Gated {
    name: &'static str,
    begun: Sender<String>,
    go: Mutex<Receiver<()>>,
    warmed: Sender<String>,
}

impl Engine for Gated {
    fn info(&self) -> EngineInfo {
        EngineInfo {
            checkpoint: self.name.into(),
            format: "none".into(),
            format_version: 1,
            device: "test".into(),
            kind: EngineKind::Scripted,
        }
    }

    fn complete(
        &self,
        request: &EngineRequest,
        cancel: &CancelToken,
        on_text: &mut dyn FnMut(&str) -> Flow,
    ) -> Result<Generated, EngineError> {
        assert_ne!(request.prefix, "panic", "asked to panic");
        let seed = request.sampling.seed;
        assert_ne!(seed, PANICS, "asked to panic");
        if seed == FAILS {
            return Err(EngineError::Backend("too many requests".into()));
        }
        self.begun
            .send(format!("{} {seed}", request.prefix))
            .unwrap();
        let go = self.go.lock().unwrap();
        let mut stop = StopReason::StopToken(0);
        while go.recv_timeout(Duration::from_millis(1)).is_err() {
            if cancel.is_cancelled() {
                stop = StopReason::Cancelled;
                break;
            }
            if request.deadline.is_some_and(|end| Instant::now() >= end) {
                stop = StopReason::Deadline;
                break;
            }
        }
        on_text(&request.prefix);
        Ok(Generated {
            prompt: Vec::new(),
            text: request.prefix.clone(),
            tokens: Vec::new(),
            logprobs: Vec::new(),
            stop,
            prompt_tokens: None,
            cached_tokens: None,
            completion_tokens: None,
            render: Duration::ZERO,
            prefill: Duration::ZERO,
            first_token: Duration::ZERO,
            decode: Duration::ZERO,
            prompt_sha256: String::new(),
        })
    }

    fn warm(&self, request: &EngineRequest, cancel: &CancelToken) -> Result<(), EngineError> {
        self.begun.send(format!("warm {}", request.prefix)).unwrap();
        let go = self.go.lock().unwrap();
        while go.recv_timeout(Duration::from_millis(1)).is_err() {
            if cancel.is_cancelled() {
                return Ok(());
            }
        }
        self.warmed.send(request.prefix.clone()).unwrap();
        Ok(())
    }

    fn forget(&self, document: &str) {
        assert_ne!(document, "panic", "asked to panic");
    }

    fn render(&self, request: &EngineRequest) -> Result<RenderedPrompt, EngineError> {
        let text = request.prefix.clone();
        Ok(RenderedPrompt {
            text,
            tokens: 1,
            sha256: String::new(),
        })
    }
}

struct Bench {
    thread: EngineThread,
    begun: Receiver<String>,
    go: Sender<()>,
    warmed: Receiver<String>,
}

/// An engine, what it reports, and how it is told to go on.
fn gated(name: &'static str) -> (Gated, Receiver<String>, Sender<()>, Receiver<String>) {
    let (begun_sender, begun) = channel();
    let (go, go_receiver) = channel();
    let (warmed_sender, warmed) = channel();
    let engine = Gated {
        name,
        begun: begun_sender,
        go: Mutex::new(go_receiver),
        warmed: warmed_sender,
    };
    (engine, begun, go, warmed)
}

fn bench() -> Bench {
    let (engine, begun, go, warmed) = gated("gated");
    let lineup = Lineup::single(Arc::new(engine));
    let thread = EngineThread::spawn(Box::new(move |_| Ok(lineup))).unwrap();
    Bench {
        thread,
        begun,
        go,
        warmed,
    }
}

fn request(document: &str, prefix: &str) -> EngineRequest {
    EngineRequest {
        document: document.into(),
        prefix: prefix.into(),
        suffix: String::new(),
        path: None,
        repo: None,
        chunks: Vec::new(),
        window_tokens: 64,
        suffix_share: 0.25,
        max_new_tokens: 8,
        sampling: Sampling::GREEDY,
        deadline: None,
    }
}

fn submit(handle: &EngineHandle, sequence: u64, document: &str, prefix: &str) -> Ticket {
    submit_to(&served(handle), handle, sequence, document, prefix)
}

/// The engine that is served; any one where it could not be opened.
fn served(handle: &EngineHandle) -> Arc<dyn Engine> {
    loop {
        match handle.state() {
            EngineState::Ready(lineup) => return Arc::clone(&lineup.first().engine),
            EngineState::Failed(_) => return Arc::new(gated("none").0),
            EngineState::Loading => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn submit_to(
    engine: &Arc<dyn Engine>,
    handle: &EngineHandle,
    sequence: u64,
    document: &str,
    prefix: &str,
) -> Ticket {
    handle.submit(Job {
        sequence,
        engine: Arc::clone(engine),
        request: request(document, prefix),
        alternatives: Vec::new(),
        alternatives_within: Duration::ZERO,
        make_stop: Box::new(|| Box::new(|_| Flow::Continue)),
    })
}

impl Bench {
    fn handle(&self) -> EngineHandle {
        self.thread.handle()
    }

    fn next(&self) -> String {
        self.begun
            .recv_timeout(Duration::from_secs(10))
            .expect("the engine begins something")
    }

    fn go(&self) {
        self.go.send(()).unwrap();
    }
}

fn done(ticket: Ticket) -> String {
    match futures::executor::block_on(ticket.wait()) {
        Answer::Done { samples, .. } => samples
            .iter()
            .map(|sample| sample.text.as_str())
            .collect::<Vec<_>>()
            .join(" "),
        other => format!("{other:?}"),
    }
}

#[test]
fn the_newest_request_of_a_document_wins() {
    let bench = bench();
    let handle = bench.handle();
    let running = submit(&handle, 1, "a", "one");
    assert_eq!(bench.next(), "one 0");
    let waiting = submit(&handle, 2, "a", "two");
    let other = submit(&handle, 3, "b", "other");
    let newest = submit(&handle, 4, "a", "three");
    assert_eq!(done(running), "Superseded");
    assert_eq!(done(waiting), "Superseded");
    assert_eq!(bench.next(), "other 0");
    bench.go();
    assert_eq!(done(other), "other");
    assert_eq!(bench.next(), "three 0");
    bench.go();
    assert_eq!(done(newest), "three");
}

#[test]
fn an_older_request_that_comes_late_does_not_take_the_place_of_a_newer() {
    let bench = bench();
    let handle = bench.handle();
    let newer = submit(&handle, 2, "a", "newer");
    assert_eq!(bench.next(), "newer 0");
    assert_eq!(done(submit(&handle, 1, "a", "older")), "Superseded");
    bench.go();
    assert_eq!(done(newer), "newer");
}

#[test]
fn a_dropped_ticket_stops_the_work() {
    let bench = bench();
    let handle = bench.handle();
    let ticket = submit(&handle, 1, "a", "one");
    assert_eq!(bench.next(), "one 0");
    drop(ticket);
    let next = submit(&handle, 2, "b", "two");
    assert_eq!(bench.next(), "two 0");
    bench.go();
    assert_eq!(done(next), "two");
}

#[test]
fn warming_gives_way_and_the_last_document_comes_first() {
    let bench = bench();
    let handle = bench.handle();
    handle.warm(served(&handle), request("a", "first"));
    assert_eq!(bench.next(), "warm first");
    handle.warm(served(&handle), request("b", "old"));
    handle.warm(served(&handle), request("c", "second"));
    handle.warm(served(&handle), request("b", "new"));
    let ticket = submit(&handle, 1, "d", "asked");
    assert_eq!(bench.next(), "asked 0");
    bench.go();
    assert_eq!(done(ticket), "asked");
    assert_eq!(bench.next(), "warm new");
    bench.go();
    assert_eq!(bench.next(), "warm second");
    bench.go();
    let warmed: Vec<String> = bench.warmed.iter().take(2).collect();
    assert_eq!(warmed, ["new", "second"]);
}

fn with_alternatives(bench: &Bench, seeds: &[u64], within: Duration) -> Ticket {
    let sampled = |seed: &u64| Sampling {
        temperature: 0.5,
        top_p: 0.9,
        seed: *seed,
    };
    bench.handle().submit(Job {
        sequence: 1,
        engine: served(&bench.handle()),
        request: request("a", "x"),
        alternatives: seeds.iter().map(sampled).collect(),
        alternatives_within: within,
        make_stop: Box::new(|| Box::new(|_| Flow::Continue)),
    })
}

#[test]
fn alternatives_follow_the_first_sample_and_stop_with_the_job() {
    let bench = bench();
    let ticket = with_alternatives(&bench, &[7, 8], Duration::from_secs(60));
    for expected in ["x 0", "x 7", "x 8"] {
        assert_eq!(bench.next(), expected);
        bench.go();
    }
    assert_eq!(done(ticket), "x x x");
}

#[test]
fn an_alternative_that_goes_wrong_or_comes_late_costs_the_alternatives_alone() {
    for (seeds, within, begun) in [
        ([FAILS, 7], 60_000, vec!["x 0"]),
        ([PANICS, 7], 60_000, vec!["x 0"]),
        ([7, 8], 5, vec!["x 0", "x 7"]),
    ] {
        let bench = bench();
        let ticket = with_alternatives(&bench, &seeds, Duration::from_millis(within));
        for (index, expected) in begun.into_iter().enumerate() {
            assert_eq!(bench.next(), expected);
            // The late one is not let go: it ends by its deadline.
            if index == 0 {
                bench.go();
            }
        }
        assert_eq!(done(ticket), "x", "{seeds:?}");
    }
}

#[test]
fn a_panic_is_an_answer_and_the_thread_goes_on() {
    let bench = bench();
    let handle = bench.handle();
    assert_eq!(done(submit(&handle, 1, "a", "panic")), "Failed(Panicked)");
    let ticket = submit(&handle, 2, "a", "fine");
    assert_eq!(bench.next(), "fine 0");
    bench.go();
    assert_eq!(done(ticket), "fine");
}

#[test]
fn an_engine_that_panics_outside_of_a_work_is_known_to_be_gone() {
    let bench = bench();
    let handle = bench.handle();
    handle.forget("panic");
    assert_eq!(done(submit(&handle, 1, "a", "x")), "Failed(Panicked)");
    assert!(matches!(handle.state(), EngineState::Failed(_)));
    handle.close();
    assert_eq!(done(submit(&handle, 2, "a", "late")), "Cancelled");
}

#[test]
fn closing_answers_everyone() {
    let bench = bench();
    let handle = bench.handle();
    let running = submit(&handle, 1, "a", "one");
    assert_eq!(bench.next(), "one 0");
    let waiting = submit(&handle, 2, "b", "two");
    handle.close();
    assert_eq!(done(waiting), "Cancelled");
    assert_eq!(done(running), "Cancelled");
    assert_eq!(done(submit(&handle, 3, "a", "late")), "Cancelled");
}

#[test]
fn an_engine_that_cannot_be_opened_refuses_with_its_reason() {
    let reason = EngineError::Load("no such model".into());
    let refuse = reason.clone();
    let thread = EngineThread::spawn(Box::new(move |_| Err(refuse))).unwrap();
    let handle = thread.handle();
    assert_eq!(
        done(submit(&handle, 1, "a", "x")),
        format!("Failed({reason:?})")
    );
    assert_eq!(handle.state(), EngineState::Failed("no such model".into()));
    let panicking = EngineThread::spawn(Box::new(|_| panic!("while loading"))).unwrap();
    assert_eq!(
        done(submit(&panicking.handle(), 1, "a", "x")),
        "Failed(Panicked)"
    );
}

#[test]
fn what_is_under_way_ends_on_the_engine_that_it_was_assigned() {
    let bench = bench();
    let handle = bench.handle();
    let running = submit(&handle, 1, "a", "one");
    assert_eq!(bench.next(), "one 0");
    let waiting = submit(&handle, 2, "b", "two");
    handle.warm(served(&handle), request("c", "old"));
    let (new, begun, go, _warmed) = gated("new");
    let old = Arc::downgrade(&served(&handle));
    handle.replace(Lineup::single(Arc::new(new)));
    let first = handle.lineup().unwrap().first().info.checkpoint.clone();
    assert_eq!(first, "new", "from now on");
    let next = submit(&handle, 3, "c", "three");
    bench.go();
    assert_eq!(done(running), "one");
    assert_eq!(bench.next(), "two 0");
    bench.go();
    assert_eq!(done(waiting), "two");
    assert_eq!(
        begun.recv_timeout(Duration::from_secs(10)).unwrap(),
        "three 0"
    );
    go.send(()).unwrap();
    assert_eq!(done(next), "three");
    // Nobody warms or keeps the old one any more; its last job is dropped by the thread.
    let until = Instant::now() + Duration::from_secs(10);
    while old.strong_count() > 0 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(old.strong_count(), 0);
    assert!(bench.begun.try_recv().is_err());
}
