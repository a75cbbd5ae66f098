//! Members that are asked by OpenAI Batch: one pass writes the questions down, the batches fill
//! the ledger, and the step then runs as ever.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::sync::Mutex;
use truefill_remote::api::{BatchEvent, BatchFile, BatchWriter};

use crate::panel::http::{HttpMember, request_of};
use crate::panel::{Answer, AskError, Member, Question};

/// Stands in for a member: writes each question into the member's batch.
pub struct Recorder {
    name: String,
    writer: Mutex<Option<BatchWriter>>,
}

impl Recorder {
    /// Writes files named after the member into `folder`.
    ///
    /// # Errors
    /// Where the member's protocol has no batches.
    pub fn new(member: &HttpMember, folder: &Path) -> Result<Self> {
        let file_name = member.name().replace(|c: char| !c.is_alphanumeric(), "-");
        let writer = BatchWriter::new(member.client(), folder, &file_name)
            .with_context(|| format!("`{}`", member.name()))?;
        Ok(Self {
            name: member.name().to_owned(),
            writer: Mutex::new(Some(writer)),
        })
    }

    /// The files.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub async fn finish(&self) -> Result<Vec<BatchFile>> {
        match self.writer.lock().await.take() {
            Some(writer) => Ok(writer.finish()?),
            None => Ok(Vec::new()),
        }
    }
}

impl Member for Recorder {
    fn name(&self) -> &str {
        &self.name
    }

    fn ask<'a>(&'a self, question: &'a Question) -> Answer<'a> {
        Box::pin(async move {
            if let Some(writer) = self.writer.lock().await.as_mut() {
                let added = writer.add(&request_of(question)).await;
                added.map_err(|error| AskError::Stop(error.to_string()))?;
            }
            Err(AskError::Failed("it is in a batch".to_owned()))
        })
    }
}

/// Runs a member's batches, all at once: they take hours each, and none needs another.
///
/// # Errors
/// The first error; batches that were created are found again by the next run.
pub async fn run(
    member: &HttpMember,
    files: &[BatchFile],
    poll: Duration,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<()> {
    let runs = files.iter().map(|file| async move {
        let path = file.path.display().to_string();
        let mut on_event = |event: BatchEvent| tell(&format!("{path}: {}", sentence(&event)));
        member.client().run_batch(file, poll, &mut on_event).await
    });
    futures::future::try_join_all(runs).await?;
    Ok(())
}

fn sentence(event: &BatchEvent) -> String {
    match event {
        BatchEvent::Uploaded => "uploaded".to_owned(),
        BatchEvent::Created(id) => format!("runs as {id}"),
        BatchEvent::Ended(status) => format!("{status} before its end"),
        BatchEvent::Waiting(status, done, all) => format!("{status}, {done} of {all} done"),
        BatchEvent::Read(kept, failed) => format!("{kept} replies, {failed} requests failed"),
    }
}

/// The list of a folder's files, so that a later run goes on with the same ones.
///
/// # Errors
/// Where the list cannot be written or read.
pub fn remember(folder: &Path, files: &[(String, Vec<BatchFile>)]) -> Result<()> {
    let text = serde_json::to_string_pretty(files)?;
    let path = list_path(folder);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&path, text))
        .with_context(|| format!("{}: cannot be written", path.display()))
}

/// The files that an earlier run wrote; nothing where there was none.
///
/// # Errors
/// Where the list is none.
pub fn remembered(folder: &Path) -> Result<Option<Vec<(String, Vec<BatchFile>)>>> {
    let path = list_path(folder);
    match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .with_context(|| format!("{}: expected a list of batch files", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

fn list_path(folder: &Path) -> PathBuf {
    folder.join("batches.json")
}

/// A recorder that can stand in for its member.
#[must_use]
pub fn as_member(recorder: &Arc<Recorder>) -> Arc<dyn Member> {
    Arc::clone(recorder) as Arc<dyn Member>
}
