//! From the configuration to the engine that it asks for.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Engine, EngineError, Loader};
use crate::config::{Config, RemoteKind};
use crate::paths::Paths;
use crate::serving::EngineFactory;

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
    if config.remote.kind != RemoteKind::None {
        return Err(EngineError::Load(
            "this build has no remote backends yet".into(),
        ));
    }
    let path = resolve(paths, &config.model.id)?;
    Err(EngineError::Load(format!(
        "`{}`: this build has no local engine yet",
        path.display()
    )))
}

/// The path of a model id.
fn resolve(_paths: &Paths, id: &str) -> Result<PathBuf, EngineError> {
    let path = PathBuf::from(id);
    if path.exists() {
        return Ok(path);
    }
    Err(EngineError::Load(format!(
        "the model `{id}` is not here: run `truefill models pull {id}`"
    )))
}
