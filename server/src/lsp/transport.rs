//! Moves messages between the byte streams and the service.
//!
//! tower-lsp's own transport ends the server at the first body that is no JSON, and
//! which of two handlers runs first is decided by its scheduling. Here a malformed
//! body is answered and the server lives, and each message is polled once before the
//! next is read: handlers that do their work before the first await, as document sync
//! does, run in the order of the stream.

use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::{FutureExt, StreamExt, poll};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tower_lsp::jsonrpc::{Error, ErrorCode, Id, Request, Response};
use tower_lsp::ls_types::{Range, VersionedTextDocumentIdentifier};
use tower_lsp::{ClientSocket, ExitedError};
use tower_service::Service;

use crate::framing::{self, FramingError, Limits};

/// Requests that may be in progress at once; a client that sends more is broken, and
/// is told so instead of taking all memory.
const IN_FLIGHT: usize = 1024;

/// Bytes that wait for a client that does not read, until nothing more is read from it.
const UNSENT: usize = 64 << 20;

/// Time that requests in progress get when the client's stream ends, and again what is written
/// then. With the journal's time it must stay below the five seconds in which the server is gone.
const DRAIN: Duration = Duration::from_millis(1500);

/// Why serving ended.
#[derive(Debug)]
pub enum End {
    /// The client said `exit`.
    Exit,
    /// The client's stream ended.
    StreamEnd,
    /// The stream could not be read on.
    Refused(FramingError),
    /// The client does not read any more.
    WriteFailed,
}

enum Outgoing {
    Message(Vec<u8>),
    End,
}

#[derive(Clone)]
struct Sender {
    messages: mpsc::UnboundedSender<Outgoing>,
    unsent: Arc<Unsent>,
}

/// Bytes that are not written yet.
#[derive(Default)]
struct Unsent {
    bytes: AtomicUsize,
    fewer: Notify,
}

impl Sender {
    /// The receiver is gone only when serving ends; what is lost then has no reader.
    fn send(&self, message: &impl serde::Serialize) {
        match serde_json::to_vec(message) {
            Ok(body) => {
                self.unsent.bytes.fetch_add(body.len(), Ordering::AcqRel);
                let _ = self.messages.send(Outgoing::Message(body));
            }
            Err(_) => tracing::error!("a message could not be serialised"),
        }
    }

    /// Waits until the client has read enough.
    async fn room(&self) {
        while self.unsent.bytes.load(Ordering::Acquire) > UNSENT {
            self.unsent.fewer.notified().await;
        }
    }

    fn end(&self) {
        let _ = self.messages.send(Outgoing::End);
    }
}

/// Serves until the client says `exit` or one of the streams ends.
///
/// `unreadable` is told the URI of a document for which a change came that could not be
/// read, because from there on its text is unknown.
pub async fn serve<R, W, S>(
    reader: R,
    writer: W,
    service: S,
    socket: ClientSocket,
    unreadable: impl Fn(&str),
) -> End
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + Send + 'static,
    S: Service<Request, Response = Option<Response>, Error = ExitedError>,
    S::Future: Send + 'static,
{
    let (messages, receiver) = mpsc::unbounded_channel();
    let unsent = Arc::<Unsent>::default();
    let sender = Sender {
        messages,
        unsent: Arc::clone(&unsent),
    };
    let (mut requests, responses) = socket.split();
    let outgoing = sender.clone();
    let to_client = tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            outgoing.send(&request);
        }
    });
    let mut writing = tokio::spawn(write(writer, receiver, unsent));
    let mut connection = Connection {
        service,
        sender,
        tasks: JoinSet::new(),
        responses,
        unreadable,
    };
    let end = tokio::select! {
        end = connection.read(reader) => end,
        _ = &mut writing => End::WriteFailed,
    };
    connection.finish(&end).await;
    to_client.abort();
    // One that has ended must not be asked again.
    if !matches!(end, End::WriteFailed) {
        let _ = tokio::time::timeout(DRAIN, writing).await;
    }
    end
}

async fn write<W>(
    mut writer: W,
    mut messages: mpsc::UnboundedReceiver<Outgoing>,
    unsent: Arc<Unsent>,
) -> io::Result<()>
where
    W: AsyncWrite + Unpin,
{
    while let Some(Outgoing::Message(body)) = messages.recv().await {
        framing::write_message(&mut writer, &body).await?;
        unsent.bytes.fetch_sub(body.len(), Ordering::AcqRel);
        unsent.fewer.notify_one();
    }
    Ok(())
}

struct Connection<S, K, U> {
    service: S,
    sender: Sender,
    tasks: JoinSet<()>,
    responses: K,
    unreadable: U,
}

