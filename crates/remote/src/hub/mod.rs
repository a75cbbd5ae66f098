//! Models of the hub: `hf:OWNER/REPO[/FILE][@REVISION]`.
//!
//! The hub's own client crate is not used. Its downloads cannot be continued, its retries ignore
//! dates in `Retry-After`, its address builder is private, and it brings in a second transfer
//! protocol, which doubles the number of crates; what remains is one listing and one address
//! form. Its cache is honoured: a file that it holds is copied, not downloaded.

mod cache;
mod error;
mod listing;
mod reference;
mod select;

use std::path::{Path, PathBuf};

use reqwest::Url;

use crate::download::{Downloaded, Downloader, Progress, Request};
use crate::{Secret, message};

use cache::HubCache;
pub use error::HubError;
use listing::Listing;
pub use listing::RepoFile;
pub use reference::HubReference;

/// The address of the hub where `HF_ENDPOINT` names no other.
const ENDPOINT: &str = "https://huggingface.co";
/// Largest file of weights, in bytes.
const WEIGHTS_LIMIT: u64 = 1 << 40;
/// Largest other file, in bytes.
const SMALL_LIMIT: u64 = 256 << 20;

/// Where the hub is and who asks, as the hub's own tools read it from the environment.
#[derive(Debug, Clone)]
pub struct HubOptions {
    /// `HF_ENDPOINT`.
    pub endpoint: String,
    /// `HF_TOKEN`, or the file that its login command writes.
    pub token: Option<Secret>,
    /// Its cache, read and never written.
    pub cache: Option<PathBuf>,
}

impl HubOptions {
    /// Reads `HF_ENDPOINT`, `HF_TOKEN`, `HF_TOKEN_PATH`, `HF_HUB_CACHE`, `HF_HOME`,
    /// `XDG_CACHE_HOME` and `HOME` through `lookup`.
    pub fn from_variables(lookup: &dyn Fn(&str) -> Option<String>) -> Self {
        let variable = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        let home = variable("HF_HOME").map(PathBuf::from).or_else(|| {
            let cache = variable("XDG_CACHE_HOME").map(PathBuf::from);
            let cache = cache.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".cache")));
            Some(cache?.join("huggingface"))
        });
        let token_file = variable("HF_TOKEN_PATH")
            .map(PathBuf::from)
            .or_else(|| home.as_ref().map(|home| home.join("token")));
        let token = variable("HF_TOKEN")
            .or_else(|| std::fs::read_to_string(token_file?).ok())
            .and_then(|text| Secret::new(&text));
        let cache = variable("HF_HUB_CACHE")
            .map(PathBuf::from)
            .or_else(|| home.map(|home| home.join("hub")));
        let endpoint = variable("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned());
        Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            token,
            cache,
        }
    }
}

/// What to fetch of a repository: the files of one model, at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What the user named.
    pub reference: HubReference,
    /// The commit that the revision stands for.
    pub commit: String,
    /// The files, small ones first.
    pub files: Vec<RepoFile>,
}

impl Plan {
    /// Length of all files, as far as the hub tells.
    pub fn bytes(&self) -> u64 {
        self.files
            .iter()
            .filter_map(|file| file.bytes)
            .fold(0, u64::saturating_add)
    }
}

/// The hub.
#[derive(Debug, Clone)]
pub struct Hub {
    downloader: Downloader,
    options: HubOptions,
    endpoint: Url,
}

