//! A completion backend that gives the same answer to all, and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::binaries::binaries;
use crate::client::Server;

/// A llama.cpp server for tests, until the process ends.
pub struct Backend {
    /// Its address.
    pub url: String,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Backend {
    /// A server that completes everything with `text`.
    ///
    /// # Panics
    /// Where the system gives no port.
    pub fn start(text: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let asked = Arc::default();
        let record = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let record = Arc::clone(&record);
                // A client that hangs up is no error here.
                std::thread::spawn(move || answer(&stream, text, &record));
            }
        });
        Self {
            url: format!("http://{address}"),
            asked,
        }
    }

    /// What it was asked so far.
    ///
    /// # Panics
    /// Never.
    pub fn asked(&self) -> Vec<Value> {
        self.asked.lock().expect("nobody panics with it").clone()
    }
}

impl Server {
    /// Starts a server whose engine is the one that its configuration names, without a
    /// handshake.
    ///
    /// # Panics
    /// Where the process cannot be started.
    pub fn with_own_engine() -> Self {
        let mut command = std::process::Command::new(&binaries().truefill);
        command.arg("serve");
        Self::run(command, tempfile::tempdir().expect("a temporary folder"))
    }
}

fn answer(stream: &TcpStream, text: &str, asked: &Mutex<Vec<Value>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim().to_lowercase();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).ok()?;
    asked.lock().ok()?.push(body);
    let reply = json!({ "content": text, "stop": true }).to_string();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
    let mut stream = stream;
    write!(
        stream,
        "{head}Content-Length: {}\r\n\r\n{reply}",
        reply.len()
    )
    .ok()
}
