//! The thread that owns the database.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use super::LedgerError;
use crate::api::Nanos;

/// Requests that share a transaction at most.
const GROUP: usize = 256;

/// What the thread works on.
pub(super) struct Desk {
    pub connection: Connection,
    pub budget: Option<Nanos>,
    /// Spent in all runs, what is lost included.
    pub spent: Nanos,
    /// Reserved by attempts under way, which end within minutes.
    pub reserved: Nanos,
    /// Reserved by batches, which take a day.
    pub in_batches: Nanos,
    /// Counts settled attempts, for those that wait for money.
    pub settled: watch::Sender<u64>,
    _lock: File,
}

/// Tells the asker, once the transaction is on the disk or has failed.
type Tell = Box<dyn FnOnce(Result<(), LedgerError>) + Send>;
type Job = Box<dyn FnOnce(&mut Desk) -> rusqlite::Result<Tell> + Send>;

/// The thread's end for askers.
pub(super) struct Worker {
    path: PathBuf,
    /// Changes with every settled attempt.
    pub settled: watch::Receiver<u64>,
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Worker {
    pub(super) fn start(
        path: &Path,
        connection: Connection,
        lock: File,
        budget: Option<Nanos>,
    ) -> Result<Self, LedgerError> {
        let broken = |problem: String| LedgerError::Broken {
            path: path.to_owned(),
            problem,
        };
        let spent =
            super::calls::recover(&connection).map_err(|error| broken(error.to_string()))?;
        let in_batches =
            super::batches::reserved(&connection).map_err(|error| broken(error.to_string()))?;
        let settled = watch::Sender::new(0);
        let desk = Desk {
            connection,
            budget,
            spent,
            reserved: 0,
            in_batches,
            settled: settled.clone(),
            _lock: lock,
        };
        let (jobs, waiting) = mpsc::channel();
        let settled = settled.subscribe();
        let name = path.to_owned();
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || serve(desk, &name, &waiting))
            .map_err(|error| broken(error.to_string()))?;
        Ok(Self {
            path: path.to_owned(),
            settled,
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Runs `work` in the thread; its result comes when it is on the disk.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Desk) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (answer, answered) = oneshot::channel();
        self.post(Box::new(move |desk| {
            let result = work(desk)?;
            Ok(Box::new(move |written: Result<(), LedgerError>| {
                // An asker that is gone needs no answer.
                let _ = answer.send(written.map(|()| result));
            }))
        }));
        // Without an answer the thread has ended, as it does after an error.
        answered.await.unwrap_or_else(|_| Err(self.ended()))
    }

    /// Runs `work` in the thread without waiting for it.
    pub(super) fn post(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // A thread that ended tells its next asker why.
            let _ = jobs.send(job);
        }
    }

    /// Runs `work` without an asker.
    pub(super) fn tell(
        &self,
        work: impl FnOnce(&mut Desk) -> rusqlite::Result<()> + Send + 'static,
    ) {
        self.post(Box::new(move |desk| {
            work(desk)?;
            Ok(Box::new(|_| {}))
        }));
    }

    fn ended(&self) -> LedgerError {
        LedgerError::Broken {
            path: self.path.clone(),
            problem: "an earlier write failed; nothing is asked without a ledger".to_owned(),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic in the thread was reported by the panic hook.
            let _ = thread.join();
        }
    }
}

fn serve(mut desk: Desk, path: &Path, waiting: &mpsc::Receiver<Job>) {
    while let Ok(first) = waiting.recv() {
        let mut group = vec![first];
        while group.len() < GROUP
            && let Ok(job) = waiting.try_recv()
        {
            group.push(job);
        }
        if let Err((error, tells)) = transact(&mut desk, group) {
            let error = LedgerError::Broken {
                path: path.to_owned(),
                problem: error.to_string(),
            };
            for tell in tells {
                tell(Err(error.clone()));
            }
            // The figures in memory are ahead of the disk: nothing more may be asked.
            return;
        }
    }
}

fn transact(desk: &mut Desk, group: Vec<Job>) -> Result<(), (rusqlite::Error, Vec<Tell>)> {
    let mut tells = Vec::with_capacity(group.len());
    let run = |desk: &mut Desk, tells: &mut Vec<Tell>| -> rusqlite::Result<()> {
        desk.connection.execute_batch("BEGIN IMMEDIATE")?;
        for job in group {
            tells.push(job(desk)?);
        }
        desk.connection.execute_batch("COMMIT")
    };
    if let Err(error) = run(desk, &mut tells) {
        return Err((error, tells));
    }
    for tell in tells {
        tell(Ok(()));
    }
    Ok(())
}
