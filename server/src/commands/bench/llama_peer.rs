//! A llama.cpp server as a peer: the same prompts, the same keys, the same cancellations.
//!
//! It gets the prompt that our server renders for the model (the text before the cursor, cut to the
//! window, where the model has no sentinels) and is stopped at the end of the line.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use truefill_model::checkpoint::Checkpoint;
use truefill_model::fim::{BoundFormat, Budget, FimFormat, PromptParts};
use truefill_remote::complete::{
    BackendConfig, CompletionBackend, CompletionRequest, Limits, Prompt, Protocol,
};

use super::replay::{Answer, Buffer, Edit, Peer};
use crate::config::Config;

/// A llama.cpp server and the request that is open there.
pub struct LlamaPeer {
    runtime: Runtime,
    backend: CompletionBackend,
    format: BoundFormat,
    config: Config,
    task: Option<JoinHandle<()>>,
    newest: usize,
    sender: Sender<(usize, Result<Answer>)>,
    receiver: Receiver<(usize, Result<Answer>)>,
}

impl LlamaPeer {
    /// A peer at this address that serves the model at `model`.
    ///
    /// # Errors
    /// Where the address is none, or the model's tokenizer cannot be read.
    pub fn new(url: &str, model: &Path, format: Option<&str>) -> Result<Self> {
        let checkpoint = Checkpoint::open(model)?;
        let tokenizer = checkpoint.tokenizer()?;
        let format = match format {
            Some(name) => FimFormat::builtin(name).with_context(|| format!("format `{name}`"))?,
            None => FimFormat::detect(tokenizer),
        };
        let config = BackendConfig {
            url: url.to_owned(),
            protocol: Protocol::OpenAi {
                model: "default".into(),
            },
            api_key_env: None,
            limits: Limits::default(),
        };
        let (sender, receiver) = channel();
        Ok(Self {
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()?,
            backend: CompletionBackend::new(&config, &|_| None)?,
            format: format.bind(tokenizer)?,
            config: Config::default(),
            task: None,
            newest: 0,
            sender,
            receiver,
        })
    }

    fn cancel(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }

    fn prompt(&self, buffer: &Buffer) -> Result<String> {
        let (prefix, suffix) = buffer.text.split_at(buffer.cursor);
        let parts = PromptParts {
            prefix,
            suffix,
            path: None,
            repo: None,
            chunks: &[],
        };
        let budget = Budget {
            total: self.config.context.window_tokens,
            suffix_share: self.config.context.suffix_share,
            chunk_share: 0.0,
        };
        let prompt = self.format.render(&parts, &budget)?;
        Ok(self.format.tokenizer().decode(&prompt.tokens))
    }
}

impl Peer for LlamaPeer {
    fn open(&mut self, _buffer: &Buffer) -> Result<()> {
        Ok(())
    }

    fn change(&mut self, _before: &str, _edit: &Edit) -> Result<()> {
        self.cancel();
        Ok(())
    }

    fn ask(&mut self, buffer: &Buffer) -> Result<()> {
        self.cancel();
        self.newest += 1;
        let request = CompletionRequest {
            prompt: Prompt::Raw(self.prompt(buffer)?),
            max_tokens: u32::try_from(self.config.suggest.line_tokens)?,
            temperature: 0.0,
            top_p: 1.0,
            seed: None,
            stop: vec!["\n".into()],
        };
        let (backend, sender, number) = (self.backend.clone(), self.sender.clone(), self.newest);
        self.task = Some(self.runtime.spawn(async move {
            // The replay may have ended already.
            let _ = sender.send((number, complete(&backend, &request).await));
        }));
        Ok(())
    }

    fn answer(&mut self, wait: Duration) -> Result<Option<Answer>> {
        let end = Instant::now() + wait;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.receiver.recv_timeout(left) {
                Ok((number, answer)) if number == self.newest => return answer.map(Some),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Ok(None),
            }
        }
    }

    fn accept(&mut self) -> Result<()> {
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.cancel();
        Ok(())
    }
}

async fn complete(backend: &CompletionBackend, request: &CompletionRequest) -> Result<Answer> {
    let mut first_token = None;
    let completed = backend
        .complete(request, &mut |_| {
            first_token.get_or_insert_with(Instant::now);
            ControlFlow::Continue(())
        })
        .await
        .context("the llama.cpp server")?;
    let line = completed.text.lines().next().unwrap_or_default().trim_end();
    let suggestion = (!line.is_empty()).then(|| line.to_owned());
    Ok(Answer {
        at: Instant::now(),
        first_token,
        suggestion,
    })
}
