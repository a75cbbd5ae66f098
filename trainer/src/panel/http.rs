//! Members of a panel behind an API.
//!
//! A recipe names them once, as `[members.NAME]`; the steps choose among them by name. All members
//! of a step share one ledger, in which money is reserved before each attempt and replies are kept.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use truefill_remote::api::{
    self, ApiError, ChatRequest, Client, EndpointConfig, Ledger, SystemTiming, Timing,
};

use super::{Answer, AskError, Finish, Member, Question, Reply};

/// The `[members]` of a recipe, by name.
pub type Members = BTreeMap<String, EndpointConfig>;

/// Reads the `[members]` of a recipe; none where it has none.
///
/// # Errors
/// With the member's name and what is wrong with it.
pub fn members_of(recipe: &toml::Table) -> Result<Members> {
    let Some(table) = recipe.get("members") else {
        return Ok(Members::new());
    };
    let table = table
        .as_table()
        .context("expected `members` to be a table of endpoints, as `[members.NAME]`")?;
    let mut members = Members::new();
    for (name, value) in table {
        let member: EndpointConfig = value
            .clone()
            .try_into()
            .with_context(|| format!("`members.{name}`"))?;
        if let Err(problem) = member.check() {
            bail!("`members.{name}`: {problem}");
        }
        members.insert(name.clone(), member);
    }
    Ok(members)
}

/// Opens the ledger that a step's members share. `budget` is in the unit of the prices and bounds
/// what all runs with this ledger spend.
///
/// # Errors
/// Where the file cannot be used.
pub fn open_ledger(path: &Path, budget: Option<f64>) -> Result<Ledger> {
    Ok(Ledger::open(path, budget)?)
}

/// A member behind an API.
#[derive(Clone)]
pub struct HttpMember {
    name: String,
    client: Client,
}

impl HttpMember {
    /// A member with the system's clock, its key read from the environment.
    ///
    /// # Errors
    /// Where the endpoint or its key cannot be used.
    pub fn new(name: &str, config: &EndpointConfig, ledger: &Ledger) -> Result<Self> {
        let lookup = |variable: &str| std::env::var(variable).ok();
        Self::with(name, config, ledger, Arc::new(SystemTiming), &lookup)
    }

    /// A member whose clock and environment come from outside.
    ///
    /// # Errors
    /// As [`HttpMember::new`].
    pub fn with(
        name: &str,
        config: &EndpointConfig,
        ledger: &Ledger,
        timing: Arc<dyn Timing>,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let client = Client::new(config, ledger, timing, lookup)
            .with_context(|| format!("`members.{name}`"))?;
        Ok(Self {
            name: name.to_owned(),
            client,
        })
    }

    /// The client, for batches and embeddings.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }
}

/// The members of these names, in this order.
///
/// # Errors
/// Where the recipe has no member of a name, or one cannot be used.
pub fn choose(members: &Members, names: &[String], ledger: &Ledger) -> Result<Vec<HttpMember>> {
    names
        .iter()
        .map(|name| {
            let config = members.get(name).with_context(|| {
                let known: Vec<&str> = members.keys().map(String::as_str).collect();
                format!(
                    "expected a member of the recipe ({}), found `{name}`",
                    if known.is_empty() {
                        "it has none; add `[members.NAME]`".to_owned()
                    } else {
                        known.join(", ")
                    }
                )
            })?;
            HttpMember::new(name, config, ledger)
        })
        .collect()
}

/// A question as the client takes it.
#[must_use]
pub fn request_of(question: &Question) -> ChatRequest {
    ChatRequest {
        subject: question.subject.clone(),
        prompt_version: question.prompt_version.clone(),
        system: question.system.clone(),
        user: question.user.clone(),
        temperature: question.temperature,
        seed: question.seed,
        max_tokens: question.max_tokens,
    }
}

impl Member for HttpMember {
    fn name(&self) -> &str {
        &self.name
    }

    fn ask<'a>(&'a self, question: &'a Question) -> Answer<'a> {
        Box::pin(async move {
            let reply = self.client.chat(&request_of(question)).await;
            let reply = reply.map_err(ask_error)?;
            Ok(Reply {
                text: reply.text,
                finish: match reply.finish {
                    api::Finish::Stop => Finish::Stop,
                    api::Finish::Length => Finish::Length,
                    api::Finish::Blocked => Finish::Blocked,
                },
                input_tokens: reply.input_tokens,
                output_tokens: reply.output_tokens,
            })
        })
    }
}

/// What an error means for the step: a broken ledger stops it like a refused key.
pub(crate) fn ask_error(error: ApiError) -> AskError {
    match error {
        ApiError::Budget { .. } => AskError::Budget(error.to_string()),
        ApiError::Failed { .. } => AskError::Failed(error.to_string()),
        _ => AskError::Stop(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Result<Members> {
        members_of(&text.parse::<toml::Table>()?)
    }

    #[test]
    fn a_recipe_names_its_members() {
        let text = "[members.gpt]\nurl = 'https://h'\nprotocol = 'openai-chat'\nmodel = 'm'\n\
                    price_input_per_million = 1.25\n[members.gpt.extra]\nreasoning_effort = 'low'";
        let found = members(text).expect("members");
        assert_eq!(found["gpt"].model, "m");
        assert_eq!(found["gpt"].extra["reasoning_effort"], "low");
        for (text, expected) in [
            ("members = 3", "`[members.NAME]`"),
            ("[members.a]\nurl = 'x'", "members.a"),
            (
                "[members.a]\nurl = 'x'\nprotocol = 'anthropic'\nmodel = 'm'\nconcurrency = 0",
                "concurrency",
            ),
            (
                "[members.a]\nurl = 'x'\nprotocol = 'anthropic'\nmodel = 'm'\napi_key = 'sk'",
                "members.a",
            ),
        ] {
            let error = format!("{:#}", members(text).expect_err("refused"));
            assert!(error.contains(expected), "{error}");
        }
    }
}
