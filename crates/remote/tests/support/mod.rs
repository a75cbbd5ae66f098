//! A server that answers as a test tells it, byte for byte: cuts, silence and nonsense included.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail a test the same way"
)]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use truefill_remote::download::{Downloader, Options};
use truefill_remote::retry::RetryPolicy;

/// What a server does on a connection.
#[derive(Debug, Clone)]
pub enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    /// Sends no more, and waits until the client is gone.
    Hang,
    /// Ends the connection with a reset where the system can.
    Reset,
}

/// A request as it came.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub head: String,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A scripted server. Each connection serves one request.
pub struct Server {
    pub url: String,
    pub seen: Arc<Mutex<Vec<Seen>>>,
    /// Connections that the client closed while the server sent or was hanging.
    pub abandoned: Arc<Mutex<usize>>,
}

impl Server {
    /// `script` gets the number of the request, from 0, and the request.
    pub async fn start(script: impl Fn(usize, &Seen) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let abandoned: Arc<Mutex<usize>> = Arc::default();
        let (requests, hung) = (Arc::clone(&seen), Arc::clone(&abandoned));
        let script = Arc::new(script);
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    return;
                };
                let (requests, hung) = (Arc::clone(&requests), Arc::clone(&hung));
                let script = Arc::clone(&script);
                tokio::spawn(async move { serve(stream, &requests, &hung, &*script).await });
            }
        });
        Self {
            url,
            seen,
            abandoned,
        }
    }

    pub fn requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Vec<Seen>>,
    abandoned: &Mutex<usize>,
    script: &(dyn Fn(usize, &Seen) -> Vec<Step> + Send + Sync),
) {
    let Some(request) = read_request(&mut stream).await else {
        return;
    };
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.len() - 1
    };
    for step in script(number, &request) {
        match step {
            Step::Send(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    *abandoned.lock().unwrap() += 1;
                    return;
                }
            }
            Step::Wait(duration) => tokio::time::sleep(duration).await,
            Step::Hang => {
                let mut byte = [0];
                if matches!(stream.read(&mut byte).await, Ok(0) | Err(_)) {
                    *abandoned.lock().unwrap() += 1;
                }
                return;
            }
            Step::Reset => {
                let _ = stream.set_zero_linger();
                return;
            }
        }
    }
    let _ = stream.shutdown().await;
}

async fn read_request(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let mut request = Seen {
                head,
                body: bytes[end + 4..].to_vec(),
            };
            let length = request
                .header("content-length")
                .map_or(0, |text| text.parse().unwrap());
            while request.body.len() < length {
                match stream.read(&mut buffer).await {
                    Ok(count) if count > 0 => request.body.extend_from_slice(&buffer[..count]),
                    _ => return None,
                }
            }
            return Some(request);
        }
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    }
}

/// The head of a reply with these headers, and nothing else.
pub fn head(status: &str, headers: &[(&str, &str)]) -> Step {
    let mut text = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    Step::Send(text.into_bytes())
}

/// A whole reply.
pub fn reply(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<Step> {
    let length = body.len().to_string();
    let headers = [headers, &[("Content-Length", length.as_str())]].concat();
    vec![head(status, &headers), Step::Send(body.to_vec())]
}

/// A server's answer to a request for a file that it can continue. At most `most` bytes of body
/// are sent before the connection ends.
pub fn ranged(request: &Seen, content: &[u8], etag: &str, most: usize) -> Vec<Step> {
    let start = request
        .header("range")
        .filter(|_| request.header("if-range").is_none_or(|tag| tag == etag))
        .and_then(|range| {
            range
                .strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse()
                .ok()
        })
        .unwrap_or(0_usize);
    let rest = &content[start.min(content.len())..];
    let length = rest.len().to_string();
    let range = format!(
        "bytes {start}-{}/{}",
        content.len().saturating_sub(1),
        content.len()
    );
    let mut headers = vec![("Content-Length", length.as_str()), ("ETag", etag)];
    let status = if start > 0 {
        headers.push(("Content-Range", range.as_str()));
        "206 Partial Content"
    } else {
        "200 OK"
    };
    vec![
        head(status, &headers),
        Step::Send(rest[..most.min(rest.len())].to_vec()),
    ]
}

/// A downloader that loses no time between attempts.
pub fn downloader(retries: usize) -> Downloader {
    patient(retries, Duration::from_secs(20))
}

/// The same, which takes a silence of `silence_timeout`.
pub fn patient(retries: usize, silence_timeout: Duration) -> Downloader {
    Downloader::new(Options {
        connect_timeout: Duration::from_secs(20),
        silence_timeout,
        retry: RetryPolicy {
            retries,
            first_delay: Duration::from_millis(1),
            longest_delay: Duration::from_millis(2),
            longest_wait: Duration::from_secs(2),
            seed: 7,
        },
    })
    .unwrap()
}

/// Waits for what other tasks and processes do.
pub async fn until(mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !done() {
        assert!(Instant::now() < deadline, "nothing moves any more");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Attempts that a ledger says were under way.
pub fn under_way(ledger: &Path) -> usize {
    let database = rusqlite::Connection::open(ledger).unwrap();
    let count = database.query_row("SELECT count(*) FROM intents", [], |row| row.get(0));
    usize::try_from(count.unwrap_or(0_i64)).unwrap()
}

/// A number that looks drawn.
pub fn mix(bytes: &[u8], number: usize) -> u64 {
    let parts = bytes.iter().map(|byte| u64::from(*byte));
    let parts = parts.chain([number as u64 + 1, 7]);
    parts.fold(0x9E37_79B9, |hash, part| {
        (hash ^ part).wrapping_mul(0x100_0000_01B3).rotate_left(23)
    })
}

pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(bytes))
}
