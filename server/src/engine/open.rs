//! From the configuration to the engine that it asks for.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use truefill_model::store::{Resolved, Store};

use super::local::{LocalEngine, LocalOptions};
use super::{Engine, EngineError, EngineFactory, Loader};
use crate::config::{Config, RemoteKind};
use crate::paths::Paths;

/// Opens what a configuration names, with the store of these paths.
pub fn factory(paths: Paths) -> EngineFactory {
    Arc::new(move |config| -> Loader {
        let (paths, config) = (paths.clone(), config.clone());
        Box::new(move || open(&paths, &config))
    })
}

/// Opens the engine of a configuration; blocks while the weights are read.
///
/// # Errors
/// [`EngineError::Load`] with a sentence that says what is missing and what to do.
pub fn open(paths: &Paths, config: &Config) -> Result<Arc<dyn Engine>, EngineError> {
    // Or the first prompt would wait until the patterns of secrets are compiled.
    truefill_journal::redact::warm();
    if config.remote.kind != RemoteKind::None {
        return super::remote::open(config);
    }
    let located = locate(paths, &config.model.id)?;
    let format = match config.model.format.as_str() {
        "auto" => located.format,
        named => Some(named.to_owned()),
    };
    let longest = config.suggest.line_tokens.max(config.suggest.block_tokens);
    let engine = LocalEngine::open(&LocalOptions {
        path: located.path,
        checkpoint: located.checkpoint,
        format,
        device: config.model.device.clone(),
        threads: config.model.threads,
        max_positions: config.context.window_tokens + longest.max(super::local::HEADROOM),
        kv_bytes: config.model.kv_memory_mb << 20,
    })?;
    Ok(Arc::new(engine))
}

/// A model that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// File or folder to open.
    pub path: PathBuf,
    /// Its id for the journal: the store's, or one made of the file's name and contents.
    pub checkpoint: String,
    /// The FIM format that its manifest names.
    pub format: Option<String>,
}

/// Finds what `model.id` names.
///
/// # Errors
/// [`EngineError::Load`] with what to do.
pub fn locate(paths: &Paths, id: &str) -> Result<Located, EngineError> {
    let load = |error: &dyn std::fmt::Display| EngineError::Load(error.to_string());
    let store = Store::open(&paths.store()).map_err(|error| load(&error))?;
    match store.resolve(id) {
        Ok(Resolved::Stored(stored)) => Ok(Located {
            checkpoint: stored.manifest.id().as_str().to_owned(),
            format: Some(stored.manifest.about().format.name.clone()),
            path: stored.folder,
        }),
        Ok(Resolved::Path(path)) => Ok(Located {
            checkpoint: path_id(&path).map_err(|error| {
                EngineError::Load(format!("`{}` cannot be read: {error}", path.display()))
            })?,
            format: None,
            path,
        }),
        Err(truefill_model::store::StoreError::Unknown { .. }) if id == "default" => {
            Err(EngineError::Load(
                "the default model is not here yet, run `truefill models pull default`".into(),
            ))
        }
        Err(error) => Err(EngineError::Load(format!(
            "{error}; `truefill models list` shows what is here, `truefill models pull` fetches"
        ))),
    }
}

/// A file's stem and a hash of its length and first megabyte, which holds a weight file's header:
/// enough to tell two models of one name apart without reading gigabytes.
fn path_id(path: &Path) -> std::io::Result<String> {
    const BEGINNING: u64 = 1 << 20;
    let file = if path.is_dir() {
        largest_file(path)?
    } else {
        path.to_owned()
    };
    let mut hasher = Sha256::new();
    hasher.update(std::fs::metadata(&file)?.len().to_le_bytes());
    let mut beginning = Vec::new();
    std::fs::File::open(&file)?
        .take(BEGINNING)
        .read_to_end(&mut beginning)?;
    hasher.update(&beginning);
    let stem = path
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    let hash = hex::encode(&hasher.finalize()[..4]);
    Ok(format!(
        "{}-{hash}",
        stem.unwrap_or_else(|| "model".into()).to_lowercase()
    ))
}

fn largest_file(folder: &Path) -> std::io::Result<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = std::fs::metadata(entry.path())?;
        if metadata.is_file() {
            files.push((metadata.len(), entry.path()));
        }
    }
    let largest = files.into_iter().max();
    largest
        .map(|(_, path)| path)
        .ok_or_else(|| std::io::Error::other("the folder holds no file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths() -> (tempfile::TempDir, Paths) {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = Paths::from_home(Some(folder.path().into())).expect("paths");
        (folder, paths)
    }

    #[test]
    fn a_missing_model_says_what_to_do() {
        let (_folder, paths) = paths();
        let error = locate(&paths, "default")
            .expect_err("nothing is there")
            .to_string();
        assert!(error.contains("truefill models pull default"), "{error}");
        let error = locate(&paths, "qwen")
            .expect_err("nothing is there")
            .to_string();
        assert!(
            error.contains("qwen") && error.contains("models list"),
            "{error}"
        );
    }

    #[test]
    fn files_of_one_name_have_ids_of_their_own() {
        let (folder, paths) = paths();
        let path = folder.path().join("Tiny.gguf");
        let mut ids = Vec::new();
        for content in ["one", "two", "one"] {
            std::fs::write(&path, content).expect("written");
            let located = locate(&paths, &path.to_string_lossy()).expect("found");
            assert!(located.checkpoint.starts_with("tiny-"));
            ids.push(located.checkpoint);
        }
        assert_eq!(ids[0], ids[2]);
        assert_ne!(ids[0], ids[1]);
    }
}
