//! Upload, create, poll, download.

use std::io::BufRead;
use std::path::Path;
use std::time::Duration;

use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde_json::json;

use super::file::{BatchFile, broken};
use super::lines::{self, Read};
use crate::api::attempts::Stop;
use crate::api::client::Client;
use crate::api::error::{ApiError, Failure};
use crate::api::ledger::{BatchReply, BatchRow, BatchState};
use crate::api::transport::Failed;
use crate::message;

/// Replies that are kept in one transaction.
const GROUP: usize = 500;
/// Batches that are looked through for one whose id was lost.
const LISTED_PAGES: usize = 20;

/// What happens to a batch, for progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchEvent {
    /// The file was uploaded.
    Uploaded,
    /// The batch runs under this id.
    Created(String),
    /// The server gave the batch up before its end: its status.
    Ended(String),
    /// It is not done yet: its status, requests done, requests in all.
    Waiting(String, u64, u64),
    /// Its replies were read: kept, failed.
    Read(u64, u64),
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchRun {
    /// Replies that are kept.
    pub kept: u64,
    /// Requests without a reply; they are asked singly, or in the next batch.
    pub failed: u64,
}

#[derive(Deserialize)]
struct FileObject {
    id: String,
}

#[derive(Deserialize)]
struct BatchObject {
    id: String,
    status: String,
    #[serde(default)]
    output_file_id: Option<String>,
    #[serde(default)]
    metadata: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(default)]
    request_counts: Option<Counts>,
    #[serde(default)]
    errors: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Counts {
    total: u64,
    completed: u64,
}

#[derive(Deserialize)]
struct Listed {
    data: Vec<BatchObject>,
    #[serde(default)]
    has_more: bool,
}

impl BatchObject {
    /// It was made for this input, and something can still come of it.
    fn carries(&self, key: &str) -> bool {
        let metadata = self.metadata.as_ref();
        let given_up = matches!(
            self.status.as_str(),
            "failed" | "expired" | "cancelling" | "cancelled"
        );
        metadata.and_then(|data| data.get("truefill_input")?.as_str()) == Some(key)
            && (!given_up || self.output_file_id.is_some())
    }

    /// What the server says against it.
    fn problem(&self) -> String {
        let errors = self.errors.as_ref();
        let first = errors.and_then(|errors| errors.get("data")?.get(0));
        let message = first.and_then(|error| error.get("message")?.as_str());
        let message = message.unwrap_or("no reason given");
        format!(
            "the batch {} failed: {}",
            self.id,
            message::excerpt(message)
        )
    }
}

