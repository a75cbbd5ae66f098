//! Putting what was trained into the store: files, model card, manifest, all at once.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use truefill_model::adapter::Adapter;
use truefill_model::checkpoint::Checkpoint;
use truefill_model::fim::BoundFormat;
use truefill_model::store::{
    CheckpointId, Draft, FormatName, Installed, Kind, Sha256Hex, Staging, Store, slug,
};
use truefill_model::tokens::TokenId;
use truefill_model::weights::WeightDtype;
use truefill_model::write::{Model, write_hub};

use crate::stored::sidecars;

/// What the caller knows of a checkpoint.
#[derive(Clone, Debug)]
pub struct About {
    /// The readable part of its id.
    pub name: String,
    /// What training started from, where the store has it.
    pub parent: Option<CheckpointId>,
    /// How it is prompted.
    pub format: FormatName,
    /// What ends its answers, by its spelling, where that is not the format's end token.
    pub end: Option<String>,
    /// SHA-256 of the recipe.
    pub recipe_sha256: Option<Sha256Hex>,
    /// SHA-256 of the data, by file name.
    pub data_sha256: BTreeMap<String, Sha256Hex>,
    /// A training run, a file, a folder.
    pub source: String,
    /// Seconds since 1970 UTC.
    pub created: u64,
    /// What people read.
    pub card: Card,
}

/// The model card. It is part of the checkpoint, so it says nothing of time or place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Card {
    /// The base's name.
    pub base: String,
    /// What was done to it, in sentences.
    pub story: Vec<String>,
    /// The chat template of its prompts, where they are not the format's.
    pub chat: Option<String>,
    /// Data by name, with their rows.
    pub data: Vec<(String, u64)>,
    /// Licences of the data as SPDX identifiers, with their rows.
    pub licences: Vec<(String, u64)>,
    /// Figures by name.
    pub figures: Vec<(String, String)>,
}

impl Card {
    /// The card as Markdown, with the header that the hub reads.
    pub fn markdown(&self, name: &str, about: &FormatName) -> String {
        let mut out = String::from("---\nlibrary_name: truefill\npipeline_tag: text-generation\n");
        let _ = writeln!(out, "base_model: {:?}\n---\n\n# {name}\n", self.base);
        for sentence in &self.story {
            let _ = writeln!(out, "{sentence}\n");
        }
        let (format, version) = (&about.name, about.version);
        let _ = match &self.chat {
            Some(chat) => writeln!(out, "Prompts are chats:\n\n```\n{chat}\n```"),
            None => writeln!(
                out,
                "Prompts have the FIM format `{format}`, version {version}."
            ),
        };
        let counted = |rows: &[(String, u64)]| {
            rows.iter()
                .map(|(what, rows)| (what.clone(), rows.to_string()))
                .collect::<Vec<_>>()
        };
        for (title, head, rows) in [
            ("Data", "rows", counted(&self.data)),
            ("Licences of the data", "rows", counted(&self.licences)),
            ("Figures", "value", self.figures.clone()),
        ] {
            if rows.is_empty() {
                continue;
            }
            let _ = writeln!(out, "\n## {title}\n\n| | {head} |\n|---|---|");
            for (what, value) in rows {
                let _ = writeln!(out, "| {what} | {value} |");
            }
        }
        out
    }
}

/// The format's name as manifests have it.
pub fn format_name(format: &BoundFormat) -> FormatName {
    FormatName {
        name: format.name().to_owned(),
        version: format.version(),
    }
}

/// Writes a full model in the hub's layout into the store. Tokenizer and `config.json` are those of
/// `origin`, the checkpoint that training started from; `end` is the token that ends a completion.
///
/// # Errors
/// Values that are not finite, files that cannot be written, a manifest that the store refuses.
pub fn install_full(
    store: &Store,
    model: &Model<'_>,
    origin: &Checkpoint,
    end: Option<TokenId>,
    dtype: WeightDtype,
    about: About,
) -> Result<Installed> {
    let beside = sidecars(origin)?;
    let folder = beside.into_hub(dtype, origin.tokenizer()?, end);
    let staging = store.stage()?;
    write_hub(staging.folder(), model, &folder)?;
    // A `tokenizer.json` made from a GGUF file may lack rows that only fill the vocabulary up.
    let written = Checkpoint::open(staging.folder())?;
    put(store, staging, about, None, &written)
}

/// Writes an adapter in PEFT's layout into the store, on the base `base`.
///
/// # Errors
/// As [`install_full`].
pub fn install_adapter(
    store: &Store,
    adapter: &Adapter,
    base: &CheckpointId,
    origin: &Checkpoint,
    about: About,
) -> Result<Installed> {
    let staging = store.stage()?;
    adapter.write(staging.folder(), &origin.config, WeightDtype::F32)?;
    put(store, staging, about, Some(base.clone()), origin)
}

/// Installs a staged folder with its model card: an adapter of `base`, or a full model. Architecture
/// and tokenizer are those of `model`.
///
/// # Errors
/// A card that cannot be written, a manifest that the store refuses.
pub(crate) fn put(
    store: &Store,
    staging: Staging,
    about: About,
    base: Option<CheckpointId>,
    model: &Checkpoint,
) -> Result<Installed> {
    let path = staging.folder().join("README.md");
    let card = about.card.markdown(&about.name, &about.format);
    std::fs::write(&path, card)
        .with_context(|| format!("{}: cannot be written", path.display()))?;
    let sha256 = model.tokenizer()?.sha256().parse();
    let draft = Draft {
        name: slug(&about.name),
        kind: base.as_ref().map_or(Kind::Full, |_| Kind::Adapter),
        parent: about.parent,
        base,
        architecture: model.config.family.name().to_owned(),
        format: about.format,
        end: about.end,
        tokenizer_sha256: sha256.map_err(|problem: String| anyhow::anyhow!(problem))?,
        recipe_sha256: about.recipe_sha256,
        data_sha256: about.data_sha256,
        source: about.source.chars().take(250).collect(),
        created: about.created,
    };
    Ok(store.install(staging, draft)?)
}
