//! A completion backend behind the engine trait: an OpenAI-compatible server or llama.cpp's.

mod window;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::unbounded_channel;
use truefill_journal::redact;
use truefill_model::fim::FimFormat;
use truefill_remote::complete::{
    BackendConfig, Completed, CompletionBackend, CompletionRequest, ExtraFile, Finish, Limits,
    Prompt, Protocol,
};
use truefill_syntax::Language;

use super::{
    CancelToken, Engine, EngineError, EngineInfo, EngineKind, EngineRequest, Flow, Generated,
    RenderedPrompt, StopReason,
};
use crate::config::{Config, RemoteKind};
use crate::redacted::{self, CursorLine};
use window::window;

/// How often a waiting request looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(5);
/// Bytes beside the window that are searched for secrets that reach into it.
const MARGIN: usize = 16 << 10;

/// A backend and the runtime that its requests run on.
pub struct RemoteEngine {
    backend: CompletionBackend,
    runtime: Background,
    /// The format of raw prompts; without one the server makes the prompt.
    format: Option<&'static FimFormat>,
    /// The model's name there and the server's address: two servers must never pass for one.
    checkpoint: String,
    address: String,
}

/// A runtime that may be dropped anywhere: the last who holds an engine may be a handler, and there a
/// runtime must not be waited for.
struct Background(Option<Runtime>);

impl Background {
    fn block_on<T>(
        &self,
        future: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        match &self.0 {
            Some(runtime) => runtime.block_on(future),
            None => Err(EngineError::Backend("its runtime has ended".to_owned())),
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Opens the backend that the user's configuration names. Nothing is sent yet.
///
/// # Errors
/// [`EngineError::Load`] where the address or the key is missing or wrong.
pub fn open(config: &Config) -> Result<Arc<dyn Engine>, EngineError> {
    Ok(Arc::new(RemoteEngine::new(config, &|name| {
        std::env::var(name).ok()
    })?))
}

impl RemoteEngine {
    fn new(config: &Config, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, EngineError> {
        let load = |error: &dyn std::fmt::Display| EngineError::Load(error.to_string());
        let remote = &config.remote;
        let protocol = match remote.kind {
            RemoteKind::LlamaCpp => Protocol::LlamaCpp { slot: None },
            RemoteKind::OpenAi | RemoteKind::None => Protocol::OpenAi {
                model: remote.model.clone(),
            },
        };
        let key = (!remote.api_key_env.is_empty()).then(|| remote.api_key_env.clone());
        let backend_config = BackendConfig {
            url: remote.url.clone(),
            protocol,
            api_key_env: key,
            limits: Limits::default(),
        };
        let backend =
            CompletionBackend::new(&backend_config, lookup).map_err(|error| load(&error))?;
        let model = match remote.model.as_str() {
            "" => "remote",
            named => named,
        };
        let address = backend.address();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| load(&error))?;
        Ok(Self {
            backend,
            runtime: Background(Some(runtime)),
            format: raw_format(config)?,
            checkpoint: format!("{model}@{address}"),
            address,
        })
    }

    fn request(&self, request: &EngineRequest) -> Result<CompletionRequest, EngineError> {
        let (prefix, suffix) = around(request);
        let prompt = match self.format {
            Some(format) => Prompt::Raw(
                format
                    .render_text(&prefix, &suffix)
                    .map_err(|error| EngineError::Prompt(error.to_string()))?,
            ),
            None => Prompt::Infill {
                prefix,
                suffix,
                extra: request
                    .chunks
                    .iter()
                    .map(|chunk| ExtraFile {
                        path: chunk.path.clone(),
                        text: redact::scrub(&chunk.text),
                    })
                    .collect(),
                typed: String::new(),
            },
        };
        Ok(CompletionRequest {
            prompt,
            max_tokens: u32::try_from(request.max_new_tokens).unwrap_or(u32::MAX),
            temperature: request.sampling.temperature,
            top_p: request.sampling.top_p,
            seed: (request.sampling.temperature > 0.0).then_some(request.sampling.seed),
            // Where the server makes the prompt, it knows how its model ends.
            stop: self.format.map_or_else(Vec::new, FimFormat::stop_texts),
        })
    }
}

/// What is sent of the text around the cursor: never a secret, whatever was redacted before.
fn around(request: &EngineRequest) -> (String, String) {
    let (prefix, suffix) = window(request);
    let start = request.prefix.len() - prefix.len();
    let read = request
        .prefix
        .floor_char_boundary(start.saturating_sub(MARGIN));
    let end = request.suffix.floor_char_boundary(suffix.len() + MARGIN);
    let path = request.path.as_deref().map(Path::new);
    let code = path.and_then(Language::from_path).is_some();
    redacted::around(
        (&request.prefix[read..], start - read),
        (&request.suffix[..end], suffix.len()),
        CursorLine::Hidden { code },
    )
}

/// The named format where prompts are to be made here: `openai` servers without `suffix`.
fn raw_format(config: &Config) -> Result<Option<&'static FimFormat>, EngineError> {
    if config.model.format == "auto" || config.remote.kind != RemoteKind::OpenAi {
        return Ok(None);
    }
    let name = &config.model.format;
    FimFormat::builtin(name)
        .map(Some)
        .ok_or_else(|| EngineError::Load(format!("`model.format`: unknown FIM format `{name}`")))
}

/// Text so far, and how the watcher ended it.
struct Watch<'a> {
    text: String,
    cut: Option<usize>,
    first: Option<Instant>,
    on_text: &'a mut dyn FnMut(&str) -> Flow,
}

impl Watch<'_> {
    fn take(&mut self, piece: &str) -> ControlFlow<()> {
        self.first.get_or_insert_with(Instant::now);
        self.text.push_str(piece);
        match (self.on_text)(&self.text) {
            Flow::Continue => ControlFlow::Continue(()),
            Flow::Stop { keep_bytes } => {
                self.cut = Some(self.text.floor_char_boundary(keep_bytes));
                ControlFlow::Break(())
            }
        }
    }
}

