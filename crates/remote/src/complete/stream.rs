//! Receiving a completion within its limits.

use std::ops::ControlFlow;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, Response};
use tokio::time::Instant;

use super::protocol::{self, Event};
use super::sse::Events;
use super::{BackendError, Completed, CompletionBackend, Finish, OnPiece, Wait};
use crate::message;

/// Most bytes of a refusal's body that are looked at.
const REFUSAL_LIMIT: usize = 8 << 10;

/// A completion under way.
struct Receiving<'a> {
    backend: &'a CompletionBackend,
    on_piece: OnPiece<'a>,
    completed: Completed,
    ended: bool,
}

impl CompletionBackend {
    pub(super) async fn run(
        &self,
        post: RequestBuilder,
        on_piece: OnPiece<'_>,
    ) -> Result<Completed, BackendError> {
        let first = Instant::now() + self.limits.first_piece;
        let response = self.send(post, first).await?;
        let completed = Completed {
            text: String::new(),
            finish: Finish::Unsaid,
            prompt_tokens: None,
            cached_tokens: None,
            generated_tokens: None,
        };
        let mut receiving = Receiving {
            backend: self,
            on_piece,
            completed,
            ended: false,
        };
        if is_stream(&response) {
            receiving.events(response, first).await?;
        } else {
            let body = self.body(response, first).await?;
            let _ = receiving.take(&body)?;
        }
        Ok(receiving.completed)
    }

    /// Sends a request and gives the reply if it is a success.
    pub(super) async fn send(
        &self,
        request: RequestBuilder,
        deadline: Instant,
    ) -> Result<Response, BackendError> {
        let again = request.try_clone();
        let response = match (self.sent(request, deadline).await?, again) {
            (Ok(response), _) => response,
            // llama.cpp promises to keep a connection and closes it after a stream: what is sent
            // meanwhile is lost. Nothing was answered, so it may be sent once more.
            (Err(error), Some(again)) if error.is_request() && !error.is_connect() => {
                tracing::debug!(
                    host = self.host(),
                    "a kept connection was closed, asking again"
                );
                self.sent(again, deadline)
                    .await?
                    .map_err(|error| self.network(&error))?
            }
            (Err(error), _) => return Err(self.network(&error)),
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let excerpt = self.refusal(response, deadline).await;
        Err(BackendError::Status {
            host: self.host(),
            status,
            excerpt,
        })
    }

    async fn sent(
        &self,
        request: RequestBuilder,
        deadline: Instant,
    ) -> Result<reqwest::Result<Response>, BackendError> {
        tokio::time::timeout_at(deadline, request.send())
            .await
            .map_err(|_| self.timed_out(Wait::FirstPiece, self.limits.first_piece))
    }

    fn network(&self, error: &reqwest::Error) -> BackendError {
        let (host, problem) = (self.host(), message::cause(error));
        if error.is_connect() {
            BackendError::Unreachable { host, problem }
        } else {
            BackendError::Cut { host, problem }
        }
    }

    /// The beginning of what a server says when it refuses, as far as it comes in time.
    async fn refusal(&self, mut response: Response, deadline: Instant) -> String {
        let mut body = Vec::new();
        while body.len() < REFUSAL_LIMIT
            && let Ok(Ok(Some(chunk))) = tokio::time::timeout_at(deadline, response.chunk()).await
        {
            body.extend_from_slice(chunk.as_ref());
        }
        body.truncate(REFUSAL_LIMIT);
        let text = match protocol::event(&body) {
            Ok(Event {
                error: Some(text), ..
            }) => text,
            _ => String::from_utf8_lossy(&body).into_owned(),
        };
        self.endpoint.excerpt(&text)
    }

    /// A whole body within the limit.
    pub(super) async fn body(
        &self,
        mut response: Response,
        deadline: Instant,
    ) -> Result<Vec<u8>, BackendError> {
        let mut body = Vec::new();
        while let Some(chunk) = self
            .chunk(
                &mut response,
                deadline,
                Wait::FirstPiece,
                self.limits.first_piece,
            )
            .await?
        {
            body.extend_from_slice(chunk.as_ref());
            self.within("its reply", body.len(), self.limits.reply_bytes)?;
        }
        Ok(body)
    }

    async fn chunk(
        &self,
        response: &mut Response,
        deadline: Instant,
        wait: Wait,
        limit: Duration,
    ) -> Result<Option<impl AsRef<[u8]> + use<>>, BackendError> {
        tokio::time::timeout_at(deadline, response.chunk())
            .await
            .map_err(|_| self.timed_out(wait, limit))?
            .map_err(|error| self.network(&error))
    }

    fn within(&self, what: &'static str, found: usize, limit: usize) -> Result<(), BackendError> {
        if found > limit {
            return Err(BackendError::TooLarge {
                host: self.host(),
                what,
                limit,
            });
        }
        Ok(())
    }

    pub(super) fn malformed(&self, problem: &str) -> BackendError {
        BackendError::Malformed {
            host: self.host(),
            problem: self.endpoint.excerpt(problem),
        }
    }
}

impl Receiving<'_> {
    async fn events(&mut self, mut response: Response, first: Instant) -> Result<(), BackendError> {
        let limits = &self.backend.limits;
        let mut events = Events::new(limits.line_bytes);
        let too_long = |_| BackendError::TooLarge {
            host: self.backend.host(),
            what: "one event",
            limit: limits.line_bytes,
        };
        let (mut deadline, mut wait, mut limit) = (first, Wait::FirstPiece, limits.first_piece);
        let mut received = 0;
        while let Some(chunk) = self
            .backend
            .chunk(&mut response, deadline, wait, limit)
            .await?
        {
            let chunk = chunk.as_ref();
            received += chunk.len();
            self.backend
                .within("its reply", received, limits.reply_bytes)?;
            let before = self.completed.text.len();
            for event in events.push(chunk).map_err(too_long)? {
                if self.take(&event)?.is_break() {
                    return Ok(());
                }
            }
            // Comments that keep the connection alive are not progress.
            if self.completed.text.len() > before {
                (wait, limit) = (Wait::NextPiece, limits.silence);
                deadline = Instant::now() + limit;
            }
        }
        if let Some(event) = events.finish().map_err(too_long)? {
            let _ = self.take(&event)?;
        }
        if self.ended {
            return Ok(());
        }
        let problem = "the reply ended before the completion did".to_owned();
        Err(BackendError::Cut {
            host: self.backend.host(),
            problem,
        })
    }

    /// Takes an event; breaks at the last one, or where the caller wants no more.
    fn take(&mut self, bytes: &[u8]) -> Result<ControlFlow<()>, BackendError> {
        if bytes.trim_ascii() == b"[DONE]" {
            self.ended = true;
            return Ok(ControlFlow::Break(()));
        }
        let event = protocol::event(bytes).map_err(|problem| self.backend.malformed(&problem))?;
        if let Some(error) = &event.error {
            let (host, excerpt) = (self.backend.host(), self.backend.endpoint.excerpt(error));
            return Err(BackendError::Server { host, excerpt });
        }
        self.ended |= event.finish.is_some();
        if !event.text.is_empty() {
            self.completed.text.push_str(&event.text);
            let length = self.completed.text.len();
            self.backend
                .within("the completion", length, self.backend.limits.text_bytes)?;
            if (self.on_piece)(&event.text).is_break() {
                self.completed.finish = Finish::Caller;
                return Ok(ControlFlow::Break(()));
            }
        }
        event.apply(&mut self.completed);
        Ok(ControlFlow::Continue(()))
    }
}

fn is_stream(response: &Response) -> bool {
    let kind = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/event-stream"))
}
