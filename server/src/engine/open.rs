//! From the configuration to the engine that it asks for.

use std::collections::BTreeSet;
use std::sync::Arc;

use truefill_model::store::{Arm, CheckpointId, FileName, Lease, Serving, Store};

use super::lineup::{Lineup, Slot};
use super::local::{LocalEngine, LocalOptions};
use super::locate::{known_format, locate};
use super::{Engine, EngineError, EngineFactory, Loader, canary};
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
/// cannot be opened is left out and told of; the first one that is shown must be there. Where it is not and
/// nothing is served yet, what was served before it is.
///
/// # Errors
/// [`EngineError::Load`] with a sentence that says what is missing and what to do.
pub fn lineup(
    paths: &Paths,
    config: &Config,
    beside: Option<&Lineup>,
) -> Result<Lineup, EngineError> {
    let mut serving = serving(paths, config)?;
    let mut earlier = std::mem::take(&mut serving.history).into_iter();
    let mut reasons = Vec::new();
    loop {
        let reason = match arms(paths, config, beside, &serving) {
            Ok(lineup) => {
                reasons.extend(lineup.refused.iter().cloned());
                return Ok(lineup.with_refused(reasons));
            }
            Err(reason) => reason,
        };
        // One who serves goes on with that.
        let Some(past) = earlier.next().filter(|_| beside.is_none()) else {
            return Err(reason);
        };
        reasons.push(reason.to_string());
        serving.unit = past.unit;
        serving.salt = past.salt;
        serving.arms = past.arms;
        // What is served in need is no comparison.
        serving.generation = 0;
    }
}

/// Opens the arms of one state.
fn arms(
    paths: &Paths,
    config: &Config,
    beside: Option<&Lineup>,
    serving: &Serving,
) -> Result<Lineup, EngineError> {
    if serving.arms.is_empty() {
        return Ok(Lineup::single(open_beside(paths, config, beside)?));
    }
    let mut opening = Opening {
        paths,
        config,
        engines: Vec::new(),
        before: beside,
        distinct: distinct(serving),
    };
    let mut refused = Vec::new();
    let mut slots = Vec::new();
    let wanted = |(arm, share): &(&Arm, f64)| arm.shadow || *share > 0.0;
    for (arm, share) in serving.shares().filter(wanted) {
        match opening.engine(&arm.checkpoint) {
            Ok(engine) => slots.push(Slot {
                name: arm.name.as_str().into(),
                share,
                shadow: arm.shadow,
                info: engine.info(),
                engine,
            }),
            Err(error) => {
                let reason = format!("arm `{}`: {error}", arm.name);
                if !arm.shadow && slots.iter().all(|slot: &Slot| slot.shadow) {
                    // Without the one that others are compared with there is no comparison.
                    return Err(EngineError::Load(reason));
                }
                refused.push(reason);
            }
        }
    }
    let shown: f64 = slots.iter().map(|slot| slot.share).sum();
    slots.iter_mut().for_each(|slot| slot.share /= shown);
    // One that is shown has to be first: a shadow alone serves nobody.
    slots.sort_by_key(|slot| slot.shadow);
    match Lineup::of(serving, slots).filter(|_| shown > 0.0) {
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
    let trial = Trial::of(paths, &located.stored);
    // Nobody waits for what takes over from another one.
    if !beside.is_empty() || trial.is_some() {
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
    if let Some(trial) = trial {
        trial.pass(&engine)?;
    }
    Ok(Arc::new(engine.holding(lease)))
}

/// The trial of a stored checkpoint that has never been served here.
struct Trial<'a> {
    store: Store,
    id: &'a CheckpointId,
    passed: FileName,
}

impl<'a> Trial<'a> {
    /// `None` where it has been passed, or where nobody could write that down.
    fn of(paths: &Paths, stored: &'a [CheckpointId]) -> Option<Self> {
        let id = stored.first()?;
        let store = Store::open(&paths.store()).ok()?;
        let passed: FileName = concat!("trial-", env!("CARGO_PKG_VERSION"), ".json")
            .parse()
            .ok()?;
        let known = store.evidence(id).ok()?.contains(&passed);
        (!known).then_some(Self { store, id, passed })
    }

    /// Asks the engine a few prompts, and writes down that it gave sense.
    fn pass(&self, engine: &LocalEngine) -> Result<(), EngineError> {
        let failed = |reason| EngineError::Load(format!("`{}`: {reason}", self.id));
        canary::check(engine).map_err(failed)?;
        // Where the store is read-only, the next start asks again.
        let _ = self
            .store
            .add_evidence(self.id, &self.passed, b"{\"passed\":true}\n");
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use truefill_model::store::{Alias, Draft, FormatName};

    use super::*;

    fn tiny() -> std::path::PathBuf {
        let data = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../crates/model/tests/data/parity/gguf/llama-f32.gguf"
        );
        data.into()
    }

    /// Installs a model of these bytes.
    fn installed(store: &Store, name: &str, bytes: &[u8]) -> CheckpointId {
        let staging = store.stage().expect("a folder");
        std::fs::write(staging.folder().join("model.gguf"), bytes).expect("written");
        let checkpoint = truefill_model::checkpoint::Checkpoint::open(&tiny()).expect("it opens");
        let tokenizer = checkpoint.tokenizer().expect("it has one").sha256();
        let tokenizer = tokenizer.parse().expect("a hash");
        let draft = Draft::full(
            name,
            "a test",
            "llama",
            FormatName::new("causal", 1),
            tokenizer,
        );
        store.install(staging, draft).expect("installed").id
    }

    fn arms_of(all: &[(&str, &CheckpointId, f64)]) -> Serving {
        let arm = |(name, id, weight): &(&str, &CheckpointId, f64)| {
            let name: Alias = name.parse().expect("a name");
            Arm::new(name, (*id).clone(), *weight)
        };
        Serving {
            arms: all.iter().map(arm).collect(),
            ..Serving::default()
        }
    }

    #[test]
    fn a_start_that_fails_goes_back_to_what_was_served_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = Paths::from_home(Some(folder.path().into())).expect("paths");
        let store = Store::open(&paths.store()).expect("a store");
        let good = installed(&store, "good", &std::fs::read(tiny()).expect("read"));
        let bad = installed(&store, "bad", b"no model");
        let config = Config::default();
        store
            .swap_serving(0, arms_of(&[("good", &good, 1.0)]))
            .expect("served");
        let opened = || lineup(&paths, &config, None);
        assert_eq!(opened().expect("it opens").generation, 1);
        let evidence = store.evidence(&good).expect("read");
        assert!(evidence.iter().any(|it| it.as_str().starts_with("trial-")));

        store
            .swap_serving(1, arms_of(&[("bad", &bad, 9.0), ("good", &good, 1.0)]))
            .expect("served");
        let back = opened().expect("what was served before");
        assert_eq!(back.first().info.checkpoint, good.as_str());
        assert!(
            back.refused[0].contains("arm `bad`") && !back.assigns(),
            "{back:?}"
        );

        store
            .swap_serving(2, arms_of(&[("good", &good, 9.0), ("bad", &bad, 1.0)]))
            .expect("served");
        let rest = opened().expect("the first arm is there");
        assert!(rest.assigns() && rest.slots().count() == 1 && rest.refused.len() == 1);
        // One who serves is asked to go on instead.
        store
            .swap_serving(3, arms_of(&[("bad", &bad, 1.0)]))
            .expect("served");
        assert!(lineup(&paths, &config, Some(&rest)).is_err());
    }
}
