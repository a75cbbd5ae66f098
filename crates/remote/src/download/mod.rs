//! Downloads that go on where they were cut, and are hashed while they arrive.

mod answer;
mod error;
mod part;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use futures::StreamExt;
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_RANGE, HeaderMap, IF_RANGE, RANGE};
use reqwest::{Client, Response, StatusCode, Url};

use crate::retry::{self, RetryPolicy};
use crate::{Secret, message};

use answer::{content_range, validator};
pub use error::DownloadError;
use part::{Part, State};

/// How long to wait for a network.
#[derive(Debug, Clone)]
pub struct Options {
    /// Until a connection stands.
    pub connect_timeout: Duration,
    /// Until the next bytes arrive.
    pub silence_timeout: Duration,
    /// What to do when it fails.
    pub retry: RetryPolicy,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(15),
            silence_timeout: Duration::from_secs(60),
            retry: RetryPolicy::default(),
        }
    }
}

/// What to download.
#[derive(Debug)]
pub struct Request<'a> {
    /// From where.
    pub url: &'a Url,
    /// To where. Until it is complete, the bytes lie beside it, in `<name>.part`.
    pub to: &'a Path,
    /// More bytes than these are refused.
    pub max_bytes: u64,
    /// The length, where it is known.
    pub expected_bytes: Option<u64>,
    /// The hash in lower-case hexadecimal digits, where it is known.
    pub expected_sha256: Option<&'a str>,
    /// Sent to the address's own host alone, not to where it redirects.
    pub token: Option<&'a Secret>,
}

/// A complete download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// Where it lies.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Its hash in lower-case hexadecimal digits.
    pub sha256: String,
}

/// Told the bytes that are there and, where it is known, how many there will be.
pub type Progress<'a> = &'a mut (dyn FnMut(u64, Option<u64>) + Send);

/// Downloads files. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Downloader {
    client: Client,
    options: Options,
}

type Delays = Box<dyn Iterator<Item = Duration> + Send>;

/// Why an attempt ended, and whether another one is of use.
struct Failure {
    error: DownloadError,
    again: bool,
    wait: Option<Duration>,
}

impl Failure {
    fn last(error: DownloadError) -> Self {
        Self {
            error,
            again: false,
            wait: None,
        }
    }

    fn again(error: DownloadError) -> Self {
        Self {
            error,
            again: true,
            wait: None,
        }
    }
}

