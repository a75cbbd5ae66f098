//! Checkpoints by what a user writes: a path, or an id or alias in the store; full models, and
//! adapters on their bases.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use truefill_model::adapter::{self, Adapter};
use truefill_model::checkpoint::Checkpoint;
use truefill_model::fim::BoundFormat;
use truefill_model::store::{CheckpointId, Manifest, Paths, Resolved, Store};
use truefill_model::tokenizer::{GgufVocabulary, Tokenizer, gguf_from_json, json_from_gguf};
use truefill_model::tokens::TokenId;
use truefill_model::weights::{GgufFile, WeightDtype};
use truefill_model::write::{HubFolder, Model};

use crate::checkpoint;
use crate::train::set::Claims;
use crate::usage::Usage;

/// Where a GGUF file keeps a chat template.
const TEMPLATE_KEY: &str = "tokenizer.chat_template";
/// Largest file of a tokenizer that is copied.
const FILE_LIMIT: u64 = 64 << 20;

/// The store in `given`, else the user's: the folder that `TRUEFILL_HOME` names, or the system's.
///
/// # Errors
/// [`Usage`] where there is no home folder; a folder that cannot be made.
pub fn store(given: Option<&Path>) -> Result<Store> {
    let root = match given {
        Some(given) => given.to_owned(),
        None => Paths::from_env()
            .map_err(|error| Usage::error(format!("{error}")))?
            .store(),
    };
    Ok(Store::open(&root)?)
}

/// Finds what a recipe in `folder` names. A folder of the same name as an alias is meant only where it is
/// written as a path: `./name`.
///
/// # Errors
/// Where nothing answers to it.
pub fn find_in(store: &Store, wanted: &str, folder: &Path) -> Result<Resolved> {
    let path = folder.join(wanted);
    match store.resolve(wanted) {
        Ok(Resolved::Stored(stored)) => Ok(Resolved::Stored(stored)),
        _ if path.exists() => Ok(Resolved::Path(path)),
        Ok(Resolved::Path(_)) => bail!(
            "{}: no such file or folder; a path in a recipe is relative to it",
            path.display()
        ),
        Err(problem) => Err(problem.into()),
    }
}

/// The store that a folder with a checkpoint lies in, and the checkpoint's id.
fn store_at(folder: &Path) -> Option<(Store, CheckpointId)> {
    let all = folder.parent()?;
    let of_store = all.file_name()? == "checkpoints" && folder.join("manifest.json").is_file();
    let id = folder.file_name()?.to_str()?.parse().ok()?;
    let store = Store::open(all.parent().filter(|_| of_store)?).ok()?;
    Some((store, id))
}

/// The folder of the base, where a folder of a store has an adapter.
///
/// # Errors
/// Where the store is damaged.
pub fn base_at(folder: &Path) -> Result<Option<PathBuf>> {
    let Some((store, id)) = store_at(folder) else {
        return Ok(None);
    };
    let base = store.get(&id)?.manifest.about().base.clone();
    Ok(base
        .map(|base| store.get(&base))
        .transpose()?
        .map(|base| base.folder))
}

/// An opened checkpoint.
pub struct Opened {
    /// What the user wrote.
    pub name: String,
    /// The model; of an adapter, its base.
    pub checkpoint: Checkpoint,
    /// What is added to the base.
    pub adapter: Option<Adapter>,
    /// What the store says; nothing of a path.
    pub manifest: Option<Manifest>,
}

impl Opened {
    /// Opens what `wanted` names, a path relative to the current folder. A checkpoint of the store is
    /// compared with its manifest, file by file.
    ///
    /// # Errors
    /// Where nothing answers to it, and what is wrong with its files.
    pub fn open(store: &Store, wanted: &str) -> Result<Self> {
        Self::open_in(store, wanted, Path::new(""))
    }