impl Hub {
    /// A hub at the given endpoint.
    ///
    /// # Errors
    /// Where the endpoint is not an HTTP address.
    pub fn new(downloader: Downloader, options: HubOptions) -> Result<Self, HubError> {
        let endpoint = Url::parse(&options.endpoint)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| HubError::Endpoint {
                found: message::without_secrets(&options.endpoint),
            })?;
        Ok(Self {
            downloader,
            options,
            endpoint,
        })
    }

    /// Asks what the repository holds and chooses the files of the model: one GGUF file, or
    /// `config.json`, `tokenizer.json` and the safetensors. Without a network, what the hub's own
    /// cache holds is used.
    ///
    /// # Errors
    /// [`HubError`], in a sentence that says what to do.
    pub async fn plan(&self, reference: &HubReference) -> Result<Plan, HubError> {
        let cache = self
            .options
            .cache
            .as_deref()
            .map(|root| HubCache::new(root, reference));
        let listing = match self.list(reference).await {
            Ok(listing) => listing,
            Err(error) if error.is_offline() => {
                cache.as_ref().and_then(HubCache::listing).ok_or(error)?
            }
            Err(error) => return Err(error),
        };
        let index = if select::needs_index(reference, &listing) {
            Some(self.index(reference, &listing).await?)
        } else {
            None
        };
        let files = select::files(reference, &listing, index.as_deref())?;
        Ok(Plan {
            reference: reference.clone(),
            commit: listing.commit,
            files,
        })
    }

    /// Fetches one file of a plan to `to`; the hub's cache serves it where it can.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn fetch(
        &self,
        plan: &Plan,
        file: &RepoFile,
        to: &Path,
        progress: Progress<'_>,
    ) -> Result<Downloaded, HubError> {
        if let Some(root) = self.options.cache.as_deref()
            && let Some(found) = HubCache::new(root, &plan.reference)
                .copy(&plan.commit, file, to, progress)
                .await
        {
            return Ok(found);
        }
        let url = self.address(&plan.reference, &plan.commit, &file.name)?;
        let request = Request {
            url: &url,
            to,
            max_bytes: if file.is_weights() {
                WEIGHTS_LIMIT
            } else {
                SMALL_LIMIT
            },
            expected_bytes: file.bytes,
            expected_sha256: file.sha256.as_deref(),
            token: self.options.token.as_ref(),
        };
        self.downloader
            .download(&request, progress)
            .await
            .map_err(|error| self.explain(&plan.reference, error))
    }

    async fn list(&self, reference: &HubReference) -> Result<Listing, HubError> {
        let mut url = self.endpoint.clone();
        push(
            &mut url,
            &[
                "api",
                "models",
                &reference.owner,
                &reference.repo,
                "revision",
            ],
        )?;
        push(&mut url, &[reference.revision()])?;
        url.set_query(Some("blobs=true"));
        let bytes = self.small(reference, &url).await?;
        Listing::parse(&bytes).map_err(|problem| HubError::Listing {
            repository: reference.repository(),
            problem,
        })
    }

    async fn index(
        &self,
        reference: &HubReference,
        listing: &Listing,
    ) -> Result<Vec<u8>, HubError> {
        let url = self.address(reference, &listing.commit, select::INDEX)?;
        let cache = self
            .options
            .cache
            .as_deref()
            .map(|root| HubCache::new(root, reference));
        if let Some(path) = cache.and_then(|cache| cache.find(&listing.commit, select::INDEX))
            && let Ok(bytes) = tokio::fs::read(path).await
        {
            return Ok(bytes);
        }
        self.small(reference, &url).await
    }

    /// A small reply, by way of a temporary file that takes retries, limits and hashes from the
    /// downloads.
    async fn small(&self, reference: &HubReference, url: &Url) -> Result<Vec<u8>, HubError> {
        let folder = tempfile::tempdir().map_err(HubError::Temporary)?;
        let to = folder.path().join("reply");
        let request = Request {
            url,
            to: &to,
            max_bytes: 64 << 20,
            expected_bytes: None,
            expected_sha256: None,
            token: self.options.token.as_ref(),
        };
        self.downloader
            .download(&request, &mut |_, _| ())
            .await
            .map_err(|error| self.explain(reference, error))?;
        tokio::fs::read(&to).await.map_err(HubError::Temporary)
    }

    fn address(&self, reference: &HubReference, commit: &str, file: &str) -> Result<Url, HubError> {
        let mut url = self.endpoint.clone();
        push(
            &mut url,
            &[&reference.owner, &reference.repo, "resolve", commit],
        )?;
        push(&mut url, &file.split('/').collect::<Vec<_>>())?;
        Ok(url)
    }

    fn explain(&self, reference: &HubReference, error: crate::download::DownloadError) -> HubError {
        HubError::from_download(reference, self.options.token.is_some(), error)
    }
}

fn push(url: &mut Url, segments: &[&str]) -> Result<(), HubError> {
    let text = message::plain(url);
    url.path_segments_mut()
        .map_err(|()| HubError::Endpoint { found: text })?
        .pop_if_empty()
        .extend(segments);
    Ok(())
}
