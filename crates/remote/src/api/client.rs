//! A client for one endpoint.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::attempts::{BYTES_PER_TOKEN, Call, Stop, Understood};
use super::config::{EndpointConfig, Protocol};
use super::error::{ApiError, Failure};
use super::ledger::{Intent, Ledger};
use super::limiter::Limiter;
use super::protocol::{self, Usage};
use super::timing::Timing;
use super::transport::Transport;

/// One question.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatRequest {
    /// What is asked about. Part of the key: two samples of one question differ in it.
    pub subject: String,
    /// Version of the prompt.
    pub prompt_version: String,
    /// Instructions.
    pub system: String,
    /// What they are applied to.
    pub user: String,
    /// 0 is greedy.
    pub temperature: f32,
    /// For servers that take one.
    pub seed: Option<u64>,
    /// Tokens of the reply at most.
    pub max_tokens: u32,
}

/// Why a reply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// Everything was said.
    Stop,
    /// The limit of tokens.
    Length,
    /// A content filter or a refusal: the text is no answer.
    Blocked,
}

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatReply {
    /// The text.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
    /// Tokens of the question as the server counts them; 0 where it does not tell.
    pub input_tokens: u64,
    /// Tokens of the reply, likewise.
    pub output_tokens: u64,
}

impl ChatReply {
    pub(super) fn new(text: &str, finish: Finish, usage: Usage) -> Self {
        Self {
            text: text.to_owned(),
            finish,
            input_tokens: usage.input.unwrap_or(0),
            output_tokens: usage.output.unwrap_or(0),
        }
    }
}

/// Texts to embed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbedRequest {
    /// What they belong to.
    pub subject: String,
    /// The texts.
    pub texts: Vec<String>,
}

/// A client. Cheap to clone; clones share connections, rates and the ledger.
#[derive(Clone)]
pub struct Client {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub config: EndpointConfig,
    pub transport: Transport,
    pub ledger: Ledger,
    pub timing: Arc<dyn Timing>,
    pub limiter: Limiter,
    pub slots: Semaphore,
    /// Set by the first refusal of the key: everything later is refused here.
    pub stopped: OnceLock<Stop>,
    /// Anything came from the server.
    pub reached: AtomicBool,
}

impl Client {
    /// A client; `lookup` reads environment variables. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ApiError::Config`] and [`ApiError::Key`].
    pub fn new(
        config: &EndpointConfig,
        ledger: &Ledger,
        timing: Arc<dyn Timing>,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ApiError> {
        config.check().map_err(ApiError::Config)?;
        if ledger.has_budget() {
            config.check_prices().map_err(ApiError::Config)?;
            protocol::check_limit(config).map_err(ApiError::Config)?;
        }
        let inner = Inner {
            transport: Transport::new(config, lookup)?,
            limiter: Limiter::new(config),
            slots: Semaphore::new(config.concurrency.min(Semaphore::MAX_PERMITS)),
            stopped: OnceLock::new(),
            reached: AtomicBool::new(false),
            config: config.clone(),
            ledger: ledger.clone(),
            timing,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The endpoint.
    #[must_use]
    pub fn config(&self) -> &EndpointConfig {
        &self.inner.config
    }

    /// Asks, or gives what an earlier run was answered.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn chat(&self, request: &ChatRequest) -> Result<ChatReply, ApiError> {
        let (protocol, path) = (self.config().protocol, self.config().protocol.path());
        let body = protocol::body(self.config(), request);
        let call = self.call(path, &body, request);
        let parse = |bytes: &[u8]| {
            let (reply, usage) = protocol::parse(protocol, bytes)?;
            Ok(Understood {
                bytes: reply.text.len() as u64,
                json: serde_json::to_string(&reply).map_err(|error| error.to_string())?,
                usage,
            })
        };
        match self.inner.answer(&call, &parse).await? {
            Some(json) => self.read(&json),
            None => Ok(ChatReply::new("", Finish::Blocked, Usage::default())),
        }
    }

    /// The vectors of texts, in their order.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn embed(&self, request: &EmbedRequest) -> Result<Vec<Vec<f32>>, ApiError> {
        let body = protocol::embeddings_body(&self.config().model, &request.texts);
        let path = protocol::EMBEDDINGS_PATH;
        let call = self.call_of(path, &body, &request.subject, "embedding", 0);
        let expected = request.texts.len();
        let parse = |bytes: &[u8]| {
            let (vectors, usage) = protocol::parse_embeddings(bytes, expected)?;
            Ok(Understood {
                bytes: 0,
                json: serde_json::to_string(&vectors).map_err(|error| error.to_string())?,
                usage,
            })
        };
        match self.inner.answer(&call, &parse).await? {
            Some(json) => self.read(&json),
            None => Err(self.inner.failed(1, Failure::Filtered)),
        }
    }

    fn read<T: serde::de::DeserializeOwned>(&self, json: &str) -> Result<T, ApiError> {
        serde_json::from_str(json).map_err(|error| {
            ApiError::Config(format!(
                "the ledger keeps a reply that this version does not read ({error}); name another \
                 ledger"
            ))
        })
    }

    fn call(&self, path: &'static str, body: &Value, request: &ChatRequest) -> Call {
        let tokens = protocol::reply_tokens(body).unwrap_or(u64::from(request.max_tokens));
        self.call_of(
            path,
            body,
            &request.subject,
            &request.prompt_version,
            tokens,
        )
    }

    fn call_of(
        &self,
        path: &'static str,
        body: &Value,
        subject: &str,
        prompt_version: &str,
        reply_tokens: u64,
    ) -> Call {
        let config = self.config();
        let key = self.key(path, body, subject, prompt_version);
        let body = body.to_string().into_bytes();
        let intent = Intent {
            key,
            subject: subject.to_owned(),
            model: config.model.clone(),
            prompt_version: prompt_version.to_owned(),
            // No token is shorter than a byte.
            reserve: self.inner.cost_of(body.len() as u64, reply_tokens),
        };
        Call {
            path,
            tokens: (body.len() as u64 / BYTES_PER_TOKEN).saturating_add(reply_tokens),
            body,
            intent,
        }
    }

    /// SHA-256 of everything that the answer depends on.
    pub(super) fn key(
        &self,
        path: &str,
        body: &Value,
        subject: &str,
        prompt_version: &str,
    ) -> [u8; 32] {
        let whole = json!([
            self.inner.transport.address(),
            path,
            self.config().model,
            prompt_version,
            subject,
            body
        ]);
        Sha256::digest(whole.to_string().as_bytes()).into()
    }

    pub(super) fn intent_of(&self, request: &ChatRequest) -> (Intent, Value) {
        let path = self.config().protocol.path();
        let body = protocol::body(self.config(), request);
        let call = self.call(path, &body, request);
        (call.intent, body)
    }

    pub(super) fn protocol(&self) -> Protocol {
        self.config().protocol
    }
}
