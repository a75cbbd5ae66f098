//! A completion backend behind the engine trait: an OpenAI-compatible server or llama.cpp's.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::unbounded_channel;
use truefill_model::fim::FimFormat;
use truefill_remote::complete::{
    BackendConfig, Completed, CompletionBackend, CompletionRequest, ExtraFile, Finish, Limits,
    Prompt, Protocol,
};

use super::{
    CancelToken, Engine, EngineError, EngineInfo, EngineKind, EngineRequest, Flow, Generated,
    RenderedPrompt, StopReason,
};
use crate::config::{Config, RemoteKind};

/// How often a waiting request looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(5);
/// Code has about this many bytes a token; the server's tokenizer is not known here.
const BYTES_A_TOKEN: usize = 3;
/// The prefix's start moves in steps of this part of its room, so that the server's cache holds.
const STEPS: usize = 8;

/// A backend and the runtime that its requests run on.
pub struct RemoteEngine {
    backend: CompletionBackend,
    runtime: Runtime,
    /// The format of raw prompts; without one the server makes the prompt.
    format: Option<&'static FimFormat>,
    model: String,
    host: String,
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
        Ok(Self {
            backend,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| load(&error))?,
            format: raw_format(config)?,
            model: if remote.model.is_empty() {
                "remote".into()
            } else {
                remote.model.clone()
            },
            host: remote.url.clone(),
        })
    }

    fn request(&self, request: &EngineRequest) -> Result<CompletionRequest, EngineError> {
        let (prefix, suffix) = window(request);
        let prompt = match self.format {
            Some(format) => Prompt::Raw(
                format
                    .render_text(prefix, suffix)
                    .map_err(|error| EngineError::Prompt(error.to_string()))?,
            ),
            None => Prompt::Infill {
                prefix: prefix.to_owned(),
                suffix: suffix.to_owned(),
                extra: request
                    .chunks
                    .iter()
                    .map(|chunk| ExtraFile {
                        path: chunk.path.clone(),
                        text: chunk.text.clone(),
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

/// Text around the cursor, within the budget in bytes; the prefix starts at a line.
fn window(request: &EngineRequest) -> (&str, &str) {
    let total = request.window_tokens * BYTES_A_TOKEN;
    let for_suffix = (total as f32 * request.suffix_share) as usize;
    let suffix = head(&request.suffix, for_suffix);
    let room = total - suffix.len();
    let step = (room / STEPS).max(1);
    let surplus = request.prefix.len().saturating_sub(room);
    (
        &request.prefix[start(&request.prefix, surplus, step)..],
        suffix,
    )
}

/// The first line start behind the first multiple of `step` that is not before `surplus`; the
/// multiple itself where that line is longer than a step.
fn start(prefix: &str, surplus: usize, step: usize) -> usize {
    if surplus == 0 {
        return 0;
    }
    let at = surplus.next_multiple_of(step).min(prefix.len());
    let from = prefix.ceil_char_boundary(at);
    let until = prefix.ceil_char_boundary(from.saturating_add(step));
    let line = prefix[from..until].find('\n').map(|at| from + at + 1);
    line.filter(|line| *line < prefix.len()).unwrap_or(from)
}

fn head(text: &str, bytes: usize) -> &str {
    &text[..boundary(text, bytes)]
}

/// The last character's border at or before `at`.
fn boundary(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
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
                self.cut = Some(boundary(&self.text, keep_bytes));
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
            checkpoint: self.model.clone(),
            format: self
                .format
                .map_or("server", |format| format.name())
                .to_owned(),
            format_version: self.format.map_or(0, FimFormat::version),
            device: self.host.clone(),
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
                .unwrap_or(0)
        };
        Ok(Generated {
            text: watch.text,
            tokens: Vec::new(),
            logprobs: Vec::new(),
            stop,
            prompt_tokens: count(|completed| completed.prompt_tokens),
            cached_tokens: count(|completed| completed.cached_tokens),
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
        Finish::Stop | Finish::Other(_) => StopReason::Unknown,
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
mod tests {
    use super::*;
    use crate::engine::Sampling;

    fn request(prefix: &str, suffix: &str) -> EngineRequest {
        EngineRequest {
            document: "file:///a.py".into(),
            prefix: prefix.into(),
            suffix: suffix.into(),
            path: None,
            repo: None,
            chunks: Vec::new(),
            window_tokens: 1024,
            suffix_share: 0.25,
            max_new_tokens: 16,
            sampling: Sampling::GREEDY,
            deadline: None,
        }
    }

    fn engine(kind: RemoteKind, format: &str, url: &str) -> RemoteEngine {
        let mut config = Config::default();
        config.remote.kind = kind;
        config.remote.url = url.into();
        config.model.format = format.into();
        RemoteEngine::new(&config, &|_| None).expect("opens")
    }

    #[test]
    fn the_window_moves_in_steps_and_starts_at_a_line() {
        let line = "x = compute(x, 1)\n";
        let text = line.repeat(1000);
        for suffix in ["", text.as_str()] {
            let mut starts = std::collections::BTreeSet::new();
            let room = 1024 * BYTES_A_TOKEN - suffix.len().min(1024 * BYTES_A_TOKEN / 4);
            for extra in 0..room / STEPS {
                let prefix = &text[..12_000 + extra];
                let request = request(prefix, suffix);
                let (window, _) = window(&request);
                assert!(window.len() <= room, "{}", window.len());
                assert!(window.len() >= room * 3 / 4, "{}", window.len());
                let start = prefix.len() - window.len();
                assert_eq!(start % line.len(), 0, "at a line");
                starts.insert(start);
            }
            assert!(starts.len() <= 2, "{starts:?}");
        }
        let short = request("é\nb", "ü");
        assert_eq!(window(&short), ("é\nb", "ü"));
    }

    #[test]
    fn one_long_line_is_cut_between_characters() {
        let text = "é".repeat(9000);
        let request = request(&text, "");
        let (window, _) = window(&request);
        let room = 1024 * BYTES_A_TOKEN;
        assert!((room * 3 / 4..=room).contains(&window.len()));
    }

    #[test]
    fn prompts_are_made_here_only_where_a_format_is_named() {
        let made = engine(RemoteKind::OpenAi, "qwen2.5-coder", "http://127.0.0.1:9");
        let asked = made.request(&request("a", "b")).expect("renders");
        let text = "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>";
        assert_eq!(asked.prompt, Prompt::Raw(text.into()));
        assert!(asked.stop.iter().any(|stop| stop == "<|file_sep|>"));
        for (kind, format) in [
            (RemoteKind::OpenAi, "auto"),
            (RemoteKind::LlamaCpp, "qwen2.5-coder"),
        ] {
            let left = engine(kind, format, "http://127.0.0.1:9");
            let asked = left.request(&request("a", "b")).expect("renders");
            assert!(matches!(asked.prompt, Prompt::Infill { .. }), "{format}");
            assert!(asked.stop.is_empty(), "{format}");
        }
    }

    #[test]
    fn a_server_that_is_not_there_is_an_error_in_a_sentence() {
        let engine = engine(RemoteKind::LlamaCpp, "auto", "http://127.0.0.1:9");
        let cancel = CancelToken::new();
        let error = engine
            .complete(&request("a", "b"), &cancel, &mut |_| Flow::Continue)
            .expect_err("nobody listens there");
        assert!(error.to_string().contains("127.0.0.1:9"), "{error}");
    }

    #[test]
    fn a_cancelled_request_returns_at_once() {
        // It accepts the connection and never answers.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let engine = engine(RemoteKind::LlamaCpp, "auto", &url);
        let cancel = CancelToken::new();
        cancel.cancel();
        let result = engine.complete(&request("a", "b"), &cancel, &mut |_| Flow::Continue);
        assert_eq!(result.expect("no error").stop, StopReason::Cancelled);
    }
}