impl Downloader {
    /// A downloader.
    ///
    /// # Errors
    /// Where the system offers no way to check certificates.
    pub fn new(options: Options) -> Result<Self, DownloadError> {
        let client = Client::builder()
            .user_agent(concat!("truefill/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(options.connect_timeout)
            .read_timeout(options.silence_timeout)
            .build()
            .map_err(|error| DownloadError::Client(message::cause(&error)))?;
        Ok(Self { client, options })
    }

    /// Downloads a file. What an earlier attempt left is kept if the server says that the file is
    /// still the same. Retries are counted from the last byte that arrived, so that a long
    /// download survives any number of cuts.
    ///
    /// # Errors
    /// [`DownloadError`]; the bytes that arrived stay for the next attempt, unless they are wrong.
    pub async fn download(
        &self,
        request: &Request<'_>,
        progress: Progress<'_>,
    ) -> Result<Downloaded, DownloadError> {
        let mut part = Part::open(request.to, &message::plain(request.url)).await?;
        if part.is_complete() && is_expected(request, &part) {
            progress(part.bytes(), Some(part.bytes()));
            return complete(request, part).await;
        }
        let mut delays: Delays = Box::new(self.options.retry.delays(0));
        let mut reached = part.bytes();
        let mut answered = false;
        loop {
            let failure = match self.attempt(request, &mut part, progress).await {
                Ok(()) => return complete(request, part).await,
                Err(failure) => failure,
            };
            if part.bytes() > reached {
                reached = part.bytes();
                delays = Box::new(self.options.retry.delays(0));
            }
            // A host that was never reached is most likely not there: ask once more, not for long.
            answered |= !matches!(failure.error, DownloadError::Unreachable { .. });
            if !answered {
                delays = Box::new(delays.take(1));
            }
            let delay = next_delay(&failure, &mut delays, self.options.retry.longest_wait);
            let Some(delay) = delay else {
                return Err(failure.error);
            };
            tracing::debug!(error = %failure.error, ?delay, "downloading again");
            tokio::time::sleep(delay).await;
        }
    }

    async fn attempt(
        &self,
        request: &Request<'_>,
        part: &mut Part,
        progress: Progress<'_>,
    ) -> Result<(), Failure> {
        let response = self.ask(request, part).await?;
        let total = match response.status() {
            StatusCode::PARTIAL_CONTENT => continued(part, &response).await?,
            StatusCode::RANGE_NOT_SATISFIABLE => {
                // What is here does not fit what is there.
                part.restart().await.map_err(Failure::last)?;
                return Err(Failure::again(DownloadError::Changed {
                    url: plain(request),
                }));
            }
            status if status.is_success() => begun(part, &response).await?,
            status => return Err(refused(request, status, response.headers())),
        };
        check_size(request, total)?;
        progress(part.bytes(), total);
        receive(request, part, response, total, progress).await
    }

    async fn ask(&self, request: &Request<'_>, part: &mut Part) -> Result<Response, Failure> {
        let mut get = self
            .client
            .get(request.url.clone())
            // A compressed body's ranges would not be the file's.
            .header(ACCEPT_ENCODING, "identity");
        if let Some(token) = request.token.and_then(Secret::bearer) {
            get = get.header(AUTHORIZATION, token);
        }
        match part.resumable() {
            Some(validator) => {
                let range = format!("bytes={}-", part.bytes());
                get = get.header(RANGE, range).header(IF_RANGE, validator);
            }
            None => part.restart().await.map_err(Failure::last)?,
        }
        get.send().await.map_err(|error| network(request, &error))
    }
}

fn next_delay(
    failure: &Failure,
    delays: &mut dyn Iterator<Item = Duration>,
    longest_wait: Duration,
) -> Option<Duration> {
    if !failure.again {
        return None;
    }
    let own = delays.next()?;
    match failure.wait {
        Some(wait) if wait > longest_wait => None,
        Some(wait) => Some(wait.max(own)),
        None => Some(own),
    }
}

fn plain(request: &Request<'_>) -> String {
    message::plain(request.url)
}

fn network(request: &Request<'_>, error: &reqwest::Error) -> Failure {
    let host = message::host(request.url);
    if error.is_timeout() && !error.is_connect() {
        return Failure::again(DownloadError::Silent { host });
    }
    let problem = message::cause(error);
    if error.is_builder() || error.is_redirect() {
        let url = plain(request);
        return Failure::last(DownloadError::Malformed { url, problem });
    }
    if error.is_connect() {
        return Failure::again(DownloadError::Unreachable { host, problem });
    }
    Failure::again(DownloadError::Cut { host, problem })
}

fn refused(request: &Request<'_>, status: StatusCode, headers: &HeaderMap) -> Failure {
    let wait = retry::retry_after(headers, SystemTime::now());
    let error = DownloadError::Status {
        url: plain(request),
        status: status.as_u16(),
        wait,
    };
    Failure {
        error,
        again: retry::is_transient(status),
        wait,
    }
}

/// A body from the first byte on: whatever was here before is of another version, or was not
/// asked for.
async fn begun(part: &mut Part, response: &Response) -> Result<Option<u64>, Failure> {
    part.restart().await.map_err(Failure::last)?;
    let total = response.content_length();
    part.remember(State {
        total,
        validator: validator(response.headers()),
    })
    .await
    .map_err(Failure::last)?;
    Ok(total)
}

/// A body that goes on from the bytes that are here, if it is what it says.
async fn continued(part: &mut Part, response: &Response) -> Result<Option<u64>, Failure> {
    let range = response
        .headers()
        .get(CONTENT_RANGE)
        .and_then(|value| value.to_str().ok());
    let (start, total) = range.and_then(content_range).unwrap_or((u64::MAX, None));
    let known = part.state();
    // A server may ignore the condition and go on with a file that is another one by now.
    let same = start == part.bytes()
        && validator(response.headers())
            .is_none_or(|found| known.validator.as_ref() == Some(&found))
        && (known.total.is_none() || total.is_none() || known.total == total);
    if same {
        return Ok(total.or(known.total));
    }
    part.restart().await.map_err(Failure::last)?;
    Err(Failure::again(DownloadError::Changed {
        url: message::plain(response.url()),
    }))
}

fn check_size(request: &Request<'_>, total: Option<u64>) -> Result<(), Failure> {
    let url = plain(request);
    if let Some(found) = total
        && found > request.max_bytes
    {
        let limit = request.max_bytes;
        return Err(Failure::last(DownloadError::TooLarge {
            url,
            limit,
            found: Some(found),
        }));
    }
    match (total, request.expected_bytes) {
        (Some(found), Some(expected)) if found != expected => {
            Err(Failure::last(DownloadError::WrongSize {
                url,
                expected,
                found,
            }))
        }
        _ => Ok(()),
    }
}

/// Whether what is here is known to be the file, without asking the server again.
fn is_expected(request: &Request<'_>, part: &Part) -> bool {
    request.expected_sha256 == Some(part.sha256().as_str())
        && part.bytes() <= request.max_bytes
        && request
            .expected_bytes
            .is_none_or(|bytes| bytes == part.bytes())
}

async fn receive(
    request: &Request<'_>,
    part: &mut Part,
    response: Response,
    total: Option<u64>,
    progress: Progress<'_>,
) -> Result<(), Failure> {
    let limit = total.unwrap_or(u64::MAX).min(request.max_bytes);
    let mut body = response.bytes_stream();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| network(request, &error))?;
        if part.bytes().saturating_add(chunk.len() as u64) > limit {
            part.restart().await.map_err(Failure::last)?;
            let url = plain(request);
            return Err(Failure::last(DownloadError::TooLarge {
                url,
                limit,
                found: None,
            }));
        }
        part.append(&chunk).await.map_err(Failure::last)?;
        progress(part.bytes(), total);
    }
    match total.or(request.expected_bytes) {
        Some(expected) if part.bytes() != expected => Err(Failure::again(DownloadError::Short {
            url: plain(request),
            expected,
            found: part.bytes(),
        })),
        _ => Ok(()),
    }
}

async fn complete(request: &Request<'_>, part: Part) -> Result<Downloaded, DownloadError> {
    let found = part.sha256();
    if let Some(expected) = request.expected_sha256
        && expected != found
    {
        part.discard().await;
        let expected = expected.to_owned();
        return Err(DownloadError::WrongHash {
            url: plain(request),
            expected,
            found,
        });
    }
    let bytes = part.bytes();
    part.finish(request.to).await?;
    Ok(Downloaded {
        path: request.to.to_owned(),
        bytes,
        sha256: found,
    })
}
