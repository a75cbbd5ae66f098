//! How a server ends.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Server;

/// How a server ended.
#[derive(Debug)]
pub struct Exit {
    /// Its status.
    pub status: ExitStatus,
    /// Everything it wrote to stderr.
    pub stderr: String,
    /// From the call until it was gone.
    pub took: Duration,
}

impl Server {
    /// Closes the server's stdin.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Shuts down as the protocol says.
    ///
    /// # Panics
    /// Where the server does not answer or does not end.
    pub fn shut_down(mut self) -> Exit {
        self.call("shutdown", Value::Null)
            .expect("shutdown succeeds");
        self.notify("exit", Value::Null);
        let exit = self.wait();
        assert!(
            exit.status.success(),
            "{:?}; stderr: {}",
            exit.status,
            exit.stderr
        );
        exit
    }

    /// Waits for the server's end.
    ///
    /// # Panics
    /// Where it does not end in time.
    pub fn wait(&mut self) -> Exit {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self
                .child
                .try_wait()
                .expect("the process can be waited for")
            {
                break status;
            }
            let deadline = Instant::now() + Duration::from_millis(5);
            self.pump(deadline);
            assert!(
                start.elapsed() < self.patience,
                "the server did not end: {}",
                self.stderr()
            );
        };
        let took = start.elapsed();
        // What is left in the pipes comes still.
        while self.pump(Instant::now() + Duration::from_millis(100)) {}
        Exit {
            status,
            stderr: self.stderr(),
            took,
        }
    }
}
