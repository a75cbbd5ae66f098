//! Completions from another machine: an OpenAI-compatible server, or llama.cpp's own.
//!
//! Plain data in, text out. What fails is not tried again: the next keystroke asks anew. Only a
//! request that was lost on a kept connection, which the server had closed without an answer, is
//! sent once more. Dropping the future closes the connection, which is how these servers learn that
//! nobody waits any more.

mod error;
mod health;
mod protocol;
mod sse;
mod stream;

use std::fmt;
use std::ops::ControlFlow;
use std::time::Duration;

use reqwest::header::ACCEPT;
use sha2::{Digest, Sha256};

use crate::endpoint::Endpoint;
use crate::message;

pub use error::{BackendError, Wait};
pub use health::Health;

/// What speaks at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protocol {
    /// `POST /v1/completions`, as vLLM, SGLang, TGI, Ollama and llama.cpp offer it.
    OpenAi {
        /// The model's name there.
        model: String,
    },
    /// llama.cpp's `POST /infill`, where the server's model knows the format.
    LlamaCpp {
        /// The slot whose cache to use; the server chooses where there is none.
        slot: Option<u32>,
    },
}

/// How long to wait and how much to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Until a connection stands.
    pub connect: Duration,
    /// From the request to the first piece of text; a long prompt has to be read first.
    pub first_piece: Duration,
    /// Between two pieces.
    pub silence: Duration,
    /// For the whole completion.
    pub total: Duration,
    /// Longest completion, in bytes.
    pub text_bytes: usize,
    /// Longest line of the stream, in bytes.
    pub line_bytes: usize,
    /// Largest reply, in bytes.
    pub reply_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            first_piece: Duration::from_secs(30),
            silence: Duration::from_secs(10),
            total: Duration::from_secs(60),
            text_bytes: 1 << 20,
            line_bytes: 1 << 20,
            reply_bytes: 16 << 20,
        }
    }
}

/// Which server, and how to speak to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendConfig {
    /// Its address, such as `http://localhost:8080`; a trailing `/v1` makes no difference.
    pub url: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// Name of the environment variable with the API key.
    pub api_key_env: Option<String>,
    /// Limits.
    pub limits: Limits,
}

/// What to complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// A prompt with its sentinels in place, for [`Protocol::OpenAi`].
    Raw(String),
    /// Text before and after the cursor; the server makes the prompt.
    Infill {
        /// Before the cursor.
        prefix: String,
        /// After the cursor.
        suffix: String,
        /// Other files, for [`Protocol::LlamaCpp`] alone.
        extra: Vec<ExtraFile>,
        /// What the middle begins with, for [`Protocol::LlamaCpp`] alone: text that is typed
        /// after the prompt was cached.
        typed: String,
    },
}

/// Another file that helps with the completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraFile {
    /// Its path.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// A completion request.
#[derive(Debug, Clone, PartialEq)]
pub struct CompletionRequest {
    /// What to complete.
    pub prompt: Prompt,
    /// Most tokens to generate.
    pub max_tokens: u32,
    /// 0 is greedy.
    pub temperature: f32,
    /// Share of the probability to sample from.
    pub top_p: f32,
    /// Of the sampling.
    pub seed: Option<u64>,
    /// Texts that end the completion and are no part of it.
    pub stop: Vec<String>,
}

/// Why a completion ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// The model ended it, or a stop text came.
    Stop,
    /// The token limit.
    Length,
    /// The callback.
    Caller,
    /// What the server says, where it is none of these.
    Other(String),
    /// The server did not say.
    Unsaid,
}

/// A finished completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completed {
    /// All of its text.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
    /// Tokens of the prompt, where the server tells.
    pub prompt_tokens: Option<u64>,
    /// Of these, tokens that the server had cached, where it tells.
    pub cached_tokens: Option<u64>,
    /// Tokens generated, where the server tells.
    pub generated_tokens: Option<u64>,
}

/// Receives each piece of text; may end the completion.
pub type OnPiece<'a> = &'a mut (dyn FnMut(&str) -> ControlFlow<()> + Send);

/// A server that completes. Cheap to clone; connections are kept and shared.
#[derive(Clone)]
pub struct CompletionBackend {
    endpoint: Endpoint,
    protocol: Protocol,
    limits: Limits,
}

impl fmt::Debug for CompletionBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompletionBackend")
            .field("url", &message::plain(&self.endpoint.base))
            .field("protocol", &self.protocol)
            .field("key", &self.endpoint.key)
            .finish_non_exhaustive()
    }
}

impl CompletionBackend {
    /// A backend; `lookup` reads environment variables. Nothing is sent yet.
    ///
    /// # Errors
    /// Where the address is none, holds a password, or the named key is missing.
    pub fn new(
        config: &BackendConfig,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, BackendError> {
        let key = config.api_key_env.as_deref();
        let endpoint = Endpoint::new(&config.url, key, config.limits.connect, lookup)?;
        let (protocol, limits) = (config.protocol.clone(), config.limits.clone());
        Ok(Self {
            endpoint,
            protocol,
            limits,
        })
    }

    /// What tells this server from others: its host and port. Where its address has a path, a
    /// hash of that follows, because a path may hold what is nobody's business.
    pub fn address(&self) -> String {
        let host = self.endpoint.base.host_str().unwrap_or("?");
        let port = self.endpoint.base.port_or_known_default().unwrap_or(0);
        match self.endpoint.base.path().trim_matches('/') {
            "" => format!("{host}:{port}"),
            path => {
                let hash = hex::encode(&Sha256::digest(path)[..4]);
                format!("{host}:{port}/{hash}")
            }
        }
    }

    /// Completes, handing over the text as it comes.
    ///
    /// # Errors
    /// [`BackendError`].
    pub async fn complete(
        &self,
        request: &CompletionRequest,
        on_piece: OnPiece<'_>,
    ) -> Result<Completed, BackendError> {
        let (path, body) = protocol::body(&self.protocol, request)?;
        let post = self.endpoint.bearing(reqwest::Method::POST, path);
        let post = post.header(ACCEPT, "text/event-stream").json(&body);
        let total = self.limits.total;
        tokio::time::timeout(total, self.run(post, on_piece))
            .await
            .map_err(|_| self.timed_out(Wait::Total, total))?
    }

    fn host(&self) -> String {
        message::host(&self.endpoint.base)
    }

    fn timed_out(&self, wait: Wait, limit: Duration) -> BackendError {
        BackendError::TimedOut {
            host: self.host(),
            wait,
            limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> String {
        let config = BackendConfig {
            url: url.to_owned(),
            protocol: Protocol::LlamaCpp { slot: None },
            api_key_env: None,
            limits: Limits::default(),
        };
        CompletionBackend::new(&config, &|_| None)
            .unwrap()
            .address()
    }

    #[test]
    fn servers_are_told_apart_by_host_port_and_path() {
        let table = [
            ("http://localhost:8080", "localhost:8080"),
            ("http://localhost:8080/v1/", "localhost:8080"),
            ("http://localhost", "localhost:80"),
            ("https://Models.Example", "models.example:443"),
            ("http://[::1]:9", "[::1]:9"),
        ];
        for (url, expected) in table {
            assert_eq!(address(url), expected, "{url}");
        }
        let [one, other] = ["one", "other"].map(|team| address(&format!("http://a/{team}/v1")));
        assert_ne!(one, other);
        assert!(one.starts_with("a:80/") && !one.contains("one"), "{one}");
    }
}