/// How the waiting ended.
enum End {
    Completed(Completed),
    /// The watcher has enough.
    Enough,
    Cancelled,
    Deadline,
}

impl RemoteEngine {
    /// Runs a request on this thread. Leaving drops the connection, which stops the server.
    fn wait(
        &self,
        request: &CompletionRequest,
        deadline: Option<Instant>,
        cancel: &CancelToken,
        watch: &mut Watch<'_>,
    ) -> Result<End, EngineError> {
        let (sender, mut pieces) = unbounded_channel::<String>();
        let mut send = move |piece: &str| match sender.send(piece.to_owned()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        };
        self.runtime.block_on(async {
            let mut completion = std::pin::pin!(self.backend.complete(request, &mut send));
            let mut looks = tokio::time::interval(LOOK);
            loop {
                tokio::select! {
                    Some(piece) = pieces.recv() => {
                        if watch.take(&piece).is_break() {
                            return Ok(End::Enough);
                        }
                    }
                    result = &mut completion => {
                        let completed =
                            result.map_err(|error| EngineError::Backend(error.to_string()))?;
                        while let Ok(piece) = pieces.try_recv() {
                            if watch.take(&piece).is_break() {
                                return Ok(End::Enough);
                            }
                        }
                        return Ok(End::Completed(completed));
                    }
                    _ = looks.tick() => {
                        if cancel.is_cancelled() {
                            return Ok(End::Cancelled);
                        }
                        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                            return Ok(End::Deadline);
                        }
                    }
                }
            }
        })
    }
}

impl Engine for RemoteEngine {
    fn info(&self) -> EngineInfo {
        EngineInfo {
            checkpoint: self.checkpoint.clone(),
            format: self
                .format
                .map_or("server", |format| format.name())
                .to_owned(),
            format_version: self.format.map_or(0, FimFormat::version),
            device: self.address.clone(),
            kind: EngineKind::Remote,
        }
    }

    fn complete(
        &self,
        request: &EngineRequest,
        cancel: &CancelToken,
        on_text: &mut dyn FnMut(&str) -> Flow,
    ) -> Result<Generated, EngineError> {
        let asked = self.request(request)?;
        let begin = Instant::now();
        let mut watch = Watch {
            text: String::new(),
            cut: None,
            first: None,
            on_text,
        };
        let end = self.wait(&asked, request.deadline, cancel, &mut watch)?;
        let first = watch.first.map_or(Duration::ZERO, |first| first - begin);
        if let Some(cut) = watch.cut {
            watch.text.truncate(cut);
        }
        let (stop, counts) = match &end {
            End::Enough => (StopReason::Condition, None),
            End::Cancelled => (StopReason::Cancelled, None),
            End::Deadline => (StopReason::Deadline, None),
            End::Completed(completed) => (stop_reason(completed), Some(completed)),
        };
        let count = |of: fn(&Completed) -> Option<u64>| {
            counts
                .and_then(of)
                .and_then(|count| usize::try_from(count).ok())
        };
        Ok(Generated {
            prompt: Vec::new(),
            text: watch.text,
            tokens: Vec::new(),
            logprobs: Vec::new(),
            stop,
            prompt_tokens: count(|completed| completed.prompt_tokens),
            cached_tokens: count(|completed| completed.cached_tokens),
            completion_tokens: count(|completed| completed.generated_tokens),
            render: Duration::ZERO,
            prefill: first,
            first_token: first,
            decode: begin.elapsed().saturating_sub(first),
            prompt_sha256: hash(&asked.prompt),
        })
    }

    fn warm(&self, _request: &EngineRequest, _cancel: &CancelToken) -> Result<(), EngineError> {
        // The server's cache is its own, and a request costs its other users.
        Ok(())
    }

    fn render(&self, request: &EngineRequest) -> Result<RenderedPrompt, EngineError> {
        let prompt = self.request(request)?.prompt;
        Ok(RenderedPrompt {
            sha256: hash(&prompt),
            tokens: 0,
            text: shown(&prompt),
        })
    }
}

fn stop_reason(completed: &Completed) -> StopReason {
    match completed.finish {
        Finish::Length => StopReason::Limit,
        Finish::Caller => StopReason::Condition,
        Finish::Stop | Finish::Other(_) | Finish::Unsaid => StopReason::Unknown,
    }
}

fn shown(prompt: &Prompt) -> String {
    match prompt {
        Prompt::Raw(text) => text.clone(),
        Prompt::Infill {
            prefix,
            suffix,
            extra,
            typed,
        } => {
            let extra: String = extra
                .iter()
                .map(|file| format!("<extra {}>\n{}\n", file.path, file.text))
                .collect();
            format!("{extra}<prefix>{prefix}{typed}<suffix>{suffix}")
        }
    }
}

fn hash(prompt: &Prompt) -> String {
    hex::encode(Sha256::digest(shown(prompt).as_bytes()))
}

#[cfg(test)]
mod tests;
