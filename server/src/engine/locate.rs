//! From a model's name to its files.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use truefill_model::fim::FimFormat;
use truefill_model::store::{CheckpointId, FormatName, Resolved, Store, StoreError};

use super::EngineError;
use crate::paths::Paths;

/// A model that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// File or folder to open; of an adapter, its base's.
    pub path: PathBuf,
    /// The folder of the adapter, if it is one.
    pub adapter: Option<PathBuf>,
    /// Its id for the journal: the store's, or one made of the file's name and contents.
    pub checkpoint: String,
    /// Its id in the store, and its base's, where it is there.
    pub stored: Vec<CheckpointId>,
    /// The FIM format that its manifest names.
    pub format: Option<FormatName>,
}

/// Finds what `model.id` names.
///
/// # Errors
/// [`EngineError::Load`] with what to do.
pub fn locate(paths: &Paths, id: &str) -> Result<Located, EngineError> {
    let load = |error: &dyn std::fmt::Display| EngineError::Load(error.to_string());
    let store = Store::open(&paths.store()).map_err(|error| load(&error))?;
    match store.resolve(id) {
        Ok(Resolved::Stored(stored)) => {
            let id = stored.manifest.id();
            let about = stored.manifest.about();
            let mut located = Located {
                checkpoint: id.as_str().to_owned(),
                stored: vec![id.clone()],
                format: Some(about.format.clone()),
                path: stored.folder,
                adapter: None,
            };
            if let Some(base) = &about.base {
                let base = store.get(base).map_err(|error| load(&error))?;
                located.stored.push(base.manifest.id().clone());
                located.adapter = Some(std::mem::replace(&mut located.path, base.folder));
            }
            Ok(located)
        }
        Ok(Resolved::Path(path)) => Ok(Located {
            checkpoint: path_id(&path).map_err(|error| {
                EngineError::Load(format!("`{}` cannot be read: {error}", path.display()))
            })?,
            stored: Vec::new(),
            format: None,
            path,
            adapter: None,
        }),
        Err(StoreError::Unknown { .. }) if id == "default" => Err(EngineError::Load(
            "the default model is not here yet, run `truefill models pull default`".into(),
        )),
        Err(error) => Err(EngineError::Load(format!(
            "{error}; `truefill models list` shows what is here, `truefill models pull` fetches"
        ))),
    }
}

/// The name of a checkpoint's format, where this program renders it as it was when the checkpoint was
/// trained: a prompt of another version is not what the model knows.
pub fn known_format(format: &FormatName) -> Result<String, EngineError> {
    let FormatName { name, version } = format;
    match FimFormat::builtin(name).map(FimFormat::version) {
        Some(known) if known != *version => Err(EngineError::Load(format!(
            "the checkpoint was trained with version {version} of the FIM format `{name}`, this \
             program has version {known}; set `model.format` to \"{name}\" to serve it with that"
        ))),
        // A name that is not known is told where it is bound.
        _ => Ok(name.clone()),
    }
}

/// A file's stem and a hash of samples of its weights: enough to tell two models of one name and
/// size apart without reading gigabytes.
fn path_id(path: &Path) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    for file in files_of(path)? {
        sample(&file, &mut hasher)?;
    }
    let stem = path
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    let hash = hex::encode(&hasher.finalize()[..4]);
    Ok(format!(
        "{}-{hash}",
        stem.unwrap_or_else(|| "model".into()).to_lowercase()
    ))
}

/// Takes in a file's length, its first and last mebibyte, and blocks in between: fine-tuning changes
/// weights everywhere, but neither the vocabulary in front nor what is frozen.
fn sample(path: &Path, hasher: &mut Sha256) -> std::io::Result<()> {
    const END: u64 = 1 << 20;
    const BLOCKS: u64 = 32;
    const BLOCK: u64 = 64 << 10;
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    hasher.update(length.to_le_bytes());
    let ends = [(0, END), (length.saturating_sub(END), END)];
    let between = (1..BLOCKS).map(|at| (length / BLOCKS * at, BLOCK));
    for (at, take) in ends.into_iter().chain(between) {
        file.seek(SeekFrom::Start(at))?;
        let mut block = Vec::new();
        (&mut file).take(take).read_to_end(&mut block)?;
        hasher.update(&block);
    }
    Ok(())
}

/// A file itself, or the files of a folder by name.
fn files_of(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        if file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    match files.is_empty() {
        true => Err(std::io::Error::other("the folder holds no file")),
        false => Ok(files),
    }
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

    #[test]
    fn one_header_and_other_weights_make_another_id() {
        let (folder, paths) = paths();
        let mut ids = Vec::new();
        for name in ["a", "b"] {
            let path = folder.path().join(name).join("model.gguf");
            std::fs::create_dir(path.parent().expect("a folder")).expect("made");
            // Alike for two mebibytes, and at the end.
            let mut bytes = vec![7_u8; 8 << 20];
            bytes[2 << 20..6 << 20].fill(name.as_bytes()[0]);
            std::fs::write(&path, bytes).expect("written");
            let located = locate(&paths, &path.to_string_lossy()).expect("found");
            ids.push(located.checkpoint);
        }
        assert_ne!(ids[0], ids[1]);
    }

    #[test]
    fn a_format_of_another_version_is_refused() {
        let known = FimFormat::builtin("starcoder2").expect("a format");
        let named = |version| FormatName {
            name: "starcoder2".into(),
            version,
        };
        let same = known_format(&named(known.version())).expect("served");
        assert_eq!(same, "starcoder2");
        let error = known_format(&named(known.version() + 1)).expect_err("another version");
        assert!(error.to_string().contains("model.format"), "{error}");
    }
}
