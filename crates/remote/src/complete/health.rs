//! Whether a server is there and ready.

use reqwest::Method;
use serde::Deserialize;
use tokio::time::Instant;

use super::{BackendError, CompletionBackend, Protocol};

/// What a server says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It completes.
    Ready {
        /// The models that it offers, where it tells.
        models: Vec<String>,
    },
    /// It is still loading its model.
    Loading,
    /// It is there, but offers another model than the one that is configured.
    NoSuchModel {
        /// What it offers.
        models: Vec<String>,
    },
}

#[derive(Deserialize)]
struct Models {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
}

impl CompletionBackend {
    /// Asks the server: llama.cpp for its health, others for their models.
    ///
    /// # Errors
    /// [`BackendError`] where it is not there or refuses.
    pub async fn health(&self) -> Result<Health, BackendError> {
        match &self.protocol {
            Protocol::LlamaCpp { .. } => match self.get("health").await {
                Ok(_) => Ok(Health::Ready { models: Vec::new() }),
                Err(BackendError::Status { status: 503, .. }) => Ok(Health::Loading),
                Err(error) => Err(error),
            },
            Protocol::OpenAi { model } => {
                let body = match self.get("v1/models").await {
                    Ok(body) => body,
                    Err(BackendError::Status { status: 503, .. }) => return Ok(Health::Loading),
                    Err(error) => return Err(error),
                };
                let reply: Models = serde_json::from_slice(&body)
                    .map_err(|error| self.malformed(&error.to_string()))?;
                let models: Vec<String> = reply.data.into_iter().map(|model| model.id).collect();
                if models.contains(model) {
                    Ok(Health::Ready { models })
                } else {
                    Ok(Health::NoSuchModel { models })
                }
            }
        }
    }

    async fn get(&self, path: &str) -> Result<Vec<u8>, BackendError> {
        let deadline = Instant::now() + self.limits.first_piece;
        let response = self
            .send(self.endpoint.bearing(Method::GET, path), deadline)
            .await?;
        self.body(response, deadline).await
    }
}