    /// Opens the file or folder at `path`; a folder of a store as the checkpoint that it is.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn at(path: &Path) -> Result<Self> {
        let (manifest, base) = match store_at(path) {
            None => (None, None),
            Some((store, id)) => {
                let manifest = store.get_whole(&id)?.manifest;
                let base = manifest.about().base.clone();
                let base = base.map(|base| store.get_whole(&base)).transpose()?;
                (Some(manifest), base.map(|base| base.folder))
            }
        };
        Self::of_files(path.display().to_string(), path, base, manifest)
    }

    /// Opens what a recipe names, a path relative to the recipe, or what a flag names in its place.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn of_recipe(
        store: &Store,
        recipe: &Path,
        named: &str,
        flag: Option<&str>,
    ) -> Result<Self> {
        match flag {
            Some(flag) => Self::open(store, flag),
            None => Self::open_in(store, named, recipe.parent().unwrap_or(Path::new(""))),
        }
    }

    fn open_in(store: &Store, wanted: &str, folder: &Path) -> Result<Self> {
        let resolved = find_in(store, wanted, folder)?;
        let (folder, manifest) = match resolved {
            Resolved::Path(path) => (path, None),
            Resolved::Stored(stored) => {
                let stored = store.get_whole(stored.manifest.id())?;
                (stored.folder, Some(stored.manifest))
            }
        };
        let base = manifest.as_ref().and_then(|m| m.about().base.clone());
        let base = base.map(|base| store.get_whole(&base)).transpose()?;
        Self::of_files(
            wanted.to_owned(),
            &folder,
            base.map(|base| base.folder),
            manifest,
        )
    }

    fn of_files(
        name: String,
        folder: &Path,
        base: Option<PathBuf>,
        manifest: Option<Manifest>,
    ) -> Result<Self> {
        let (checkpoint, adapter) = match base {
            Some(base) => {
                let checkpoint = Checkpoint::open(&base)?;
                let adapter = Adapter::read(folder, &checkpoint.config)?;
                (checkpoint, Some(adapter))
            }
            None if folder.join(adapter::CONFIG).is_file() => bail!(
                "{}: expected a whole model, found an adapter; bring it into the store first: \
                 `truefill-trainer import {} --base BASE`",
                folder.display(),
                folder.display()
            ),
            None => (Checkpoint::open(folder)?, None),
        };
        check_ends(&checkpoint)?;
        Ok(Self {
            name,
            checkpoint,
            adapter,
            manifest,
        })
    }

    /// The tokenizer.
    ///
    /// # Errors
    /// Where there is none.
    pub fn tokenizer(&self) -> Result<&Tokenizer> {
        Ok(self.checkpoint.tokenizer()?)
    }

    /// What the store says of how it is prompted.
    pub fn claims(&self) -> Claims {
        let about = self.manifest.as_ref().map(|manifest| manifest.about());
        Claims {
            tokenizer_sha256: about.map(|about| about.tokenizer_sha256.to_string()),
            format: about.map(|about| about.format.clone()),
            vocabulary: self.checkpoint.config.vocabulary,
        }
    }

    /// SHA-256 of the model, of an adapter its base's.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub fn sha256(&self) -> Result<String> {
        let path = &self.checkpoint.path;
        match &self.manifest {
            // The files were compared with it.
            Some(manifest) if self.adapter.is_none() => {
                Ok(checkpoint::sha256_stored(path, manifest))
            }
            _ => checkpoint::sha256(path),
        }
    }

    /// The model as it is written, an adapter merged into it.
    pub fn model(&self) -> Model<'_> {
        let model = Model::of_source(&self.checkpoint.config, &*self.checkpoint.weights);
        match &self.adapter {
            Some(adapter) => model.merged(adapter),
            None => model,
        }
    }

    /// The FIM format: the one that is named, else the manifest's, else the tokenizer's.
    pub fn format_name<'a>(&'a self, named: Option<&'a str>) -> Option<&'a str> {
        let stored = self.manifest.as_ref();
        named.or(stored.map(|manifest| manifest.about().format.name.as_str()))
    }

    /// The token that ends what it writes.
    ///
    /// # Errors
    /// As [`end`].
    pub fn end(&self, format: &BoundFormat) -> Result<Option<TokenId>> {
        end(self.manifest.as_ref(), self.tokenizer()?, format)
    }

    /// The name of the model that an adapter belongs to; of a model its own.
    pub fn base_title(&self) -> String {
        match &self.adapter {
            Some(adapter) => adapter.base.clone(),
            None => self.title(),
        }
    }

    /// A readable name: of the manifest, else of the file or folder.
    pub fn title(&self) -> String {
        match &self.manifest {
            Some(manifest) => manifest.about().name.clone(),
            None => {
                let path = &self.checkpoint.path;
                let stem = path.file_stem().unwrap_or_default();
                stem.to_string_lossy().into_owned()
            }
        }
    }
}

