//! How a server is started and greeted.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{ErrorObject, PATIENCE, Server};
use crate::binaries::binaries;
use crate::script::Script;

impl Server {
    /// Starts a server with a scripted engine, without a handshake.
    ///
    /// # Panics
    /// Where the process cannot be started.
    pub fn spawn(script: &Script) -> Self {
        Self::spawn_at(script, tempfile::tempdir().expect("a temporary folder"))
    }

    /// As [`Server::spawn`], with a home in which something may be set up.
    ///
    /// # Panics
    /// Where the process cannot be started.
    pub fn spawn_at(script: &Script, home: tempfile::TempDir) -> Self {
        let file = write_script(home.path(), script);
        let mut command = Command::new(&binaries().truefill);
        command
            .arg("serve")
            .arg("--engine")
            .arg(format!("scripted:{}", file.display()));
        if let Some(factor) = script.hurry {
            command.args(["--hurry", &factor.to_string()]);
        }
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
}

fn write_script(home: &Path, script: &Script) -> PathBuf {
    let file = home.join("script.json");
    let json = script.to_json(&home.join("record.jsonl"));
    std::fs::write(&file, json.to_string()).expect("the script can be written");
    file
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
