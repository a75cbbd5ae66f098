//! Opening a checkpoint for a step: to sample it, to score with it, to embed with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest, Sha256};
use truefill_model::adapter;
use truefill_model::decoder::{Decoder, Precision};
use truefill_model::device;
use truefill_model::fim::{BoundFormat, FimFormat};
use truefill_model::store::Manifest;
use truefill_model::tokenizer::Tokenizer;

use crate::rows::Input;
use crate::stored::{self, Opened};
use crate::usage::Usage;

/// A checkpoint in memory.
pub struct Loaded {
    /// The model.
    pub decoder: Decoder,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// The FIM format that the store says it has.
    pub format: Option<String>,
}

/// Where a checkpoint lies that is named by a path, or by an id or alias of the user's store. What is
/// neither stays as it is: whoever opens it tells that it is not there.
pub fn find(named: &Path) -> PathBuf {
    let stored = || {
        let store = stored::store(None).ok()?;
        let id = store.find(named.to_str()?).ok()?;
        Some(store.get(&id).ok()?.folder)
    };
    match named.exists() {
        true => named.to_owned(),
        false => stored().unwrap_or_else(|| named.to_owned()),
    }
}

/// Loads a checkpoint, of a store an adapter with its base, onto `device` (`auto`, `cpu`, `cuda` or
/// `cuda:N`) for sequences of at most `positions` tokens.
///
/// # Errors
/// What is wrong with the checkpoint, and a device that is not there.
pub fn load(path: &Path, device: &str, precision: Precision, positions: usize) -> Result<Loaded> {
    let opened = Opened::at(path)?;
    let (checkpoint, adapter) = (&opened.checkpoint, opened.adapter.as_ref());
    let decoder = checkpoint.decoder(adapter, &device::choose(device)?, precision, positions);
    Ok(Loaded {
        decoder: decoder.with_context(|| format!("{}: cannot be loaded", path.display()))?,
        tokenizer: opened.tokenizer()?.clone(),
        format: opened.format_name(None).map(str::to_owned),
    })
}

/// The FIM format that is named, else the one that the tokenizer has.
///
/// # Errors
/// [`Usage`] for a format that does not exist; one that does not fit the tokenizer.
pub fn format(name: Option<&str>, tokenizer: &Tokenizer) -> Result<BoundFormat> {
    let format = match name {
        None => FimFormat::detect(tokenizer),
        Some(name) => builtin(name)?,
    };
    Ok(format.bind(tokenizer)?)
}

/// The FIM format of a name.
///
/// # Errors
/// [`Usage`] for one that does not exist.
pub fn builtin(name: &str) -> Result<&'static FimFormat> {
    FimFormat::builtin(name).ok_or_else(|| {
        let known: Vec<&str> = FimFormat::all().iter().map(FimFormat::name).collect();
        let known = known.join(", ");
        Usage::error(format!(
            "unknown FIM format `{name}`, expected one of: {known}"
        ))
    })
}

/// Checkpoints and their hashes, each once however often it is named.
///
/// # Errors
/// Where one cannot be read.
pub fn inputs<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<Vec<Input>> {
    let mut inputs: Vec<Input> = Vec::new();
    for path in paths {
        if inputs.iter().all(|known| known.path != path) {
            inputs.push(Input {
                path: path.to_owned(),
                sha256: sha256(path)?,
            });
        }
    }
    Ok(inputs)
}

/// SHA-256 of a checkpoint: of its file, or over the names and hashes of those files of its folder that
/// are loaded, and of an adapter's base.
///
/// # Errors
/// Where it cannot be read.
pub fn sha256(path: &Path) -> Result<String> {
    if !path.is_dir() {
        return Ok(Input::of(path)?.sha256);
    }
    let shown = || format!("{}: cannot be read", path.display());
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(path).with_context(shown)? {
        let file = entry.with_context(shown)?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if is_loaded(&name) && file.is_file() {
            files.insert(name.into_owned(), Input::of(&file)?.sha256);
        }
    }
    if let Some(base) = stored::base_at(path)? {
        files.insert("base".into(), sha256(&base)?);
    }
    Ok(together(&files))
}

/// The same of a checkpoint that lies at `path` in the store, by what its manifest says.
pub fn sha256_stored(path: &Path, manifest: &Manifest) -> String {
    let files = manifest.files().iter();
    let files = files.map(|file| (file.name.to_string(), file.sha256.to_string()));
    let mut files: BTreeMap<String, String> = files.filter(|(name, _)| is_loaded(name)).collect();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match files.remove(&*name) {
        Some(file) if path.is_file() => file,
        _ => together(&files),
    }
}

/// Whether a file of a folder says something of the model; editors, file managers and people leave
/// others there.
fn is_loaded(name: &str) -> bool {
    let tables = [
        "config.json",
        "tokenizer.json",
        "vocab.json",
        "merges.txt",
        "model.safetensors.index.json",
        adapter::CONFIG,
    ];
    let weights = [".safetensors", ".gguf"];
    let of_weights = weights.iter().any(|ending| name.ends_with(ending));
    tables.contains(&name) || (of_weights && !name.starts_with('.'))
}

fn together(files: &BTreeMap<String, String>) -> String {
    let mut hasher = Sha256::new();
    for (name, sha256) in files {
        hasher.update(name);
        hasher.update([0]);
        hasher.update(sha256);
    }
    hex::encode(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_hashed_as_files_are_and_each_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, whole) = (folder.path().join("a.gguf"), folder.path().join("m"));
        std::fs::write(&file, "a").expect("written");
        std::fs::create_dir(&whole).expect("made");
        std::fs::write(whole.join("model.safetensors"), "b").expect("written");
        let found = inputs([&*file, &*whole, &*file]).expect("read");
        let paths: Vec<&Path> = found.iter().map(|input| &*input.path).collect();
        assert_eq!(paths, [&*file, &*whole]);
        let before = found[1].sha256.clone();
        std::fs::write(whole.join("model.safetensors"), "c").expect("written");
        assert_ne!(inputs([&*whole]).expect("read")[0].sha256, before);
        std::fs::write(whole.join("model.safetensors"), "b").expect("written");
        for stray in [".DS_Store", "._model.safetensors", "notes.md"] {
            std::fs::write(whole.join(stray), "x").expect("written");
        }
        assert_eq!(inputs([&*whole]).expect("read")[0].sha256, before);
    }
}
