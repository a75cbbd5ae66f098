//! A small language client over a child process: `demo` and `bench` use the server as an editor
//! does, through its standard input and output.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// A message and when it arrived.
#[derive(Debug)]
pub struct Arrival {
    /// The JSON-RPC message.
    pub message: Value,
    /// When its last byte was read.
    pub at: Instant,
}

/// A running server and its client's side of the protocol.
pub struct Client {
    child: Child,
    input: Option<ChildStdin>,
    arrivals: Receiver<Arrival>,
    next_id: i64,
}

impl Client {
    /// Starts `command` and performs the handshake with these options.
    ///
    /// # Errors
    /// Where the process cannot be started or refuses.
    pub fn start(mut command: Command, root: Option<&str>, options: Value) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let (sender, arrivals) = channel();
        let output = child
            .stdout
            .take()
            .context("the server's output is a pipe")?;
        std::thread::spawn(move || {
            let mut reader = BufReader::new(output);
            while let Ok(Some(message)) = read_message(&mut reader) {
                if sender
                    .send(Arrival {
                        message,
                        at: Instant::now(),
                    })
                    .is_err()
                {
                    return;
                }
            }
        });
        let input = child.stdin.take();
        let mut client = Self {
            child,
            input,
            arrivals,
            next_id: 1,
        };
        let folders = root.map(|uri| json!([{ "uri": uri, "name": "workspace" }]));
        let params = json!({
            "processId": std::process::id(),
            "rootUri": root,
            "workspaceFolders": folders,
            "capabilities": {
                "general": { "positionEncodings": ["utf-8", "utf-16"] },
                "textDocument": { "inlineCompletion": {} }
            },
            "initializationOptions": options,
        });
        let id = client.request("initialize", params)?;
        client
            .wait(id, Duration::from_secs(30))
            .context("the server did not initialize")?;
        client.notify("initialized", json!({}))?;
        Ok(client)
    }

    /// The server's process id.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a request and gives its id.
    ///
    /// # Errors
    /// Where the server is gone.
    pub fn request(&mut self, method: &str, params: Value) -> Result<i64> {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))?;
        Ok(id)
    }

    /// Sends a notification.
    ///
    /// # Errors
    /// Where the server is gone.
    pub fn notify(&mut self, method: &str, params: Value) -> Result<()> {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }))
    }

    /// The next message, within `timeout`. The server's own requests are answered with `null`
    /// and not given out.
    ///
    /// # Errors
    /// Where the server is gone.
    pub fn receive(&mut self, timeout: Duration) -> Result<Option<Arrival>> {
        let end = Instant::now() + timeout;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let arrival = match self.arrivals.recv_timeout(left) {
                Ok(arrival) => arrival,
                Err(RecvTimeoutError::Timeout) => return Ok(None),
                Err(RecvTimeoutError::Disconnected) => bail!("the server ended unexpectedly"),
            };
            let asks = arrival.message.get("method").is_some();
            match arrival.message.get("id") {
                Some(id) if asks => {
                    let answer = json!({ "jsonrpc": "2.0", "id": id, "result": null });
                    self.send(&answer)?;
                }
                _ => return Ok(Some(arrival)),
            }
        }
    }

    /// The result of request `id`; notifications that come before it are dropped.
    ///
    /// # Errors
    /// Where the answer is an error, does not come in time, or the server is gone.
    pub fn wait(&mut self, id: i64, timeout: Duration) -> Result<Value> {
        let end = Instant::now() + timeout;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Some(arrival) = self.receive(left)? else {
                bail!(
                    "no answer to request {id} within {} s",
                    timeout.as_secs_f32()
                );
            };
            if arrival.message.get("id").and_then(Value::as_i64) != Some(id) {
                continue;
            }
            if let Some(error) = arrival.message.get("error") {
                let text = error
                    .get("message")
                    .and_then(Value::as_str)
                    .unwrap_or("no message");
                bail!("the server answered with an error: {text}");
            }
            return Ok(arrival.message.get("result").cloned().unwrap_or_default());
        }
    }

    /// Waits until the model can be asked; gives how long that took.
    ///
    /// # Errors
    /// Where the server says that it cannot, or is gone.
    pub fn wait_ready(&mut self, timeout: Duration) -> Result<Duration> {
        let start = Instant::now();
        while start.elapsed() < timeout {
            let left = timeout.saturating_sub(start.elapsed());
            let Some(arrival) = self.receive(left)? else {
                break;
            };
            if arrival.message["method"] != "truefill/status" {
                continue;
            }
            let status = &arrival.message["params"];
            match status["kind"].as_str() {
                Some("Normal") => return Ok(start.elapsed()),
                Some("Error") => bail!("{}", status["message"].as_str().unwrap_or("no message")),
                _ => {}
            }
        }
        bail!("the model was not ready within {} s", timeout.as_secs())
    }

    /// Ends the server politely and waits for it.
    ///
    /// # Errors
    /// Where it does not end by itself.
    pub fn shutdown(mut self) -> Result<()> {
        let id = self.request("shutdown", Value::Null)?;
        self.wait(id, Duration::from_secs(10))?;
        self.notify("exit", Value::Null)?;
        self.input = None;
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("the server did not exit")
    }

    fn send(&mut self, message: &Value) -> Result<()> {
        let body = serde_json::to_vec(message)?;
        let input = self.input.as_mut().context("the server's input is open")?;
        let mut frame = format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes();
        frame.extend(body);
        input
            .write_all(&frame)
            .and_then(|()| input.flush())
            .context("the server is gone")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // After a polite end both do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One framed message; `None` at the end of the stream.
fn read_message(reader: &mut impl BufRead) -> Result<Option<Value>> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = Some(value.parse::<usize>()?);
        }
    }
    let mut body = vec![0; length.context("a message has a Content-Length")?];
    reader.read_exact(&mut body)?;
    Ok(Some(serde_json::from_slice(&body)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framed_messages_are_read_one_by_one() {
        let mut stream = std::io::Cursor::new(
            b"Content-Length: 8\r\n\r\n{\"id\":1}Content-Type: x\r\nContent-Length: 2\r\n\r\n{}"
                .to_vec(),
        );
        let first = read_message(&mut stream)
            .expect("reads")
            .expect("a message");
        assert_eq!(first["id"], 1);
        assert_eq!(read_message(&mut stream).expect("reads"), Some(json!({})));
        assert_eq!(read_message(&mut stream).expect("reads"), None);
    }
}
