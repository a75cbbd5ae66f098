//! Members of a panel behind an API.
//!
//! A recipe names them once, as `[members.NAME]`; the steps choose among them by name. All members
//! of a step share one ledger, in which money is reserved before each attempt and replies are kept.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use truefill_journal::redact;
use truefill_remote::api::{ApiError, Client, EndpointConfig, Ledger, SystemTiming, Timing};

use super::{Answer, AskError, Member, Question};
use crate::recipe;
use crate::usage::Usage;

/// What generators that are no member are called.
const TAKEN: [&str; 2] = ["local", "mutate"];

/// The `[members]` of a recipe, by name.
pub type Members = BTreeMap<String, EndpointConfig>;

/// Reads the `[members]` of a recipe; none where it has none.
///
/// # Errors
/// [`Usage`] with the member's name and what is wrong with it; where the file cannot be read.
pub fn members_of(recipe: &Path) -> Result<Members> {
    let wrong = |what: String| Usage::error(format!("{}: {what}", recipe.display()));
    let table = match recipe::sections(recipe)?.remove("members") {
        None => return Ok(Members::new()),
        Some(toml::Value::Table(table)) => table,
        Some(_) => {
            let expected = "expected `members` to be a table of endpoints, as `[members.NAME]`";
            return Err(wrong(expected.to_owned()));
        }
    };
    let mut members = Members::new();
    for (name, value) in table {
        let what = format!("`members.{name}`");
        if TAKEN.contains(&name.as_str()) || name.contains(':') {
            return Err(wrong(format!(
                "{what}: expected a name without `:` that no generator of its own has ({}); give it \
                 another",
                TAKEN.join(", ")
            )));
        }
        let member: EndpointConfig =
            recipe::read(value, &what).map_err(|error| wrong(error.to_string()))?;
        member
            .check()
            .map_err(|problem| wrong(format!("{what}: {problem}")))?;
        members.insert(name, member);
    }
    Ok(members)
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
    /// [`Usage`] where the endpoint or its key cannot be used.
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
            .map_err(|error| Usage::error(format!("`members.{name}`: {error}")))?;
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

/// Keeps back what holds a secret. All code on its way to an API passes here, since what is sent
/// cannot be taken back.
///
/// # Errors
/// [`AskError::Secret`].
pub fn keep_secrets<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<(), AskError> {
    match texts.into_iter().any(redact::holds_secret) {
        true => Err(AskError::Secret),
        false => Ok(()),
    }
}

impl Member for HttpMember {
    fn name(&self) -> &str {
        &self.name
    }

    fn ask<'a>(&'a self, question: &'a Question) -> Answer<'a> {
        Box::pin(async move {
            keep_secrets([&*question.user])?;
            self.client.chat(question).await.map_err(ask_error)
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
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("r.toml");
        std::fs::write(&path, text)?;
        members_of(&path)
    }

    #[test]
    fn a_recipe_names_its_members() {
        let text = "[members.gpt]\nurl = 'https://h'\nprotocol = 'openai-chat'\nmodel = 'm'\n\
                    price_input_per_million = 1.25\n[members.gpt.extra]\nreasoning_effort = 'low'";
        let found = members(text).expect("members");
        assert_eq!(found["gpt"].model, "m");
        assert_eq!(found["gpt"].extra["reasoning_effort"], "low");
        let whole = "url = 'x'\nprotocol = 'anthropic'\nmodel = 'm'";
        for (text, expected) in [
            ("members = 3".to_owned(), "`[members.NAME]`"),
            ("[members.a]\nurl = 'x'".to_owned(), "members.a"),
            (
                format!("[members.a]\n{whole}\nconcurrency = 0"),
                "concurrency",
            ),
            (format!("[members.a]\n{whole}\napi_key = 'sk'"), "members.a"),
            (
                format!("[members.a]\n{whole}\nretry = 3"),
                "key is `retries`",
            ),
            (format!("[members.local]\n{whole}"), "members.local"),
            (format!("[members.'teacher:a']\n{whole}"), "without `:`"),
        ] {
            let error = members(&text).expect_err("refused");
            assert!(error.is::<Usage>(), "{error}");
            let error = error.to_string();
            assert!(
                error.contains(expected) && error.contains("r.toml"),
                "{error}"
            );
        }
    }

    #[test]
    fn what_holds_a_secret_is_not_sent() {
        let secret = format!("key = 'AKIA{}'", "Z7QK2M4XW9PL3RTB");
        assert_eq!(keep_secrets(["key = load()"]), Ok(()));
        assert_eq!(
            keep_secrets(["key = load()", &secret]),
            Err(AskError::Secret)
        );
    }
}