/// The token that ends what a checkpoint writes: the manifest's, else the format's.
///
/// # Errors
/// A manifest that names a token that the tokenizer does not have.
pub fn end(
    manifest: Option<&Manifest>,
    tokenizer: &Tokenizer,
    format: &BoundFormat,
) -> Result<Option<TokenId>> {
    let named = manifest.and_then(|manifest| Some((manifest.id(), manifest.about().end.as_ref()?)));
    let Some((id, spelling)) = named else {
        return Ok(format.end_token());
    };
    let token = tokenizer.id(spelling);
    let token = token.with_context(|| {
        format!("checkpoint {id}: expected an `end` that its tokenizer has, found `{spelling}`")
    })?;
    Ok(Some(token))
}

/// Refuses a folder whose `config.json` ends texts, or begins them, with what its `tokenizer.json` has not
/// got or cuts out of plain text: the two are of different models.
///
/// # Errors
/// With the file, what was expected and what was found.
pub fn check_ends(checkpoint: &Checkpoint) -> Result<()> {
    let (path, tokenizer) = (&checkpoint.path, checkpoint.tokenizer()?);
    if !path.is_dir() {
        return Ok(());
    }
    // A begin token that no prompt has does no harm.
    let begin = tokenizer.bos().filter(|_| tokenizer.add_bos());
    for (key, id) in [("eos_token_id", tokenizer.eos()), ("bos_token_id", begin)] {
        let Some(id) = id else {
            continue;
        };
        let found = match id.0 as usize >= tokenizer.vocabulary_size() {
            true => "a number beyond its tokens".to_owned(),
            false if tokenizer.is_text(id) => format!("the text {:?}", tokenizer.decode(&[id])),
            false => continue,
        };
        bail!(
            "{}: `{key}` is {}: expected a control token of the `tokenizer.json` beside it, found \
             {found}; take both files from the same model",
            path.join("config.json").display(),
            id.0
        );
    }
    Ok(())
}

/// What a checkpoint's folder has beside its weights.
#[derive(Clone, Debug, Default)]
pub struct Sidecars {
    /// `config.json`.
    pub config: Option<Value>,
    /// `tokenizer_config.json`, with what only `special_tokens_map.json` says; of a GGUF file, its chat
    /// template.
    pub tokenizer_config: Option<Value>,
    /// `tokenizer.json`, made from the vocabulary of a GGUF file.
    pub tokenizer_json: Vec<u8>,
    /// Other files of the tokenizer.
    pub others: BTreeMap<String, Vec<u8>>,
    /// What ends a text according to `generation_config.json`.
    pub ends: Vec<TokenId>,
}

impl Sidecars {
    /// What is written beside weights of type `dtype` whose completions `end` ends.
    pub fn into_hub(
        self,
        dtype: WeightDtype,
        tokenizer: &Tokenizer,
        end: Option<TokenId>,
    ) -> HubFolder<'_> {
        HubFolder {
            dtype,
            shard_bytes: HubFolder::SHARD_BYTES,
            config: self.config,
            tokenizer_config: self.tokenizer_config,
            tokenizer,
            tokenizer_json: self.tokenizer_json,
            others: self.others,
            end,
            ends: self.ends,
        }
    }
}

/// Reads them.
///
/// # Errors
/// Files that cannot be read; a vocabulary that no `tokenizer.json` defines.
pub fn sidecars(checkpoint: &Checkpoint) -> Result<Sidecars> {
    let path = &checkpoint.path;
    if path.is_file() {
        let file = GgufFile::open(path)?;
        let definition = json_from_gguf(file.vocabulary()?);
        let template = file.string(TEMPLATE_KEY)?;
        return Ok(Sidecars {
            tokenizer_json: definition.with_context(|| path.display().to_string())?,
            tokenizer_config: template.map(|text| json!({ "chat_template": text })),
            ..Sidecars::default()
        });
    }
    let mut others = BTreeMap::new();
    for name in HubFolder::OTHERS {
        if let Some(bytes) = optional(path, name)? {
            others.insert(name.to_owned(), bytes);
        }
    }
    Ok(Sidecars {
        config: Some(parsed(path, "config.json", &read(path, "config.json")?)?),
        tokenizer_config: tokenizer_config(path)?,
        tokenizer_json: read(path, "tokenizer.json")?,
        others,
        ends: generation_ends(path)?,
    })
}

