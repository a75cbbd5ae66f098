//! Why a model of the hub could not be had.

use crate::download::DownloadError;

/// What went wrong, in one sentence.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// What the user wrote is not a reference.
    #[error("expected `hf:OWNER/REPO[/FILE][@REVISION]`, found `{found}`{problem}")]
    Reference {
        /// What was written.
        found: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// `HF_ENDPOINT` is not an address.
    #[error("expected an http or https address in `HF_ENDPOINT`, found `{found}`")]
    Endpoint {
        /// What it holds, without a user, a password or a query.
        found: String,
    },
    /// There is no such thing, or it is hidden.
    #[error(
        "the hub has no `{reference}` that can be seen{}; check the spelling, and set `HF_TOKEN` \
         to an access token if it is private",
        who(*with_token)
    )]
    NotFound {
        /// What was asked for.
        reference: String,
        /// Whether a token was sent.
        with_token: bool,
    },
    /// It is there, for those who may.
    #[error("{}", gated(repository, *with_token))]
    Gated {
        /// Which repository.
        repository: String,
        /// Whether a token was sent.
        with_token: bool,
    },
    /// No network.
    #[error(
        "`{reference}` is not on this machine and cannot be fetched: {cause}; a model that you \
         have as a file can be installed with `truefill models pull PATH`"
    )]
    Offline {
        /// What was asked for.
        reference: String,
        /// Why there is no connection.
        cause: DownloadError,
    },
    /// The hub's listing is not what it should be.
    #[error("{repository}: the hub's listing is not understood: {problem}")]
    Listing {
        /// Which repository.
        repository: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// The repository does not hold a model that can be used.
    #[error("{reference}: {problem}")]
    Contents {
        /// What was asked for.
        reference: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// Any other failure of a download.
    #[error(transparent)]
    Download(DownloadError),
    /// No temporary file.
    #[error("cannot use the temporary folder: {0}")]
    Temporary(std::io::Error),
}

impl HubError {
    pub(super) fn from_download(
        reference: &super::HubReference,
        with_token: bool,
        error: DownloadError,
    ) -> Self {
        let repository = reference.repository();
        match error {
            DownloadError::Unreachable { .. } => Self::Offline {
                reference: reference.to_string(),
                cause: error,
            },
            DownloadError::Status {
                status: 401 | 403, ..
            } => Self::Gated {
                repository,
                with_token,
            },
            DownloadError::Status {
                status: 404 | 410, ..
            } => Self::NotFound {
                reference: reference.to_string(),
                with_token,
            },
            error => Self::Download(error),
        }
    }

    /// Whether the hub could not be asked at all.
    pub(super) fn is_offline(&self) -> bool {
        matches!(self, Self::Offline { .. })
    }
}

fn who(with_token: bool) -> &'static str {
    if with_token {
        " with this `HF_TOKEN`"
    } else {
        ""
    }
}

fn gated(repository: &str, with_token: bool) -> String {
    if with_token {
        format!(
            "this `HF_TOKEN` may not read `{repository}`: accept the terms on the repository's \
             page with the account that the token belongs to, or use a token that may read it"
        )
    } else {
        format!(
            "`{repository}` does not exist or asks for a login: accept its terms on the \
             repository's page, create an access token, and set `HF_TOKEN` to it"
        )
    }
}
