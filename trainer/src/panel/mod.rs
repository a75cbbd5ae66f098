//! Panels: the models behind an API that generate negatives and judge them, named in the recipe.
//!
//! Steps ask through [`Member`]; what is asked, cached, paid for and retried is the business of
//! whatever implements it. Steps are tested with members that answer from a table.

pub mod http;
mod open;
mod roll;

use std::pin::Pin;

pub use open::{Books, ledger_beside, open};
pub use roll::{Heard, Roll};
pub use truefill_remote::api::{ChatReply as Reply, ChatRequest as Question, Finish};

/// Why there is no reply. What may succeed in another run is not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The server refused the key or the account: every further question would fail too.
    #[error("{0}")]
    Stop(String),
    /// The budget is spent.
    #[error("the budget is spent: {0}")]
    Budget(String),
    /// The text may not leave this machine.
    #[error("the question holds a secret")]
    Secret,
    /// This one question failed, after all retries.
    #[error("{0}")]
    Failed(String),
}

/// What asking runs on.
///
/// # Errors
/// Where the system gives no threads.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}

/// A reply that is on its way.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Reply, AskError>> + Send + 'a>>;

/// A model that can be asked.
pub trait Member: Send + Sync {
    /// Its name in the recipe, which stands in rows and tables.
    fn name(&self) -> &str;

    /// Asks. The same question, asked again in a later run, is answered from what was kept.
    fn ask<'a>(&'a self, question: &'a Question) -> Answer<'a>;
}
