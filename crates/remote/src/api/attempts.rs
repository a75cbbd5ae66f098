//! From one question to its answer: looked up, reserved, sent, sent again, settled.

use std::sync::atomic::Ordering;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, RequestBuilder};

use super::client::Inner;
use super::counters::{Counters, InFlight};
use super::error::{ApiError, Failure};
use super::ledger::{Begun, Intent, Outcome};
use super::protocol::Usage;
use super::transport::Failed;
use super::{Nanos, cost};

/// Bytes of code that make a token, about; for rates and for servers that do not count.
pub(super) const BYTES_PER_TOKEN: u64 = 3;

/// A request that is ready to go.
pub(super) struct Call {
    pub path: &'static str,
    pub body: Vec<u8>,
    pub intent: Intent,
    /// Tokens of question and reply, about.
    pub tokens: u64,
}

/// A reply that was understood.
pub(super) struct Understood {
    pub json: String,
    pub usage: Usage,
    /// Bytes of its text.
    pub bytes: u64,
}

pub(super) type Parse<'a> = &'a (dyn Fn(&[u8]) -> Result<Understood, String> + Send + Sync);

/// Why nothing further is sent.
pub(super) enum Stop {
    /// The status of a refusal, and what was said.
    Refused(u16, String),
    /// A wait that is too long.
    Wait(Duration),
    /// Nobody answered, ever: attempts of the question that found out, and how the last one ended.
    Unreachable(usize, Failure),
}

/// What came of one attempt.
enum Step {
    Answer(String),
    Blocked,
    Again(Failure, Option<Duration>),
}

impl Inner {
    /// What a reply cost, by the server's count where there is one.
    pub(super) fn price(&self, usage: Usage, request_bytes: u64, reply_bytes: u64) -> Nanos {
        let input = usage.input.unwrap_or(request_bytes / BYTES_PER_TOKEN);
        let output = usage.output.unwrap_or(reply_bytes / BYTES_PER_TOKEN + 1);
        self.cost_of(input, output)
    }

    /// What so many tokens cost.
    pub(super) fn cost_of(&self, input: u64, output: u64) -> Nanos {
        let config = &self.config;
        cost(input, config.price_input_per_million.unwrap_or(0.0))
            .saturating_add(cost(output, config.price_output_per_million.unwrap_or(0.0)))
    }

    /// The reply's JSON; nothing where a filter blocked the question.
    pub(super) async fn answer(
        &self,
        call: &Call,
        parse: Parse<'_>,
    ) -> Result<Option<String>, ApiError> {
        let counters = self.ledger.counters();
        Counters::add(&counters.asked, 1);
        if let Some(kept) = self.ledger.kept(call.intent.key).await? {
            Counters::add(&counters.cached, 1);
            return Ok(Some(kept.reply));
        }
        let _slot = self.slots.acquire().await;
        let answer = self.attempts(call, parse).await;
        if answer.is_err() {
            Counters::add(&counters.failed, 1);
        }
        answer
    }

    async fn attempts(&self, call: &Call, parse: Parse<'_>) -> Result<Option<String>, ApiError> {
        let policy = self.config.retry();
        let mut delays = policy.delays(salt(&call.intent.key));
        let mut attempts = 0;
        loop {
            attempts += 1;
            let (failure, wait) = match self.attempt(call, parse, attempts > 1).await? {
                Step::Answer(json) => return Ok(Some(json)),
                Step::Blocked => return Ok(None),
                Step::Again(failure, wait) => (failure, wait),
            };
            let delay = delays.next().filter(|_| failure.is_transient());
            let Some(delay) = delay else {
                if matches!(failure, Failure::Unreachable(_)) && !self.is_reached() {
                    self.stop(Stop::Unreachable(attempts, failure.clone()));
                    self.refuse_if_stopped()?;
                }
                return Err(self.failed(attempts, failure));
            };
            tracing::debug!(host = self.transport.host(), %failure, "asking again");
            // A server that asks for no wait at all is not to be hurried either.
            self.timing.sleep(wait.unwrap_or_default().max(delay)).await;
        }
    }

