//! Wrong usage that only shows after the command line was read.

/// What a person has to change in the command or the recipe; the program ends with 2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

impl Usage {
    /// The error of wrong usage, for `?` in a function that gives [`anyhow::Result`].
    pub fn error(message: impl Into<String>) -> anyhow::Error {
        Self(message.into()).into()
    }
}
