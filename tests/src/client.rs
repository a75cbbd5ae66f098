//! An editor's side of the protocol.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::binaries::binaries;
use crate::script::{Event, Script, events};

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
    /// Starts a server with a scripted engine, without a handshake.
    ///
    /// # Panics
    /// Where the process cannot be started.
    pub fn spawn(script: &Script) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let file = write_script(home.path(), script);
        let mut command = Command::new(&binaries().truefill);
        command
            .arg("serve")
            .arg("--engine")
            .arg(format!("scripted:{}", file.display()));
        Self::run(command, home)
    }

    /// Gives the engine that is opened next another script.
    ///
    /// # Panics
    /// Where it cannot be written.
    pub fn rewrite(&self, script: &Script) {
        write_script(self.home.path(), script);
    }

    pub(crate) fn run(mut command: Command, home: tempfile::TempDir) -> Self {
        command
            .env("TRUEFILL_HOME", home.path())
            .env_remove("TRUEFILL_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the server can be started");
        let (sender, messages) = channel();
        let mut output = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        std::thread::spawn(move || {
            while let Some(message) = read_message(&mut output) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let stderr = Arc::new(Mutex::new(String::new()));
        let collected = Arc::clone(&stderr);
        let errors = BufReader::new(child.stderr.take().expect("stderr is a pipe"));
        std::thread::spawn(move || {
            for line in errors.split(b'\n').map_while(Result::ok) {
                let mut text = collected.lock().expect("nobody panics with the lock");
                text.push_str(&String::from_utf8_lossy(&line));
                text.push('\n');
            }
        });
        Self {
            stdin: child.stdin.take(),
            child,
            messages,
            stderr,
            home,
            asked: BTreeSet::new(),
            answers: BTreeMap::new(),
            null_answers: Vec::new(),
            notifications: Vec::new(),
            next_id: 1,
            panics_expected: false,
            forgiving: false,
            patience: PATIENCE,
        }
    }

    /// Starts a server with a scripted engine and performs the handshake; positions count
    /// UTF-16.
    pub fn start(script: &Script) -> Self {
        Self::start_with(script, json!({}))
    }

    /// As [`Server::start`], with parameters of `initialize` that replace the usual ones.
    ///
    /// # Panics
    /// Where the server refuses.
    pub fn start_with(script: &Script, params: Value) -> Self {
        let mut server = Self::spawn(script);
        server
            .initialize(params)
            .expect("the server accepts the handshake");
        server
    }

    /// The handshake.
    ///
    /// # Errors
    /// The server's refusal.
    pub fn initialize(&mut self, params: Value) -> Result<Value, ErrorObject> {
        let mut all = json!({
            "processId": std::process::id(), "rootUri": null,
            "capabilities": { "textDocument": { "inlineCompletion": {} } },
            // A test that wants the delay sets it; the others should not wait.
            "initializationOptions": { "suggest": { "delay_min_ms": 0, "delay_max_ms": 0 } },
        });
        if let (Value::Object(all), Value::Object(params)) = (&mut all, params) {
            all.extend(params);
        }
        let result = self.call("initialize", all)?;
        self.notify("initialized", json!({}));
        Ok(result)
    }

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

    /// Waits until the engine is ready.
    pub fn wait_ready(&mut self) {
        self.notification("truefill/status", |status| status["kind"] == "Normal");
    }

    /// Opens a document.
    pub fn open(&mut self, uri: &str, language: &str, text: &str) {
        let document = json!({ "uri": uri, "languageId": language, "version": 1, "text": text });
        self.notify("textDocument/didOpen", json!({ "textDocument": document }));
    }

    /// Changes a document.
    pub fn change(&mut self, uri: &str, version: i32, changes: &[Value]) {
        let document = json!({ "uri": uri, "version": version });
        let params = json!({ "textDocument": document, "contentChanges": changes });
        self.notify("textDocument/didChange", params);
    }

    /// Asks for suggestions and gives the request's id.
    pub fn ask(&mut self, uri: &str, position: Value, invoked: bool) -> i64 {
        let params = json!({
            "textDocument": { "uri": uri }, "position": position,
            "context": { "triggerKind": if invoked { 1 } else { 2 } },
        });
        self.request("textDocument/inlineCompletion", params)
    }

    /// Waits for the items of a request for suggestions.
    ///
    /// # Panics
    /// Where the answer is an error or no list.
    pub fn items(&mut self, id: i64) -> Vec<Value> {
        let result = self.answer(id).expect("suggestions are no error");
        result["items"]
            .as_array()
            .expect("the answer is a list")
            .clone()
    }

    /// A document as the server holds it.
    pub fn text(&mut self, uri: &str) -> Option<String> {
        let params = json!({ "textDocument": { "uri": uri } });
        let result = self
            .call("truefill/text", params)
            .expect("the server tells its text");
        result["text"].as_str().map(str::to_owned)
    }

    /// What the engine recorded so far.
    pub fn events(&self) -> Vec<Event> {
        events(&self.home.path().join("record.jsonl"))
    }

    /// Waits until the engine recorded something that fits.
    ///
    /// # Panics
    /// Where it does not in time.
    pub fn event(&self, fits: impl Fn(&Event) -> bool) -> Event {
        let deadline = Instant::now() + self.patience;
        loop {
            if let Some(event) = self.events().into_iter().find(|event| fits(event)) {
                return event;
            }
            assert!(
                Instant::now() < deadline,
                "the engine recorded {:?}",
                self.events()
            );
            std::thread::sleep(Duration::from_millis(2));
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

    /// Where the script and the record are.
    pub fn record(&self) -> PathBuf {
        self.home.path().join("record.jsonl")
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

fn write_script(home: &Path, script: &Script) -> PathBuf {
    let file = home.join("script.json");
    let json = script.to_json(&home.join("record.jsonl"));
    std::fs::write(&file, json.to_string()).expect("the script can be written");
    file
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

fn read_message(reader: &mut impl BufRead) -> Option<Value> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            field => {
                let value = field.strip_prefix("Content-Length: ");
                length = value.and_then(|value| value.parse().ok()).or(length);
            }
        }
    }
    let mut body = vec![0; length?];
    reader.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}
