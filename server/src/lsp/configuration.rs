//! `workspace/didChangeConfiguration`.

use std::sync::PoisonError;

use serde_json::Value;

use super::backend::Backend;
use crate::config::{Config, ConfigError, Layer};

impl Backend {
    /// Settings that cannot be used leave everything as it was, and the user is told.
    pub(super) fn on_configuration(&self, settings: Value) {
        // Clients that want to be asked send `null`; what they said at the start stays.
        if settings.is_null() {
            return;
        }
        let settings = settings.get("truefill").cloned().unwrap_or(settings);
        let serving = &self.session.serving;
        match self.layered(&settings) {
            Ok(config) => match serving.configure(config) {
                Ok(true) => serving.warm_all(),
                Ok(false) => {}
                Err(error) => serving.warn(format!(
                    "The engine's thread could not be started: {error}."
                )),
            },
            Err(error) => serving.warn(format!("The settings were not taken: {error}.")),
        }
    }

    fn layered(&self, settings: &Value) -> Result<Config, ConfigError> {
        let mut config = self.session.base.clone();
        let initial = self
            .session
            .initial
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        config.overlay(&initial, Layer::InitializationOptions)?;
        config.overlay(settings, Layer::Settings)?;
        Ok(config)
    }
}
