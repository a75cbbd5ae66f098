//! One attempt over HTTP, within its limits.

use std::path::Path;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use super::config::{EndpointConfig, Protocol};
use super::error::{ApiError, Failure};
use crate::Secret;
use crate::endpoint::Endpoint;
use crate::{message, retry};

/// Time for making a connection, at most.
const CONNECT: Duration = Duration::from_secs(10);

/// Most bytes of a refusal's body that are looked at: its code may stand behind the question, which
/// some servers send back.
const REFUSAL_LIMIT: usize = 64 << 10;

/// Bytes a second that an upload makes at least; a slower one is given up.
const SLOWEST: u64 = 64 << 10;

/// Parts of the codes by which servers say that a content filter refused.
const FILTERS: &[&str] = &["content_filter", "content_policy", "ResponsibleAIPolicy"];

/// The version of Anthropic's protocol that is spoken.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// A connection pool for one endpoint.
pub(super) struct Transport {
    endpoint: Endpoint,
    protocol: Protocol,
    timeout: Duration,
    reply_bytes: usize,
}

/// An attempt that failed, with the wait that the server asked for.
pub(super) struct Failed {
    pub failure: Failure,
    pub retry_after: Option<RetryAfter>,
    reason: Reason,
}

/// What a refusal's body says about later requests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// A content filter: the question was understood and not answered.
    Filter,
    /// An empty account, which is refused with 429 for ever.
    Quota,
    /// Nothing that is known.
    Other,
}

impl Reason {
    /// By the codes in an error's body; the message alone may quote the question.
    fn of(body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let error = &body["error"];
        let codes = [&error["code"], &error["type"], &error["innererror"]["code"]];
        let codes = || codes.iter().filter_map(|code| code.as_str());
        let message = error["message"].as_str().unwrap_or_default();
        if codes().any(|code| FILTERS.iter().any(|filter| code.contains(filter)))
            // Anthropic has no code of its own for it.
            || message == "Output blocked by content filtering policy"
        {
            Self::Filter
        } else if codes().any(|code| code == "insufficient_quota") {
            Self::Quota
        } else {
            Self::Other
        }
    }
}

impl Failed {
    /// Whether a refusal is of the key, the account, the address or the model: asking again is vain.
    pub(super) fn is_final(&self) -> bool {
        let Failure::Status { status, .. } = self.failure else {
            return false;
        };
        matches!(status, 401..=404) || (status == 429 && self.reason == Reason::Quota)
    }

    /// Whether a refusal is a content filter's.
    pub(super) fn is_blocked(&self) -> bool {
        let refused = matches!(self.failure, Failure::Status { status: 400, .. });
        refused && self.reason == Reason::Filter
    }
}

/// The header's value, to be read against the clock.
pub(super) struct RetryAfter(Box<HeaderMap>);

impl RetryAfter {
    pub(super) fn wait(&self, now: std::time::SystemTime) -> Option<Duration> {
        retry::retry_after(&self.0, now)
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            retry_after: None,
            reason: Reason::Other,
        }
    }
}

impl Transport {
    pub(super) fn new(
        config: &EndpointConfig,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ApiError> {
        let timeout = Duration::from_secs(config.timeout_s);
        // Ends before the attempt does: to a host that answers nothing, nothing was sent.
        let connect = CONNECT.min(timeout / 2);
        let endpoint = Endpoint::new(&config.url, config.api_key_env.as_deref(), connect, lookup)?;
        Ok(Self {
            endpoint,
            protocol: config.protocol,
            timeout,
            reply_bytes: config.reply_bytes,
        })
    }

    pub(super) fn host(&self) -> String {
        message::host(&self.endpoint.base)
    }

    /// The address as it may be shown and hashed.
    pub(super) fn address(&self) -> String {
        message::plain(&self.endpoint.base)
    }

    /// A request with the key in its header.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        if self.protocol != Protocol::Anthropic {
            return self.endpoint.bearing(method, path);
        }
        let request = self.endpoint.request(method, path);
        let request = request.header("anthropic-version", ANTHROPIC_VERSION);
        match self.endpoint.key.as_ref().and_then(Secret::header) {
            Some(value) => request.header("x-api-key", value),
            None => request,
        }
    }

    /// Sends and gives the whole body of a success.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Vec<u8>, Failed> {
        within(self.timeout, self.exchange(request)).await
    }

    /// As [`Transport::send`], for a request with a body of many bytes.
    pub(super) async fn upload(
        &self,
        request: RequestBuilder,
        bytes: u64,
    ) -> Result<Vec<u8>, Failed> {
        let timeout = self.timeout + Duration::from_secs(bytes / SLOWEST);
        within(timeout, self.exchange(request)).await
    }

    /// Writes the body of a success into a file, however long that takes while bytes come.
    pub(super) async fn download(
        &self,
        request: RequestBuilder,
        target: &Path,
    ) -> Result<(), Failed> {
        let mut response = within(self.timeout, self.success(request)).await?;
        let cut = |error: std::io::Error| Failure::Cut(error.to_string());
        let mut file = tokio::fs::File::create(target).await.map_err(cut)?;
        let next = async |response: &mut Response| {
            let chunk = response.chunk().await.map_err(|error| network(&error))?;
            Ok(chunk)
        };
        while let Some(chunk) = within(self.timeout, next(&mut response)).await? {
            file.write_all(&chunk).await.map_err(cut)?;
        }
        Ok(file.flush().await.map_err(cut)?)
    }

    async fn exchange(&self, request: RequestBuilder) -> Result<Vec<u8>, Failed> {
        let response = self.success(request).await?;
        Ok(self.body(response).await?)
    }

    /// Sends and gives the reply, if it is a success, with its body unread.
    pub(super) async fn success(&self, request: RequestBuilder) -> Result<Response, Failed> {
        let response = request.send().await.map_err(|error| network(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let headers = response.headers().clone();
        let body = refusal(response).await;
        Err(Failed {
            reason: Reason::of(&body),
            failure: Failure::Status {
                status: status.as_u16(),
                excerpt: self.endpoint.excerpt(&String::from_utf8_lossy(&body)),
            },
            retry_after: Some(RetryAfter(Box::new(headers))),
        })
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| network(&error))? {
            if body.len() + chunk.len() > self.reply_bytes {
                return Err(Failure::TooLarge(self.reply_bytes));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// The beginning of a refusal's body.
async fn refusal(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < REFUSAL_LIMIT
        && let Ok(Some(chunk)) = response.chunk().await
    {
        body.extend_from_slice(&chunk);
    }
    body.truncate(REFUSAL_LIMIT);
    body
}

fn network(error: &reqwest::Error) -> Failure {
    let problem = message::cause(error);
    if error.is_connect() {
        Failure::Unreachable(problem)
    } else {
        Failure::Cut(problem)
    }
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Failed>>,
) -> Result<T, Failed> {
    tokio::time::timeout(limit, work)
        .await
        .map_err(|_| Failed::from(Failure::TimedOut(limit)))?
}