impl<S, K, U> Connection<S, K, U>
where
    S: Service<Request, Response = Option<Response>, Error = ExitedError>,
    S::Future: Send + 'static,
    K: futures::Sink<Response> + Unpin,
    U: Fn(&str),
{
    async fn read<R: AsyncRead + Unpin>(&mut self, reader: R) -> End {
        let mut reader = BufReader::new(reader);
        let limits = Limits::default();
        loop {
            self.sender.room().await;
            let body = match framing::read_message(&mut reader, &limits).await {
                Ok(Some(body)) => body,
                Ok(None) => return End::StreamEnd,
                Err(error) => {
                    let message = Error {
                        message: error.to_string().into(),
                        ..Error::parse_error()
                    };
                    self.sender.send(&Response::from_error(Id::Null, message));
                    return End::Refused(error);
                }
            };
            if body.is_empty() {
                continue;
            }
            match Incoming::parse(&body) {
                Incoming::Request(request) => {
                    let exit = request.method() == "exit";
                    if exit {
                        // The service drops what is in progress when it sees this; what was
                        // asked before has its answer first.
                        self.drain().await;
                    }
                    self.dispatch(request).await;
                    if exit {
                        return End::Exit;
                    }
                }
                Incoming::Response(response) => {
                    let _ = futures::SinkExt::send(&mut self.responses, response).await;
                }
                Incoming::Malformed(id, error) => {
                    tracing::warn!(code = error.code.code(), "a message was malformed");
                    self.sender.send(&Response::from_error(id, error));
                }
            }
        }
    }

    async fn dispatch(&mut self, request: Request) {
        while self.tasks.try_join_next().is_some() {}
        let id = request.id().cloned();
        if self.tasks.len() >= IN_FLIGHT
            && let Some(id) = id
        {
            let code = ErrorCode::ServerError(-32803);
            let message = format!("more than {IN_FLIGHT} requests are in progress");
            let error = Error {
                code,
                message: message.into(),
                data: None,
            };
            return self.sender.send(&Response::from_error(id, error));
        }
        self.report_unreadable_change(&request);
        let method = request.method().to_owned();
        if futures::future::poll_fn(|context| self.service.poll_ready(context))
            .await
            .is_err()
        {
            return;
        }
        let mut handler = AssertUnwindSafe(self.service.call(request))
            .catch_unwind()
            .boxed();
        let sender = self.sender.clone();
        let answer = move |result: Result<Result<Option<Response>, _>, _>| {
            let response = match result {
                Ok(Ok(response)) => response.map(|response| without_payload(response, &method)),
                Ok(Err(_exited)) => None,
                Err(_panic) => id.map(|id| Response::from_error(id, Error::internal_error())),
            };
            response
                .into_iter()
                .for_each(|response| sender.send(&response));
        };
        match poll!(&mut handler) {
            std::task::Poll::Ready(result) => answer(result),
            std::task::Poll::Pending => {
                self.tasks.spawn(async move { answer(handler.await) });
            }
        }
    }

    /// The service drops a notification whose parameters it cannot read. For a change
    /// that would leave the document silently wrong.
    fn report_unreadable_change(&self, request: &Request) {
        if request.method() != "textDocument/didChange" {
            return;
        }
        let params = request.params().unwrap_or(&Value::Null);
        if Changed::deserialize(params).is_err()
            && let Some(uri) = params.pointer("/textDocument/uri").and_then(Value::as_str)
        {
            (self.unreadable)(uri);
        }
    }

    /// Waits for the requests in progress, as long as is decent.
    async fn drain(&mut self) {
        let rest = async { while self.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(DRAIN, rest).await;
    }

    async fn finish(&mut self, end: &End) {
        if matches!(end, End::StreamEnd | End::Refused(_)) {
            self.drain().await;
        }
        self.tasks.shutdown().await;
        self.sender.end();
    }
}

/// `DidChangeTextDocumentParams` as far as it can be unreadable, without a copy of the text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "only whether it can be read is asked")]
struct Changed<'a> {
    text_document: VersionedTextDocumentIdentifier,
    #[serde(borrow)]
    content_changes: Vec<ContentChange<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "see there")]
struct ContentChange<'a> {
    range: Option<Range>,
    range_length: Option<u32>,
    text: &'a str,
}

/// The service quotes parameters that it could not read in its message. Ours explain
/// themselves in `data`, and are left alone.
fn without_payload(response: Response, method: &str) -> Response {
    let quotes = response
        .error()
        .is_some_and(|error| error.code == ErrorCode::InvalidParams && error.data.is_none());
    if !quotes {
        return response;
    }
    let message = format!("the parameters of `{method}` could not be read");
    let (id, _) = response.into_parts();
    Response::from_error(id, Error::invalid_params(message))
}

enum Incoming {
    Request(Request),
    Response(Response),
    Malformed(Id, Error),
}

impl Incoming {
    fn parse(body: &[u8]) -> Self {
        let Ok(value) = serde_json::from_slice::<Value>(body) else {
            return Self::Malformed(Id::Null, Error::parse_error());
        };
        let malformed = |id| Self::Malformed(id, Error::invalid_request());
        if value.get("method").is_some() {
            let id = value
                .get("id")
                .and_then(|id| Id::deserialize(id).ok())
                .unwrap_or_default();
            let fits = value.get("method").is_some_and(Value::is_string);
            match serde_json::from_value(value) {
                Ok(request) if fits => Self::Request(request),
                _ => malformed(id),
            }
        } else {
            // The id of an answer is one of ours, so the client must not get it back.
            serde_json::from_value(value).map_or_else(|_| malformed(Id::Null), Self::Response)
        }
    }
}
