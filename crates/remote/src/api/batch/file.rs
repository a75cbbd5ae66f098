//! Input files: one request a line.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::api::Nanos;
use crate::api::client::{ChatRequest, Client};
use crate::api::config::Protocol;
use crate::api::error::ApiError;
use crate::api::ledger::LedgerError;

/// Requests in one file at most, as the API has it.
pub const FILE_REQUESTS: u64 = 50_000;
/// Bytes of one file at most; the API takes 200 MB.
pub const FILE_BYTES: u64 = 190_000_000;

/// What a line's id says: `<key in hex>:<prompt version>:<bytes>:<subject>`, so that a result can be
/// kept without the input file.
pub(super) struct LineId {
    pub key: [u8; 32],
    pub prompt_version: String,
    /// Of the request's body: the price's measure where a server does not count.
    pub bytes: u64,
    pub subject: String,
}

impl LineId {
    fn text(&self) -> String {
        format!(
            "{}:{}:{}:{}",
            hex::encode(self.key),
            self.prompt_version.replace(':', "_"),
            self.bytes,
            self.subject
        )
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, ':');
        let mut key = [0; 32];
        hex::decode_to_slice(parts.next()?, &mut key).ok()?;
        Some(Self {
            key,
            prompt_version: parts.next()?.to_owned(),
            bytes: parts.next()?.parse().ok()?,
            subject: parts.next()?.to_owned(),
        })
    }
}

/// A finished input file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchFile {
    /// Where it lies.
    pub path: PathBuf,
    /// SHA-256, in hex.
    pub sha256: String,
    /// Its requests.
    pub requests: u64,
    /// The most that they can cost, in billionths of the prices' unit.
    pub most: Nanos,
}

/// Writes input files into a folder: `<name>-0001.jsonl`, a new one where the limits are reached.
pub struct BatchWriter {
    client: Client,
    folder: PathBuf,
    name: String,
    open: Option<OpenFile>,
    done: Vec<BatchFile>,
}

struct OpenFile {
    path: PathBuf,
    writer: BufWriter<File>,
    hasher: Sha256,
    bytes: u64,
    requests: u64,
    most: Nanos,
}

impl BatchWriter {
    /// A writer for the questions of one endpoint.
    ///
    /// # Errors
    /// [`ApiError::Config`] where the endpoint's protocol has no batches here.
    pub fn new(client: &Client, folder: &Path, name: &str) -> Result<Self, ApiError> {
        if client.protocol() == Protocol::Anthropic {
            return Err(ApiError::Config(
                "expected a member with the protocol `openai-chat` or `openai-responses` for a \
                 batch, found `anthropic`"
                    .to_owned(),
            ));
        }
        Ok(Self {
            client: client.clone(),
            folder: folder.to_owned(),
            name: name.to_owned(),
            open: None,
            done: Vec::new(),
        })
    }

    /// Appends a question, unless the ledger has its answer.
    ///
    /// # Errors
    /// Where the ledger or the file system refuses.
    pub async fn add(&mut self, request: &ChatRequest) -> Result<bool, ApiError> {
        let (intent, body) = self.client.intent_of(request);
        if self.client.inner.ledger.kept(intent.key).await?.is_some() {
            return Ok(false);
        }
        let id = LineId {
            key: intent.key,
            prompt_version: intent.prompt_version,
            bytes: body.to_string().len() as u64,
            subject: intent.subject,
        };
        let url = format!("/{}", self.client.protocol().path());
        let line = json!({"custom_id": id.text(), "method": "POST", "url": url, "body": body});
        let share = self.client.config().batch_price_share;
        let most = (intent.reserve as f64 * share).ceil() as Nanos;
        self.append(&format!("{line}\n"), most)?;
        Ok(true)
    }

    fn append(&mut self, line: &str, most: Nanos) -> Result<(), ApiError> {
        let full = self.open.as_ref().is_some_and(|open| {
            open.requests >= FILE_REQUESTS || open.bytes + line.len() as u64 > FILE_BYTES
        });
        if full {
            self.close()?;
        }
        if self.open.is_none() {
            self.open = Some(self.next_file()?);
        }
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        open.writer
            .write_all(line.as_bytes())
            .map_err(|error| broken(&open.path, &error))?;
        open.hasher.update(line.as_bytes());
        open.bytes += line.len() as u64;
        open.requests += 1;
        open.most = open.most.saturating_add(most);
        Ok(())
    }

    fn next_file(&self) -> Result<OpenFile, ApiError> {
        let name = format!("{}-{:04}.jsonl", self.name, self.done.len() + 1);
        let path = self.folder.join(name);
        std::fs::create_dir_all(&self.folder).map_err(|error| broken(&self.folder, &error))?;
        let file = File::create(&path).map_err(|error| broken(&path, &error))?;
        Ok(OpenFile {
            path,
            writer: BufWriter::new(file),
            hasher: Sha256::new(),
            bytes: 0,
            requests: 0,
            most: 0,
        })
    }

    fn close(&mut self) -> Result<(), ApiError> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let file = open
            .writer
            .into_inner()
            .map_err(|error| broken(&open.path, error.error()))?;
        file.sync_all()
            .map_err(|error| broken(&open.path, &error))?;
        self.done.push(BatchFile {
            path: open.path,
            sha256: hex::encode(open.hasher.finalize()),
            requests: open.requests,
            most: open.most,
        });
        Ok(())
    }

    /// The files.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn finish(mut self) -> Result<Vec<BatchFile>, ApiError> {
        self.close()?;
        Ok(self.done)
    }
}

pub(super) fn broken(path: &Path, error: &std::io::Error) -> ApiError {
    ApiError::Ledger(LedgerError::Broken {
        path: path.to_owned(),
        problem: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_its_reply_belongs_to() {
        let id = LineId {
            key: [7; 32],
            prompt_version: "method-1".into(),
            bytes: 900,
            subject: "c/method/gpt:x/0".into(),
        };
        let read = LineId::parse(&id.text()).unwrap();
        assert_eq!(read.key, id.key);
        assert_eq!((read.subject, read.bytes), (id.subject, id.bytes));
        assert_eq!(read.prompt_version, id.prompt_version);
        for bad in ["", "zz:v:1:s", "00:v:1:s"] {
            assert!(LineId::parse(bad).is_none(), "{bad}");
        }
    }
}
