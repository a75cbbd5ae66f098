//! From the names in a recipe to generators.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::ask::{Asked, Asking, Prompts};
use super::generator::Generator;
use super::local::Local;
use super::mutate::Mutate;
use super::recipe::Recipe;
use super::similar::{self, Embeddings, Similarity};
use super::teacher::{self, Teacher};
use super::vocabulary::Vocabulary;
use crate::checkpoint;
use crate::panel::http::{HttpMember, Members};
use crate::panel::{self, Books, Member};
use crate::prompt::Prompt;
use crate::rows::{Input, beside};

/// How a recipe names FGit's teacher.
const TEACHER: &str = "teacher:";

/// What the generators of a recipe need, and nothing else.
pub(super) struct Panel {
    /// The members that are asked, by name.
    pub members: BTreeMap<String, HttpMember>,
    /// What is paid; none where no member is asked.
    pub books: Option<Books>,
    /// Checkpoints and encoders that run here.
    pub models: Vec<Input>,
    /// The prompts of members that are asked by type.
    typed: Option<Arc<Prompts>>,
    /// What teachers are asked with and measured by.
    teaching: Option<Teaching>,
    /// Where the samples of `local` are kept.
    samples: PathBuf,
}

struct Teaching {
    prompt: Prompt,
    similarity: Arc<dyn Similarity>,
}

impl Panel {
    pub(super) fn open(recipe: &Recipe, members: &Members, out: &Path) -> Result<Self> {
        let asking = recipe.generators.iter().filter_map(|name| member_of(name));
        let mut names: Vec<String> = asking.map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        let prompts = recipe.prompts.as_deref();
        let mut panel = Self {
            members: BTreeMap::new(),
            books: None,
            models: checkpoint::inputs(models(recipe))?,
            typed: match recipe.generators.iter().any(|name| is_typed(name)) {
                true => Some(Arc::new(Prompts::load(prompts)?)),
                false => None,
            },
            teaching: match teaches(recipe) {
                true => Some(Teaching {
                    prompt: teacher::prompt(prompts)?,
                    similarity: similar::open(&recipe.teacher)?,
                }),
                false => None,
            },
            samples: beside(out, "samples.jsonl"),
        };
        if names.is_empty() {
            return Ok(panel);
        }
        let asked = names.len();
        let embeddings = recipe.teacher.embeddings.clone();
        names.extend(embeddings.filter(|_| teaches(recipe)));
        let ledger = recipe.ledger_beside(out);
        let (mut opened, books) = panel::open(members, &names, &ledger, recipe.budget)?;
        if let (Some(member), Some(teaching)) = (opened.drain(asked..).next(), &mut panel.teaching)
        {
            teaching.similarity = Arc::new(Embeddings::new(member.client().clone()));
        }
        let named = opened
            .into_iter()
            .map(|member| (member.name().to_owned(), member));
        panel.members = named.collect();
        panel.books = Some(books);
        Ok(panel)
    }

    /// The prompts that a recipe's generators ask with, as a manifest names them.
    pub(super) fn prompts(&self) -> Vec<Value> {
        let typed = self.typed.iter().flat_map(|prompts| prompts.all());
        let teacher = self.teaching.iter().map(|teaching| &teaching.prompt);
        typed.chain(teacher).map(Prompt::row).collect()
    }

    /// The measure of similarity, as the manifest names it; none without a teacher.
    pub(super) fn similarity(&self) -> Option<String> {
        let teaching = self.teaching.as_ref();
        teaching.map(|teaching| teaching.similarity.name())
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
                "local" => Arc::new(self.local(recipe)?),
                name => self
                    .asking(recipe, name, &member)
                    .with_context(|| format!("there is no member for `{name}`"))?,
            });
        }
        Ok(generators)
    }

    fn local(&self, recipe: &Recipe) -> Result<Local> {
        let model = recipe.local.model.as_ref();
        let mut known = self.models.iter();
        let known = known.find(|known| Some(&known.path) == model);
        let sha256 = known.map(|known| &*known.sha256).unwrap_or_default();
        Local::open(&recipe.local, sha256, &self.samples)
    }

    /// The generators that ask a member, each with the one that `member` gives; the others are
    /// left out.
    pub(super) fn asking_generators(
        &self,
        recipe: &Recipe,
        member: &dyn Fn(&str) -> Option<Arc<dyn Member>>,
    ) -> Vec<Arc<dyn Generator>> {
        let names = recipe.generators.iter();
        names
            .filter_map(|name| self.asking(recipe, name, member))
            .collect()
    }

    fn asking(
        &self,
        recipe: &Recipe,
        name: &str,
        member: &dyn Fn(&str) -> Option<Arc<dyn Member>>,
    ) -> Option<Arc<dyn Generator>> {
        let typed = Asking {
            temperature: recipe.temperature,
            max_tokens: recipe.max_tokens,
            side_bytes: recipe.side_bytes,
        };
        let asked = member(member_of(name)?)?;
        if is_typed(name) {
            let prompts = Arc::clone(self.typed.as_ref()?);
            return Some(Arc::new(Asked::new(asked, prompts, typed)));
        }
        let teaching = self.teaching.as_ref()?;
        let asking = Asking {
            temperature: recipe.teacher.temperature,
            ..typed
        };
        Some(Arc::new(Teacher::new(
            asked,
            teaching.prompt.clone(),
            asking,
            recipe.teacher.variants,
            Arc::clone(&teaching.similarity),
        )))
    }
}