    async fn attempt(&self, call: &Call, parse: Parse<'_>, again: bool) -> Result<Step, ApiError> {
        // What is never sent does not wait for its turn either.
        self.refuse_if_stopped()?;
        let broke = |left| ApiError::Budget {
            needed: call.intent.reserve,
            left,
        };
        if let Some(left) = self.ledger.lacks(&call.intent).await? {
            return Err(broke(left));
        }
        self.limiter.admit(call.tokens, &*self.timing).await;
        self.refuse_if_stopped()?;
        let open = match self.ledger.begin(call.intent.clone()).await? {
            Begun::Kept(kept) => return Ok(Step::Answer(kept.reply)),
            Begun::Broke { left } => return Err(broke(left)),
            Begun::Open(open) => open,
        };
        let counters = self.ledger.counters();
        Counters::add(&counters.attempts, 1);
        Counters::add(&counters.retries, u64::from(again));
        let sent = {
            let _under_way = InFlight::begin(counters);
            self.transport.send(self.post(call)).await
        };
        self.reached(sent.as_ref().err().map(|failed| &failed.failure));
        let understood = sent.and_then(|body| {
            parse(&body).map_err(|problem| Failed::from(Failure::Malformed(problem)))
        });
        match understood {
            Ok(reply) => {
                let (outcome, json) = self.outcome(call, reply);
                open.settle(outcome).await?;
                Ok(Step::Answer(json))
            }
            Err(failed) => {
                let lost = failed.failure.may_cost();
                let outcome = if lost { Outcome::Lost } else { Outcome::Free };
                open.settle(outcome).await?;
                self.after(failed)
            }
        }
    }

    fn outcome(&self, call: &Call, reply: Understood) -> (Outcome, String) {
        let outcome = Outcome::Answered {
            cost: self.price(reply.usage, call.body.len() as u64, reply.bytes),
            input_tokens: reply.usage.input.unwrap_or(0),
            output_tokens: reply.usage.output.unwrap_or(0),
            reply: reply.json.clone(),
        };
        (outcome, reply.json)
    }

    /// What follows from a failed attempt.
    fn after(&self, failed: Failed) -> Result<Step, ApiError> {
        if failed.is_blocked() {
            return Ok(Step::Blocked);
        }
        if failed.is_final()
            && let Failure::Status { status, excerpt } = &failed.failure
        {
            self.stop(Stop::Refused(*status, excerpt.clone()));
        }
        let now = self.timing.now();
        let wait = failed
            .retry_after
            .and_then(|header| header.wait(now))
            .filter(|_| failed.failure.is_transient());
        match wait {
            Some(wait) if wait > self.config.retry().longest_wait => self.stop(Stop::Wait(wait)),
            Some(wait) => self.limiter.hold(now, wait),
            None => {}
        }
        self.refuse_if_stopped()?;
        Ok(Step::Again(failed.failure, wait))
    }

    /// Nothing further is sent to this endpoint. The first reason is the one that is told.
    pub(super) fn stop(&self, why: Stop) {
        let _ = self.stopped.set(why);
    }

    pub(super) fn refuse_if_stopped(&self) -> Result<(), ApiError> {
        let host = self.transport.host();
        match self.stopped.get() {
            None => Ok(()),
            Some(Stop::Refused(status, excerpt)) => Err(ApiError::Refused {
                host,
                status: *status,
                excerpt: excerpt.clone(),
            }),
            Some(Stop::Wait(wait)) => Err(ApiError::Wait { host, wait: *wait }),
            Some(Stop::Unreachable(attempts, last)) => Err(ApiError::Unreachable {
                host,
                attempts: *attempts,
                last: last.clone(),
            }),
        }
    }

    /// Whether anything ever came from the server.
    fn is_reached(&self) -> bool {
        self.reached.load(Ordering::Relaxed)
    }

    fn reached(&self, failure: Option<&Failure>) {
        let silent = matches!(
            failure,
            Some(Failure::Unreachable(_) | Failure::TimedOut(_))
        );
        if !silent {
            self.reached.store(true, Ordering::Relaxed);
        }
    }

    fn post(&self, call: &Call) -> RequestBuilder {
        self.transport
            .request(Method::POST, call.path)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(call.body.clone())
    }

    pub(super) fn failed(&self, attempts: usize, last: Failure) -> ApiError {
        ApiError::Failed {
            host: self.transport.host(),
            attempts,
            last,
        }
    }
}

/// A number that tells a request from others.
pub(super) fn salt(key: &[u8; 32]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&key[..8]);
    u64::from_le_bytes(first)
}
