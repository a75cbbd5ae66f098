//! From the names in a recipe to generators.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::ask::{Asked, Asking, PLACES, Prompts};
use super::generator::Generator;
use super::local::Local;
use super::mutate::Mutate;
use super::recipe::Recipe;
use super::similar::{self, Embeddings, Similarity};
use super::teacher::Teacher;
use super::vocabulary::Vocabulary;
use crate::panel::http::{HttpMember, Members};
use crate::panel::{self, Books, Member};
use crate::prompt::Prompt;

/// How a recipe names FGit's teacher.
const TEACHER: &str = "teacher:";

/// Everything that a recipe's generators need.
pub(super) struct Panel {
    /// The members that are asked, by name.
    pub members: BTreeMap<String, HttpMember>,
    /// What is paid; none where no member is asked.
    pub books: Option<Books>,
    similarity: Arc<dyn Similarity>,
    prompts: Arc<Prompts>,
    /// Where the samples of `local` are kept.
    samples: PathBuf,
}

impl Panel {
    pub(super) fn open(recipe: &Recipe, members: &Members, out: &Path) -> Result<Self> {
        let mut names: Vec<String> = recipe
            .generators
            .iter()
            .filter_map(|name| member_of(name))
            .collect();
        names.sort_unstable();
        names.dedup();
        let mut panel = Self {
            members: BTreeMap::new(),
            books: None,
            similarity: similar::open(&recipe.teacher)?,
            prompts: Arc::new(Prompts::load(recipe.prompts.as_deref())?),
            samples: samples_beside(out),
        };
        if names.is_empty() {
            return Ok(panel);
        }
        let asked = names.len();
        names.extend(recipe.teacher.embeddings.clone());
        let ledger = recipe.ledger_beside(out);
        let (mut opened, books) = panel::open(members, &names, &ledger, recipe.budget)?;
        if let Some(member) = opened.drain(asked..).next() {
            panel.similarity = Arc::new(Embeddings::new(member.client().clone()));
        }
        let named = opened
            .into_iter()
            .map(|member| (member.name().to_owned(), member));
        panel.members = named.collect();
        panel.books = Some(books);
        Ok(panel)
    }

    /// The prompts that a recipe's generators ask with, as a manifest names them.
    pub(super) fn prompts(&self, recipe: &Recipe) -> Result<Vec<Value>> {
        let asking = recipe
            .generators
            .iter()
            .filter(|name| member_of(name).is_some());
        let (teachers, typed): (Vec<_>, Vec<_>) =
            asking.partition(|name| name.starts_with(TEACHER));
        let mut rows = Vec::new();
        if !typed.is_empty() {
            rows.extend(self.prompts.all().iter().map(Prompt::row));
        }
        if !teachers.is_empty() {
            let text = include_str!("../../../prompts/generate/teacher.toml");
            let folder = recipe.prompts.as_deref();
            rows.push(Prompt::load(folder, "generate/teacher", text, PLACES)?.row());
        }
        Ok(rows)
    }

    /// The measure of similarity, as the manifest names it.
    pub(super) fn similarity(&self) -> String {
        self.similarity.name()
    }

    /// The generators in the recipe's order; `member` gives who is asked under a name.
    pub(super) fn generators(
        &self,
        recipe: &Recipe,
        vocabulary: &Arc<Vocabulary>,
    ) -> Result<Vec<Arc<dyn Generator>>> {
        let member = |name: &str| -> Option<Arc<dyn Member>> {
            let member = self.members.get(name)?.clone();
            Some(Arc::new(member))
        };
        let mut generators: Vec<Arc<dyn Generator>> = Vec::new();
        for name in &recipe.generators {
            generators.push(match name.as_str() {
                "mutate" => Arc::new(Mutate::new(Arc::clone(vocabulary))),
                "local" => Arc::new(Local::open(&recipe.local, &self.samples)?),
                name => self
                    .asking(recipe, name, &member)?
                    .with_context(|| format!("there is no member for `{name}`"))?,
            });
        }
        Ok(generators)
    }

    /// The generators that ask a member, each with the one that `member` gives; the others are
    /// left out.
    pub(super) fn asking_generators(
        &self,
        recipe: &Recipe,
        member: &dyn Fn(&str) -> Option<Arc<dyn Member>>,
    ) -> Result<Vec<Arc<dyn Generator>>> {
        let names = recipe.generators.iter();
        let names = names.filter(|name| member_of(name).is_some());
        let found: Result<Vec<_>> = names
            .map(|name| self.asking(recipe, name, member))
            .collect();
        Ok(found?.into_iter().flatten().collect())
    }

    fn asking(
        &self,
        recipe: &Recipe,
        name: &str,
        member: &dyn Fn(&str) -> Option<Arc<dyn Member>>,
    ) -> Result<Option<Arc<dyn Generator>>> {
        let typed = Asking {
            temperature: recipe.temperature,
            max_tokens: recipe.max_tokens,
            side_bytes: recipe.side_bytes,
        };
        let Some(asked) = member(name.strip_prefix(TEACHER).unwrap_or(name)) else {
            return Ok(None);
        };
        if !name.starts_with(TEACHER) {
            let asked = Asked::new(asked, Arc::clone(&self.prompts), typed);
            return Ok(Some(Arc::new(asked)));
        }
        let asking = Asking {
            temperature: recipe.teacher.temperature,
            ..typed
        };
        let teacher = Teacher::new(
            asked,
            recipe.prompts.as_deref(),
            asking,
            recipe.teacher.variants,
            Arc::clone(&self.similarity),
        )?;
        Ok(Some(Arc::new(teacher)))
    }
}

/// The member that a generator asks.
fn member_of(generator: &str) -> Option<String> {
    match generator {
        "mutate" | "local" => None,
        name => Some(name.strip_prefix(TEACHER).unwrap_or(name).to_owned()),
    }
}

/// `<out>.samples.jsonl`.
fn samples_beside(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".samples.jsonl");
    out.with_file_name(name)
}