/// The member that a generator asks.
fn member_of(generator: &str) -> Option<&str> {
    match generator {
        "mutate" | "local" => None,
        name => Some(name.strip_prefix(TEACHER).unwrap_or(name)),
    }
}

/// A generator that asks a member for each type.
fn is_typed(generator: &str) -> bool {
    member_of(generator).is_some() && !generator.starts_with(TEACHER)
}

fn teaches(recipe: &Recipe) -> bool {
    let mut names = recipe.generators.iter();
    names.any(|name| name.starts_with(TEACHER))
}

/// Where the checkpoints and encoders lie that run here.
fn models(recipe: &Recipe) -> impl Iterator<Item = &Path> {
    let local = recipe.local.model.as_deref();
    let teacher = [&recipe.teacher.encoder, &recipe.teacher.model];
    let teacher = teacher.into_iter().filter_map(Option::as_deref);
    local
        .filter(|_| recipe.has("local"))
        .into_iter()
        .chain(teacher.filter(|_| teaches(recipe)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(generators: &[&str], keys: &str) -> Result<Panel> {
        let folder = tempfile::tempdir()?;
        let text = "[m]\nurl = 'http://127.0.0.1:1'\nprotocol = 'openai-chat'\nmodel = 'm'\n\
                    [e]\nurl = 'http://127.0.0.1:1'\nprotocol = 'openai-chat'\nmodel = 'e'\n\
                    api_key_env = 'TRUEFILL_NO_SUCH_KEY'\n";
        let members: Members = toml::from_str(text)?;
        let mut recipe: Recipe = toml::from_str(keys)?;
        recipe.generators = generators.iter().map(|name| (*name).to_owned()).collect();
        Panel::open(&recipe, &members, &folder.path().join("out.jsonl"))
    }

    /// A model that nobody uses need not be there, nor a key, nor a prompt.
    #[test]
    fn what_no_generator_uses_is_not_opened() {
        let teacher = "[teacher]\nencoder = 'nowhere'\n";
        let embeddings = "[teacher]\nembeddings = 'e'\n";
        let local = "[local]\nmodel = 'nowhere.gguf'\n";
        for keys in [teacher, embeddings, local] {
            let panel = opened(&["mutate", "m"], keys).expect("opened");
            assert_eq!((panel.similarity(), panel.models.len()), (None, 0));
            assert_eq!(panel.prompts().len(), 4);
        }
        assert!(opened(&["teacher:m"], teacher).is_err());
        let error = opened(&["teacher:m"], embeddings).err().expect("refused");
        assert!(
            error.to_string().contains("TRUEFILL_NO_SUCH_KEY"),
            "{error}"
        );
        assert!(opened(&["local"], local).is_err());
        let panel = opened(&["teacher:m"], "").expect("opened");
        assert_eq!(panel.prompts().len(), 1);
        assert!(panel.similarity().expect("a measure").contains("lexical"));
        // A folder of one's own has the prompts of the generators that ask.
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("generate/teacher.toml");
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        std::fs::write(&file, "version = 'x'\nsystem = 's'\nuser = 'u'\n").expect("written");
        let keys = format!("prompts = '{}'\n", folder.path().display());
        assert!(opened(&["teacher:m"], &keys).is_ok());
        assert!(opened(&["m"], &keys).is_err());
    }
}