fn generation_ends(folder: &Path) -> Result<Vec<TokenId>> {
    let name = "generation_config.json";
    let Some(bytes) = optional(folder, name)? else {
        return Ok(Vec::new());
    };
    let config = parsed(folder, name, &bytes)?;
    let ids = match &config["eos_token_id"] {
        Value::Array(ids) => &ids[..],
        id => std::slice::from_ref(id),
    };
    let ids = ids.iter().filter_map(Value::as_u64);
    Ok(ids
        .filter_map(|id| Some(TokenId(id.try_into().ok()?)))
        .collect())
}

fn read(folder: &Path, name: &str) -> Result<Vec<u8>> {
    let file = folder.join(name);
    std::fs::read(&file).with_context(|| format!("{}: cannot be read", file.display()))
}

fn optional(folder: &Path, name: &str) -> Result<Option<Vec<u8>>> {
    let metadata = std::fs::metadata(folder.join(name));
    let wanted = metadata.is_ok_and(|found| found.is_file() && found.len() <= FILE_LIMIT);
    wanted.then(|| read(folder, name)).transpose()
}

fn parsed(folder: &Path, name: &str, bytes: &[u8]) -> Result<Value> {
    let found = serde_json::from_slice(bytes);
    found.with_context(|| format!("{}: expected JSON", folder.join(name).display()))
}

/// `special_tokens_map.json` names tokens again, and some versions of transformers let it win: it
/// becomes part of `tokenizer_config.json`, so that there is one end token.
fn tokenizer_config(folder: &Path) -> Result<Option<Value>> {
    let mut whole = None;
    for name in ["tokenizer_config.json", "special_tokens_map.json"] {
        let Some(bytes) = optional(folder, name)? else {
            continue;
        };
        let Value::Object(found) = parsed(folder, name, &bytes)? else {
            bail!("{}: expected an object", folder.join(name).display());
        };
        let whole = whole.get_or_insert_with(serde_json::Map::new);
        for (key, value) in found {
            whole.entry(key).or_insert(value);
        }
    }
    Ok(whole.map(Value::Object))
}

/// The checkpoint's chat template; of several, the default.
///
/// # Errors
/// Files that cannot be read.
pub fn chat_template(checkpoint: &Checkpoint) -> Result<Option<String>> {
    let path = &checkpoint.path;
    if path.is_file() {
        let file = GgufFile::open(path)?;
        return Ok(file.string(TEMPLATE_KEY)?.map(str::to_owned));
    }
    if let Some(bytes) = optional(path, HubFolder::TEMPLATE)? {
        let file = path.join(HubFolder::TEMPLATE);
        let text = String::from_utf8(bytes);
        return Some(text.with_context(|| format!("{}: not UTF-8", file.display()))).transpose();
    }
    let config = tokenizer_config(path)?.unwrap_or_default();
    let named =
        |template: &Value| (template["name"] == "default").then(|| template["template"].clone());
    let found = match &config["chat_template"] {
        Value::Array(several) => several.iter().find_map(named),
        one => Some(one.clone()),
    };
    Ok(found.and_then(|template| template.as_str().map(str::to_owned)))
}

/// The vocabulary that a GGUF file of the checkpoint has.
///
/// # Errors
/// As [`sidecars`]; split rules that GGUF files have no name for.
pub fn vocabulary(checkpoint: &Checkpoint) -> Result<GgufVocabulary> {
    let path = &checkpoint.path;
    if path.is_file() {
        return Ok(GgufFile::open(path)?.vocabulary()?);
    }
    let name = "tokenizer.json";
    gguf_from_json(&read(path, name)?, checkpoint.config.vocabulary)
        .with_context(|| path.join(name).display().to_string())
}
