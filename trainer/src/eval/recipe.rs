//! The recipe's section `[eval]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::backend::ServerConfig;
use super::decoding::Decoding;
use super::suite::{Form, Suite};
use crate::train::chat::Template;
use crate::usage::Usage;

/// Seconds of a day: nobody waits longer for one run of tests.
const LONGEST_TEST: u64 = 86_400;

/// What is measured, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvalRecipe {
    /// The checkpoint: a file, a folder, or an id or alias in the store.
    pub model: String,
    /// A server in its place.
    pub server: Option<ServerConfig>,
    /// `auto`, `cpu`, `cuda` or `cuda:N`.
    pub device: String,
    /// Rows that are completed at a time; without a number 8, 64 on a GPU, 16 at a server.
    pub width: Option<usize>,
    /// How completions are made.
    pub decoding: Decoding,
    /// Whether programs are run, where a suite has them.
    pub run: bool,
    /// The Python that runs them: a path, or a name in PATH.
    pub python: PathBuf,
    /// Whether its installed packages can be imported (BigCodeBench needs many).
    pub packages: bool,
    /// Programs that run at a time; without a number one for each core, and one copy of a repository.
    pub workers: Option<usize>,
    /// Draws the rows of a limit and the clusters of intervals.
    pub seed: u64,
    /// What is measured with.
    pub suite: Vec<SuiteRecipe>,
}

impl Default for EvalRecipe {
    fn default() -> Self {
        Self {
            model: "default".into(),
            server: None,
            device: "auto".into(),
            width: None,
            decoding: Decoding::default(),
            run: true,
            python: "python3".into(),
            packages: false,
            workers: None,
            seed: 1,
            suite: Vec::new(),
        }
    }
}

/// A suite and its files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuiteRecipe {
    /// Which one.
    pub name: Suite,
    /// Its files, or folders of files; of `holes` a repository.
    pub data: Vec<PathBuf>,
    /// What its results are called, where it is not the suite's name.
    #[serde(default)]
    pub title: Option<String>,
    /// Rows at most, drawn by the seed; without a number all, 50 of `holes`.
    #[serde(default)]
    pub limit: Option<usize>,
    /// Whether tasks are asked as text that goes on or in words.
    #[serde(default)]
    pub form: Form,
    /// Of `holes`: the command that tests the repository.
    #[serde(default)]
    pub test: Option<String>,
    /// Of `holes`: what the tests need beside the repository and `/usr`.
    #[serde(default)]
    pub mounts: Vec<PathBuf>,
    /// Of `holes`: seconds that the tests may take; without a number 300.
    #[serde(default)]
    pub timeout: Option<u64>,
}

impl SuiteRecipe {
    /// What its results are called.
    #[must_use]
    pub fn title(&self) -> String {
        self.title.clone().unwrap_or_else(|| self.name.to_string())
    }

    /// What only `holes` knows, and what it cannot do without.
    fn check_holes(&self, run: bool) -> Result<(), String> {
        let title = self.title();
        if self.name != Suite::Holes {
            let given = [
                ("test", self.test.is_some()),
                ("mounts", !self.mounts.is_empty()),
                ("timeout", self.timeout.is_some()),
            ];
            return match given.iter().find(|(_, given)| *given) {
                Some((key, _)) => Err(format!(
                    "`{key}` of `{title}`: only `{}` has it",
                    Suite::Holes
                )),
                None => Ok(()),
            };
        }
        let wrong = |what: &str| Err(format!("`{title}`: expected {what}"));
        match &self.test {
            _ if !run => wrong(
                "tests that may be run, found `run = false`; `mine` cuts holes that `contexts` measures without \
                 them",
            ),
            None => wrong(
                "the command that tests the repository (`test`, on the command line `--test`), found none",
            ),
            Some(command) if command.trim().is_empty() => {
                wrong("the command that tests the repository in `test`, found nothing")
            }
            Some(_) if self.data.len() != 1 => wrong(&format!(
                "one repository in `data`, found {} paths; give each a suite and a `title`",
                self.data.len()
            )),
            Some(_) if !(1..=LONGEST_TEST).contains(&self.timeout.unwrap_or(1)) => wrong(&format!(
                "1 to {LONGEST_TEST} seconds in `timeout`, found {}",
                self.timeout.unwrap_or_default()
            )),
            Some(_) => Ok(()),
        }
    }
}

impl EvalRecipe {
    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// [`Usage`].
    pub fn check(&self) -> anyhow::Result<()> {
        let wrong = |why: String| Usage::error(format!("section `[eval]`: {why}"));
        self.sound().map_err(wrong)
    }

    /// The same without saying where it stands; a sentence about a key begins with it.
    pub(super) fn sound(&self) -> Result<(), String> {
        self.decoding.check()?;
        for (key, number) in [("width", self.width), ("workers", self.workers)] {
            if number == Some(0) {
                return Err(format!("`{key}`: expected at least 1, found 0"));
            }
        }
        if !truefill_model::device::is_name(&self.device) {
            return Err(format!(
                "`device`: expected `auto`, `cpu`, `cuda` or `cuda:N`, found `{}`",
                self.device
            ));
        }
        if let Some(chat) = self.server.as_ref().and_then(|server| server.chat.as_ref()) {
            let template = chat.template.parse::<Template>();
            template.map_err(|error| format!("`server.chat`: {error}"))?;
        }
        let mut titles = Vec::new();
        for suite in &self.suite {
            let title = suite.title();
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if title.is_empty() || title.starts_with('.') || !title.chars().all(plain) {
                return Err(format!(
                    "a suite's `title` becomes the name of a file: expected letters, digits, `-`, `_` and \
                     `.`, found `{title}`"
                ));
            }
            if suite.limit == Some(0) {
                return Err(format!(
                    "`limit` of `{title}`: expected at least 1, found 0"
                ));
            }
            suite.check_holes(self.run)?;
            if titles.contains(&title) {
                return Err(format!(
                    "expected suites of different titles, found `{title}` twice; give one of them a `title`"
                ));
            }
            titles.push(title);
        }
        Ok(())
    }
}
