//! From the configuration to the engine that it asks for.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use truefill_model::fim::FimFormat;
use truefill_model::store::{CheckpointId, FormatName, Lease, Resolved, Serving, Store};

use super::lineup::{Lineup, Slot};
use super::local::{LocalEngine, LocalOptions};
use super::{Engine, EngineError, EngineFactory, Loader};
use crate::config::{Config, RemoteKind};
use crate::paths::Paths;

/// Opens what a configuration names, with the store of these paths.
pub fn factory(paths: Paths) -> EngineFactory {
    Arc::new(move |config| -> Loader {
        let (paths, config) = (paths.clone(), config.clone());
        Box::new(move |beside| lineup(&paths, &config, beside))
    })
}

/// Opens the arms that the store's `serving.json` names, where the configuration leaves the choice to
/// it (`model.id = "default"`) and there are some; else the one model of the configuration. An arm that
/// cannot be opened is left out and told of; the first one must be there.
///
/// # Errors
/// [`EngineError::Load`] with a sentence that says what is missing and what to do.
pub fn lineup(
    paths: &Paths,
    config: &Config,
    beside: Option<&Lineup>,
) -> Result<Lineup, EngineError> {
    let serving = serving(paths, config)?;
    if serving.arms.is_empty() {
        return Ok(Lineup::single(open_beside(paths, config, beside)?));
    }
    let mut opening = Opening {
        paths,
        config,
        engines: Vec::new(),
        before: beside,
        distinct: distinct(&serving),
    };
    let mut refused = Vec::new();
    let mut slots = Vec::new();
    for (arm, share) in serving
        .shares()
        .filter(|(arm, share)| arm.shadow || *share > 0.0)
    {
        match opening.engine(&arm.checkpoint) {
            Ok(engine) => slots.push(Slot {
                name: arm.name.as_str().into(),
                share,
                shadow: arm.shadow,
                info: engine.info(),
                engine,
            }),
            Err(error) => refused.push(format!("arm `{}`: {error}", arm.name)),
        }
    }
    let shown: f64 = slots.iter().map(|slot| slot.share).sum();
    slots.iter_mut().for_each(|slot| slot.share /= shown);
    // One that is shown has to be first: a shadow alone serves nobody.
    slots.sort_by_key(|slot| slot.shadow);
    match Lineup::of(&serving, slots).filter(|_| shown > 0.0) {
        Some(lineup) => Ok(lineup.with_refused(refused)),
        None => Err(EngineError::Load(refused.join("; "))),
    }
}

/// What the store serves, where the configuration leaves that to it.
///
/// # Errors
/// [`EngineError::Load`] where `serving.json` cannot be read.
pub fn serving(paths: &Paths, config: &Config) -> Result<Serving, EngineError> {
    if config.remote.kind != RemoteKind::None || config.model.id != "default" {
        return Ok(Serving::default());
    }
    let store = Store::open(&paths.store()).and_then(|store| store.serving());
    store.map_err(|error| EngineError::Load(error.to_string()))
}

fn distinct(serving: &Serving) -> usize {
    let ids = serving.arms.iter().map(|arm| &arm.checkpoint);
    ids.collect::<BTreeSet<_>>().len()
}

/// The engines of a lineup that is being opened.
struct Opening<'a> {
    paths: &'a Paths,
    config: &'a Config,
    engines: Vec<Arc<dyn Engine>>,
    before: Option<&'a Lineup>,
    distinct: usize,
}

impl Opening<'_> {
    /// The engine of a checkpoint: one that is open already, or a new one beside it.
    fn engine(&mut self, checkpoint: &CheckpointId) -> Result<Arc<dyn Engine>, EngineError> {
        let before = self.before.into_iter().flat_map(Lineup::slots);
        let open: Vec<_> = before
            .map(|slot| &slot.engine)
            .chain(&self.engines)
            .cloned()
            .collect();
        let same = open
            .iter()
            .find(|it| it.info().checkpoint == checkpoint.as_str());
        if let Some(engine) = same {
            return Ok(Arc::clone(engine));
        }
        let kv_bytes = (self.config.model.kv_memory_mb << 20) / self.distinct.max(1);
        let id = checkpoint.as_str();
        let engine = local(self.paths, self.config, id, kv_bytes, &open)?;
        self.engines.push(Arc::clone(&engine));
        Ok(engine)
    }
}