impl Client {
    /// Brings a batch from its file to kept replies, from wherever an earlier run left it. Asks
    /// every `poll` whether it is done. A batch that the server could not finish gives what it has;
    /// it is settled, and the same file makes a new one.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn run_batch(
        &self,
        file: &BatchFile,
        poll: Duration,
        tell: &mut (dyn FnMut(BatchEvent) + Send),
    ) -> Result<BatchRun, ApiError> {
        let mut row = self.batch_row(file).await?;
        if row.state == BatchState::Done {
            return Ok(BatchRun::default());
        }
        if row.state == BatchState::Uploading {
            row.file_id = Some(self.upload(file).await?);
            row.state = BatchState::Creating;
            self.inner.ledger.write_batch(row.clone()).await?;
            tell(BatchEvent::Uploaded);
            self.create(&mut row).await?;
        } else if row.state == BatchState::Creating {
            // The run before this one ended here: the batch may run already.
            match self.find(&row.key).await? {
                Some(id) => row.batch_id = Some(id),
                None => self.create(&mut row).await?,
            }
        }
        row.state = BatchState::Created;
        self.inner.ledger.write_batch(row.clone()).await?;
        let id = row.batch_id.clone().unwrap_or_default();
        tell(BatchEvent::Created(id.clone()));
        let ended = self.wait_for(&id, poll, tell).await?;
        let complete = ended.status == "completed";
        let mut run = BatchRun::default();
        if let Some(output) = &ended.output_file_id {
            run = self.read_output(output).await?;
        }
        run.failed = file.requests.saturating_sub(run.kept);
        self.inner.ledger.end_batch(row, complete).await?;
        if !complete {
            tell(BatchEvent::Ended(ended.status.clone()));
        }
        if ended.status == "failed" {
            return Err(self.inner.failed(1, Failure::Malformed(ended.problem())));
        }
        tell(BatchEvent::Read(run.kept, run.failed));
        Ok(run)
    }

    /// Keeps the replies of an output file that was downloaded by other means.
    ///
    /// # Errors
    /// Where the file cannot be read, and [`ApiError::Ledger`].
    pub async fn read_batch_output(&self, path: &Path) -> Result<BatchRun, ApiError> {
        let file = std::fs::File::open(path).map_err(|error| broken(path, &error))?;
        self.keep_lines(&mut std::io::BufReader::new(file), path)
            .await
    }

    async fn batch_row(&self, file: &BatchFile) -> Result<BatchRow, ApiError> {
        let ledger = &self.inner.ledger;
        if let Some(row) = ledger.batch(&file.sha256).await? {
            return Ok(row);
        }
        let row = BatchRow {
            key: file.sha256.clone(),
            state: BatchState::Uploading,
            reserved: file.most,
            file_id: None,
            batch_id: None,
        };
        match ledger.begin_batch(row.clone()).await? {
            Ok(()) => Ok(row),
            Err(left) => Err(ApiError::Budget {
                needed: file.most,
                left,
            }),
        }
    }

    async fn upload(&self, file: &BatchFile) -> Result<String, ApiError> {
        let path = &file.path;
        let object: FileObject = self
            .again(async || {
                let opened = tokio::fs::File::open(path)
                    .await
                    .map_err(|error| Failure::Cut(error.to_string()))?;
                let length = opened
                    .metadata()
                    .await
                    .map_err(|error| Failure::Cut(error.to_string()))?
                    .len();
                let part = Part::stream_with_length(reqwest::Body::from(opened), length)
                    .file_name("batch.jsonl")
                    .mime_str("application/jsonl")
                    .map_err(|error| Failure::Cut(error.to_string()))?;
                let form = Form::new().text("purpose", "batch").part("file", part);
                let request = self.request(Method::POST, "v1/files").multipart(form);
                let sent = self.inner.transport.upload(request, length).await?;
                read(&sent)
            })
            .await?;
        Ok(object.id)
    }

    /// Creates the batch. A request that broke off may have created one, so it is looked for
    /// before another is made.
    async fn create(&self, row: &mut BatchRow) -> Result<(), ApiError> {
        let body = json!({
            "input_file_id": row.file_id,
            "endpoint": format!("/{}", self.protocol().path()),
            "completion_window": "24h",
            "metadata": {"truefill_input": row.key},
        });
        let mut first = true;
        let id = self
            .again(async || {
                if !std::mem::take(&mut first)
                    && let Some(id) = self.find_once(&row.key).await?
                {
                    return Ok(id);
                }
                let request = self.request(Method::POST, "v1/batches").json(&body);
                let created: BatchObject = self.json(request).await?;
                Ok(created.id)
            })
            .await?;
        row.batch_id = Some(id);
        Ok(())
    }

    async fn find(&self, key: &str) -> Result<Option<String>, ApiError> {
        self.again(async || self.find_once(key).await).await
    }

    async fn find_once(&self, key: &str) -> Result<Option<String>, Failed> {
        let mut after = None;
        for _ in 0..LISTED_PAGES {
            let mut request = self
                .request(Method::GET, "v1/batches")
                .query(&[("limit", "100")]);
            if let Some(after) = &after {
                request = request.query(&[("after", after)]);
            }
            let listed: Listed = self.json(request).await?;
            if let Some(batch) = listed.data.iter().find(|batch| batch.carries(key)) {
                return Ok(Some(batch.id.clone()));
            }
            after = listed.data.last().map(|batch| batch.id.clone());
            if !listed.has_more || after.is_none() {
                break;
            }
        }
        Ok(None)
    }

    async fn wait_for(
        &self,
        id: &str,
        poll: Duration,
        tell: &mut (dyn FnMut(BatchEvent) + Send),
    ) -> Result<BatchObject, ApiError> {
        let path = format!("v1/batches/{id}");
        loop {
            let batch: BatchObject = self
                .again(async || self.json(self.request(Method::GET, &path)).await)
                .await?;
            match batch.status.as_str() {
                "completed" | "failed" | "expired" | "cancelled" => return Ok(batch),
                status => {
                    let counts = batch.request_counts.as_ref();
                    let (done, all) = counts.map_or((0, 0), |c| (c.completed, c.total));
                    tell(BatchEvent::Waiting(status.to_owned(), done, all));
                }
            }
            self.inner.timing.sleep(poll).await;
        }
    }

    async fn read_output(&self, file_id: &str) -> Result<BatchRun, ApiError> {
        let path = format!("v1/files/{file_id}/content");
        let folder = tempfile::tempdir().map_err(|error| broken(Path::new("."), &error))?;
        let target = folder.path().join("output.jsonl");
        self.again(async || {
            let request = self.request(Method::GET, &path);
            self.inner.transport.download(request, &target).await
        })
        .await?;
        self.read_batch_output(&target).await
    }

    async fn keep_lines(
        &self,
        reader: &mut (dyn BufRead + Send),
        path: &Path,
    ) -> Result<BatchRun, ApiError> {
        let mut run = BatchRun::default();
        let mut group: Vec<BatchReply> = Vec::new();
        while let Some(line) = lines::next(reader, self).map_err(|error| broken(path, &error))? {
            match line {
                Read::Reply(reply) => {
                    run.kept += 1;
                    group.push(reply);
                }
                Read::Failed(problem) => {
                    run.failed += 1;
                    tracing::debug!(problem, "a request of the batch failed");
                }
            }
            if group.len() == GROUP {
                self.inner
                    .ledger
                    .keep_batch(std::mem::take(&mut group))
                    .await?;
            }
        }
        self.inner.ledger.keep_batch(group).await?;
        Ok(run)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.inner.transport.request(method, path)
    }

    async fn json<T: serde::de::DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<T, Failed> {
        read(&self.inner.transport.send(request).await?)
    }

    /// Does a step that costs nothing until it succeeds.
    async fn again<T>(
        &self,
        mut step: impl AsyncFnMut() -> Result<T, Failed>,
    ) -> Result<T, ApiError> {
        let policy = self.inner.config.retry();
        let mut delays = policy.delays(0);
        let mut attempts = 0;
        loop {
            attempts += 1;
            let failed = match step().await {
                Ok(value) => return Ok(value),
                Err(failed) => failed,
            };
            if failed.is_final()
                && let Failure::Status { status, excerpt } = failed.failure
            {
                self.inner.stop(Stop::Refused(status, excerpt));
                self.inner.refuse_if_stopped()?;
                continue;
            }
            let delay = delays.next().filter(|_| failed.failure.is_transient());
            let Some(delay) = delay else {
                return Err(self.inner.failed(attempts, failed.failure));
            };
            let asked = failed
                .retry_after
                .and_then(|header| header.wait(self.inner.timing.now()));
            if let Some(wait) = asked.filter(|wait| *wait > policy.longest_wait) {
                self.inner.stop(Stop::Wait(wait));
                self.inner.refuse_if_stopped()?;
            }
            let wait = asked.unwrap_or_default().max(delay);
            self.inner.timing.sleep(wait).await;
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Failed> {
    serde_json::from_slice(body).map_err(|error| Failure::Malformed(error.to_string()).into())
}
