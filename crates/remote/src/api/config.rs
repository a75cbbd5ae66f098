//! Which endpoint, and how to behave there: a member's table in a recipe.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::retry::RetryPolicy;

/// What an endpoint speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// `POST /v1/chat/completions`: OpenAI, and the servers that follow it.
    OpenaiChat,
    /// `POST /v1/responses`.
    OpenaiResponses,
    /// `POST /v1/messages`.
    Anthropic,
}

/// What the limit of a reply's tokens is called in chat requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenLimitKey {
    /// The older name, which local servers know.
    #[default]
    MaxTokens,
    /// The newer name, which OpenAI's reasoning models insist on.
    MaxCompletionTokens,
}

/// An endpoint, as a recipe has it. Prices, times and rates have the units in their names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointConfig {
    /// The server's address, such as `https://api.openai.com`; a trailing `/v1` makes no
    /// difference.
    pub url: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// The model's name there.
    pub model: String,
    /// Name of the environment variable with the API key; without it no key is sent.
    #[serde(default)]
    pub api_key_env: Option<String>,
    /// Requests under way at most.
    #[serde(default = "default_concurrency")]
    pub concurrency: usize,
    /// Requests a minute at most.
    #[serde(default)]
    pub requests_per_minute: Option<NonZeroU32>,
    /// Tokens a minute at most, questions and replies together, by estimate.
    #[serde(default)]
    pub tokens_per_minute: Option<NonZeroU32>,
    /// Money for a million tokens of questions. A budget needs it; `0` is for a server of one's own.
    #[serde(default)]
    pub price_input_per_million: Option<f64>,
    /// Money for a million tokens of replies, likewise.
    #[serde(default)]
    pub price_output_per_million: Option<f64>,
    /// What a request costs in a batch, as a share of these prices.
    #[serde(default = "default_batch_share")]
    pub batch_price_share: f64,
    /// Seconds that one attempt may take, its whole reply included.
    #[serde(default = "default_timeout")]
    pub timeout_s: u64,
    /// Attempts after the first.
    #[serde(default = "default_retries")]
    pub retries: usize,
    /// Delay before the second attempt, in milliseconds; it doubles with each, up to 20 s.
    #[serde(default = "default_first_delay")]
    pub first_delay_ms: u64,
    /// Largest reply that is read, in bytes.
    #[serde(default = "default_reply_bytes")]
    pub reply_bytes: usize,
    /// What the limit of tokens is called.
    #[serde(default)]
    pub token_limit_key: TokenLimitKey,
    /// Fields that this server refuses, such as `temperature` or `seed`; they are left out.
    #[serde(default)]
    pub omit: Vec<String>,
    /// Fields that are added to every request, such as `reasoning_effort`.
    #[serde(default)]
    pub extra: Map<String, Value>,
    /// Longest wait in seconds that the server may ask for.
    #[serde(default = "default_longest_wait")]
    pub longest_wait_s: u64,
}

const fn default_concurrency() -> usize {
    8
}

const fn default_batch_share() -> f64 {
    0.5
}

const fn default_timeout() -> u64 {
    120
}

const fn default_retries() -> usize {
    6
}

const fn default_first_delay() -> u64 {
    500
}

const fn default_reply_bytes() -> usize {
    4 << 20
}

const fn default_longest_wait() -> u64 {
    300
}

impl EndpointConfig {
    /// An endpoint with every default.
    #[must_use]
    pub fn new(url: &str, protocol: Protocol, model: &str) -> Self {
        Self {
            url: url.to_owned(),
            protocol,
            model: model.to_owned(),
            api_key_env: None,
            concurrency: default_concurrency(),
            requests_per_minute: None,
            tokens_per_minute: None,
            price_input_per_million: None,
            price_output_per_million: None,
            batch_price_share: default_batch_share(),
            timeout_s: default_timeout(),
            retries: default_retries(),
            first_delay_ms: default_first_delay(),
            reply_bytes: default_reply_bytes(),
            token_limit_key: TokenLimitKey::default(),
            omit: Vec::new(),
            extra: Map::new(),
            longest_wait_s: default_longest_wait(),
        }
    }

    /// Says what cannot be meant.
    ///
    /// # Errors
    /// A sentence that names the key.
    pub fn check(&self) -> Result<(), String> {
        let prices = [
            ("price_input_per_million", self.price_input_per_million),
            ("price_output_per_million", self.price_output_per_million),
            ("batch_price_share", Some(self.batch_price_share)),
        ];
        for (key, price) in prices {
            let price = price.unwrap_or(0.0);
            if !price.is_finite() || price < 0.0 {
                return Err(format!("expected `{key}` of 0 or more, found {price}"));
            }
        }
        for (key, value) in [
            ("concurrency", self.concurrency),
            ("timeout_s", usize::try_from(self.timeout_s).unwrap_or(1)),
            ("reply_bytes", self.reply_bytes),
        ] {
            if value == 0 {
                return Err(format!("expected `{key}` of 1 or more, found 0"));
            }
        }
        Ok(())
    }

    /// Says what a budget cannot bound: a member without prices.
    ///
    /// # Errors
    /// A sentence that names the key.
    pub(super) fn check_prices(&self) -> Result<(), String> {
        for (key, price) in [
            ("price_input_per_million", self.price_input_per_million),
            ("price_output_per_million", self.price_output_per_million),
        ] {
            if price.is_none() {
                return Err(format!(
                    "expected `{key}`, since there is a budget to keep, found none; a server that \
                     costs nothing has the price 0"
                ));
            }
        }
        Ok(())
    }

    pub(super) fn retry(&self) -> RetryPolicy {
        RetryPolicy {
            retries: self.retries,
            first_delay: Duration::from_millis(self.first_delay_ms),
            longest_wait: Duration::from_secs(self.longest_wait_s),
            ..RetryPolicy::default()
        }
    }
}