/// Opens the engine of a configuration; blocks while the weights are read.
///
/// # Errors
/// [`EngineError::Load`] with a sentence that says what is missing and what to do.
pub fn open(paths: &Paths, config: &Config) -> Result<Arc<dyn Engine>, EngineError> {
    open_beside(paths, config, None)
}

fn open_beside(
    paths: &Paths,
    config: &Config,
    beside: Option<&Lineup>,
) -> Result<Arc<dyn Engine>, EngineError> {
    if config.remote.kind != RemoteKind::None {
        return super::remote::open(config);
    }
    let slots = beside.into_iter().flat_map(Lineup::slots);
    let open: Vec<_> = slots.map(|slot| Arc::clone(&slot.engine)).collect();
    let kv_bytes = config.model.kv_memory_mb << 20;
    local(paths, config, &config.model.id, kv_bytes, &open)
}

fn local(
    paths: &Paths,
    config: &Config,
    id: &str,
    kv_bytes: usize,
    beside: &[Arc<dyn Engine>],
) -> Result<Arc<dyn Engine>, EngineError> {
    // Or the first prompt would wait until the patterns of secrets are compiled.
    truefill_journal::redact::warm();
    let located = locate(paths, id)?;
    // Nobody waits for what takes over from another one.
    if !beside.is_empty() {
        verify(paths, &located.stored)?;
    }
    let format = match config.model.format.as_str() {
        "auto" => located.format.as_ref().map(known_format).transpose()?,
        named => Some(named.to_owned()),
    };
    let lease = lease(paths, &located.stored);
    let options = LocalOptions {
        path: located.path,
        adapter: located.adapter,
        base: located.stored.last().cloned(),
        checkpoint: located.checkpoint,
        format,
        layout: (config.model.layout != "auto").then(|| config.model.layout.clone()),
        device: config.model.device.clone(),
        threads: config.model.threads,
        max_positions: config.positions(),
        kv_bytes,
    };
    let beside: Vec<_> = beside.iter().filter_map(|it| it.local()).collect();
    let engine = LocalEngine::open(&options, &beside)?;
    Ok(Arc::new(engine.holding(lease)))
}

/// Hashes the files of stored checkpoints and holds them against their manifests.
fn verify(paths: &Paths, ids: &[CheckpointId]) -> Result<(), EngineError> {
    let load = |error: &dyn std::fmt::Display| EngineError::Load(error.to_string());
    let store = Store::open(&paths.store()).map_err(|error| load(&error))?;
    for id in ids {
        let found = store
            .verify(id, &mut |_| {})
            .map_err(|error| load(&error))?;
        if !found.holds() {
            return Err(EngineError::Load(format!(
                "`{id}` is not what its manifest says; `truefill models verify {id}` tells more"
            )));
        }
    }
    Ok(())
}

/// Keeps stored checkpoints from being pruned while they are in use. A store that cannot be written to
/// is not pruned either.
fn lease(paths: &Paths, ids: &[CheckpointId]) -> Option<Lease> {
    if ids.is_empty() {
        return None;
    }
    let leased = Store::open(&paths.store()).and_then(|store| store.lease(ids));
    leased
        .inspect_err(|error| tracing::warn!(%error, "the checkpoint could be pruned while in use"))
        .ok()
}

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

/// The name of a checkpoint's format, where this program renders it as it was when the checkpoint was
/// trained: a prompt of another version is not what the model knows.
fn known_format(format: &FormatName) -> Result<String, EngineError> {
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
