//! Members that are asked by OpenAI Batch: one pass writes the questions down, the batches fill
//! the ledger, and the step then runs as ever.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use truefill_remote::api::{BatchEvent, BatchFile, BatchWriter};

use crate::panel::http::{HttpMember, keep_secrets};
use crate::panel::{Answer, AskError, Member, Question};
use crate::rows::write_file;
use crate::usage::Usage;

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
            keep_secrets([&*question.user])?;
            if let Some(writer) = self.writer.lock().await.as_mut() {
                let added = writer.add(question).await;
                added.map_err(|error| AskError::Stop(error.to_string()))?;
            }
            Err(AskError::Failed("it is in a batch".to_owned()))
        })
    }
}

/// Runs a member's batches, `at_once` at a time. Servers bound what an account has waiting and fail
/// what is beyond, so those that failed are made again as long as others come through.
///
/// # Errors
/// The first error of a round in which none came through; batches that were created are found
/// again by the next run.
pub async fn run(
    member: &HttpMember,
    files: &[BatchFile],
    at_once: usize,
    poll: Duration,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<()> {
    let ran = rounds(files, at_once, async |file: &BatchFile| {
        let path = file.path.display().to_string();
        let mut on_event = |event: BatchEvent| tell(&format!("{path}: {}", sentence(&event)));
        let ran = member.client().run_batch(file, poll, &mut on_event).await;
        if let Err(error) = &ran {
            tell(&format!("{path}: {error}"));
        }
        ran.map(|_| ())
    });
    ran.await.with_context(|| format!("`{}`", member.name()))
}

/// Does `one` for each file until it succeeds; gives up after a round in which it never did.
async fn rounds<E>(
    files: &[BatchFile],
    at_once: usize,
    one: impl AsyncFn(&BatchFile) -> Result<(), E>,
) -> Result<(), E> {
    let mut waiting: Vec<&BatchFile> = files.iter().collect();
    loop {
        let asked = waiting.len();
        let runs = std::mem::take(&mut waiting);
        let runs = runs.into_iter().map(|file| {
            let one = &one;
            async move { (file, one(file).await) }
        });
        let mut failure = None;
        let mut runs = std::pin::pin!(futures::stream::iter(runs).buffer_unordered(at_once));
        while let Some((file, ran)) = runs.next().await {
            if let Err(error) = ran {
                waiting.push(file);
                failure = Some(error);
            }
        }
        match failure {
            None => return Ok(()),
            Some(error) if waiting.len() == asked => return Err(error),
            Some(_) => {}
        }
    }
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

/// The files of a folder, and which questions they ask.
#[derive(Serialize, Deserialize)]
struct List {
    questions: String,
    files: Files,
}

/// Batch files by member.
pub type Files = Vec<(String, Vec<BatchFile>)>;

/// Writes the list of a folder's files, so that a later run goes on with the same ones.
/// `questions` tells the questions from those of other contexts, recipes and members.
///
/// # Errors
/// Where the list cannot be written.
pub fn remember(folder: &Path, questions: &str, files: &Files) -> Result<()> {
    let list = List {
        questions: questions.to_owned(),
        files: files.clone(),
    };
    let path = list_path(folder);
    write_file(&path, &serde_json::to_vec_pretty(&list)?)
}

/// The files that an earlier run wrote for these questions; nothing where there was none.
///
/// # Errors
/// [`Usage`] where the folder has the files of other questions, whose batches may be under way;
/// where the list cannot be read.
pub fn remembered(folder: &Path, questions: &str) -> Result<Option<Files>> {
    let path = list_path(folder);
    let shown = path.display();
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| shown.to_string()),
    };
    let list: List = serde_json::from_slice(&bytes)
        .with_context(|| format!("{shown}: expected a list of batch files"))?;
    if list.questions != questions {
        return Err(Usage::error(format!(
            "{shown}: expected the batches of these contexts, members and prompts, found those of \
             others; give them another `--batch-folder`, or remove this one if its batches are not \
             wanted any more"
        )));
    }
    Ok(Some(list.files))
}

/// Removes the list: its batches are read, and what they left open makes new ones.
///
/// # Errors
/// What the file system says.
pub fn forget(folder: &Path) -> Result<()> {
    let path = list_path(folder);
    std::fs::remove_file(&path).with_context(|| format!("{}: not removed", path.display()))
}

fn list_path(folder: &Path) -> PathBuf {
    folder.join("batches.json")
}

/// A recorder that can stand in for its member.
#[must_use]
pub fn as_member(recorder: &Arc<Recorder>) -> Arc<dyn Member> {
    Arc::clone(recorder) as Arc<dyn Member>
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn files() -> Files {
        let file = BatchFile {
            path: "gpt-0001.jsonl".into(),
            sha256: "00".into(),
            requests: 3,
            most: 7,
        };
        vec![("gpt".to_owned(), vec![file])]
    }

    /// A server that has room for three batches, of five that come two at a time.
    #[test]
    fn batches_that_fail_are_made_again_while_others_come_through() {
        let file = files().remove(0).1.remove(0);
        let files: Vec<BatchFile> = vec![file; 5];
        let (under_way, most, tries) = (Cell::new(0), Cell::new(0), Cell::new(0));
        let one = async |_: &BatchFile| {
            under_way.set(under_way.get() + 1);
            most.set(most.get().max(under_way.get()));
            tokio::task::yield_now().await;
            under_way.set(under_way.get() - 1);
            tries.set(tries.get() + 1);
            if tries.get() % 5 < 3 {
                Ok(())
            } else {
                Err("full")
            }
        };
        let ran = futures::executor::block_on(rounds(&files, 2, one));
        assert_eq!((ran, most.get(), tries.get()), (Ok(()), 2, 7));
        let tries = Cell::new(0);
        let never = async |_: &BatchFile| {
            tries.set(tries.get() + 1);
            Err("full")
        };
        let ran = futures::executor::block_on(rounds(&files, 2, never));
        assert_eq!((ran, tries.get()), (Err("full"), 5));
    }

    #[test]
    fn a_list_is_of_its_questions_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("new");
        assert_eq!(remembered(&folder, "a").expect("none"), None);
        remember(&folder, "a", &files()).expect("written");
        assert_eq!(remembered(&folder, "a").expect("read"), Some(files()));
        let error = remembered(&folder, "b").expect_err("refused");
        assert!(error.is::<Usage>());
        assert!(error.to_string().contains("--batch-folder"), "{error}");
        forget(&folder).expect("removed");
        assert_eq!(remembered(&folder, "b").expect("none"), None);
    }
}
