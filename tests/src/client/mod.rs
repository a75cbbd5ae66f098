//! An editor's side of the protocol: requests and notifications out, answers filed by their ids.

mod editor;
mod end;
mod start;

pub use end::Exit;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Time after which a test that waits has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorObject {
    /// The code.
    pub code: i64,
    /// The message.
    pub message: String,
}

/// A server process and the client's state.
pub struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    messages: Receiver<Value>,
    stderr: Arc<Mutex<String>>,
    home: tempfile::TempDir,
    asked: BTreeSet<i64>,
    answers: BTreeMap<i64, Value>,
    null_answers: Vec<Value>,
    notifications: Vec<Value>,
    next_id: i64,
    panics_expected: bool,
    forgiving: bool,
    patience: Duration,
}

/// A message as it stands in the stream.
pub fn frame(message: &Value) -> Vec<u8> {
    let body = message.to_string();
    format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

impl Server {
    /// The process's id.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// The folder with the server's files.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Waits at most so long from now on.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// A panic of the server is part of the test.
    pub fn expect_panics(&mut self) {
        self.panics_expected = true;
    }

    /// Answers are not looked at from now on: a damaged stream can make any number of them.
    pub fn forgive(&mut self) {
        self.forgiving = true;
    }

    /// Writes bytes as they are. A server that does not read any more is no error here.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin.write_all(bytes).and_then(|()| stdin.flush());
        }
    }

    /// Sends a request and gives its id; the answer must be looked at later.
    pub fn request(&mut self, method: &str, params: Value) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        self.asked.insert(id);
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.send_raw(&frame(&message));
        id
    }

    /// Sends a notification.
    pub fn notify(&mut self, method: &str, params: Value) {
        self.send_raw(&frame(
            &json!({ "jsonrpc": "2.0", "method": method, "params": params }),
        ));
    }

    /// Cancels a request.
    pub fn cancel(&mut self, id: i64) {
        self.notify("$/cancelRequest", json!({ "id": id }));
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// An error answer.
    pub fn call(&mut self, method: &str, params: Value) -> Result<Value, ErrorObject> {
        let id = self.request(method, params);
        self.answer(id)
    }

    /// Waits for an answer.
    ///
    /// # Errors
    /// An error answer.
    ///
    /// # Panics
    /// Where it does not come in time.
    pub fn answer(&mut self, id: i64) -> Result<Value, ErrorObject> {
        let deadline = Instant::now() + self.patience;
        while !self.answers.contains_key(&id) {
            assert!(
                self.pump(deadline),
                "no answer to {id}; stderr: {}",
                self.stderr()
            );
        }
        let message = self.answers.remove(&id).unwrap_or_default();
        match message.get("error") {
            Some(error) => Err(error_object(error)),
            None => Ok(message["result"].clone()),
        }
    }

    /// Waits for an error that names no request.
    ///
    /// # Panics
    /// Where none comes in time.
    pub fn null_answer(&mut self) -> ErrorObject {
        let deadline = Instant::now() + self.patience;
        while self.null_answers.is_empty() {
            assert!(
                self.pump(deadline),
                "no error came; stderr: {}",
                self.stderr()
            );
        }
        error_object(&self.null_answers.remove(0)["error"])
    }

    /// Errors that named no request and that nobody waited for; they count as looked at.
    pub fn take_null_answers(&mut self) -> Vec<ErrorObject> {
        while self.pump(Instant::now()) {}
        self.null_answers
            .drain(..)
            .map(|answer| error_object(&answer["error"]))
            .collect()
    }

    /// Waits for a notification and gives its parameters.
    ///
    /// # Panics
    /// Where it does not come in time.
    pub fn notification(&mut self, method: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + self.patience;
        loop {
            let found = self
                .notifications
                .iter()
                .position(|message| message["method"] == method && fits(&message["params"]));
            if let Some(at) = found {
                return self.notifications.remove(at)["params"].clone();
            }
            assert!(
                self.pump(deadline),
                "no `{method}` came; stderr: {}",
                self.stderr()
            );
        }
    }

    /// Everything on stderr so far.
    ///
    /// # Panics
    /// Never.
    pub fn stderr(&self) -> String {
        self.stderr
            .lock()
            .expect("nobody panics with the lock")
            .clone()
    }

    /// Takes one message; false where none came until the deadline.
    fn pump(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.messages.recv_timeout(left) {
            Ok(message) => {
                self.file(message);
                true
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => false,
        }
    }

    fn file(&mut self, message: Value) {
        assert_eq!(message["jsonrpc"], "2.0", "no JSON-RPC: {message}");
        if message.get("method").is_some() {
            if let Some(id) = message.get("id") {
                let answer = json!({ "jsonrpc": "2.0", "id": id, "result": null });
                self.send_raw(&frame(&answer));
            }
            self.notifications.push(message);
        } else if message["id"].is_null() {
            self.null_answers.push(message);
        } else {
            let id = message["id"].as_i64();
            if self.forgiving && id.is_none() {
                return;
            }
            let id = id.expect("ids are the numbers that were sent");
            let asked = self.asked.remove(&id);
            assert!(asked || self.forgiving, "an answer too many: {message}");
            self.answers.insert(id, message);
        }
    }

    fn check_at_end(&mut self) {
        while self.pump(Instant::now()) {}
        if !self.forgiving {
            let (answers, nulls) = (&self.answers, &self.null_answers);
            assert!(
                answers.is_empty(),
                "answers that nobody looked at: {answers:?}"
            );
            assert!(nulls.is_empty(), "errors that nobody looked at: {nulls:?}");
        }
        let stderr = self.stderr();
        assert!(
            self.panics_expected || !stderr.contains("panicked"),
            "{stderr}"
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            self.check_at_end();
        }
    }
}

fn error_object(error: &Value) -> ErrorObject {
    ErrorObject {
        code: error["code"].as_i64().expect("an error has a code"),
        message: error["message"]
            .as_str()
            .expect("an error has a message")
            .to_owned(),
    }
}
