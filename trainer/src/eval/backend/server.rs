//! A model behind a server that speaks OpenAI's completions (vLLM, SGLang, llama.cpp).

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use truefill_model::fim::{FimFormat, SUFFIX_SHARE};
use truefill_remote::complete::{
    BackendConfig, Completed, CompletionBackend, CompletionRequest, Finish, Limits, Prompt,
    Protocol,
};

use super::{Backend, Completion, Hear, Likelihood, Stop, Timed, Timing};
use crate::checkpoint;
use crate::eval::cut::stops::before_stop;
use crate::eval::decoding::Decoding;
use crate::eval::row::{EvalRow, Question};
use crate::kept;
use crate::train::chat::{ChatRecipe, Template};

/// Counts up with every change to how prompts are made or completions end.
const VERSION: &str = "server-3";
/// Code has about this many bytes a token; the server's tokenizer is not known here.
const BYTES_A_TOKEN: usize = 3;
/// So many failures one after the other, and the server is not asked any more.
const PATIENCE: usize = 8;
/// How long a row may take.
const LONGEST: Duration = Duration::from_secs(300);

/// Which server, in a recipe's `[eval.server]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Its address, such as `http://localhost:8000`.
    pub url: String,
    /// The model's name there.
    pub model: String,
    /// Name of the environment variable with the API key.
    #[serde(default)]
    pub api_key_env: Option<String>,
    /// How tasks in words are asked.
    #[serde(default)]
    pub chat: Option<ChatRecipe>,
}

/// A model at a server.
pub struct Server {
    backend: CompletionBackend,
    /// The format of prompts; without one the server makes the prompt out of prefix and suffix.
    format: Option<&'static FimFormat>,
    /// How tasks in words are asked, and what ends an answer.
    chat: Option<(Template, String)>,
    decoding: Decoding,
    width: usize,
    identity: String,
    runtime: tokio::runtime::Runtime,
}

impl Server {
    /// A server that `width` rows are sent to at a time. Nothing is sent yet. `lookup` reads environment
    /// variables.
    ///
    /// # Errors
    /// [`crate::usage::Usage`] for a format that does not exist; a chat template that cannot be meant, an address
    /// that is none, a key that is missing.
    pub fn open(
        config: &ServerConfig,
        decoding: &Decoding,
        width: usize,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let format = decoding
            .format
            .as_deref()
            .map(checkpoint::builtin)
            .transpose()?;
        let limits = Limits {
            first_piece: LONGEST,
            silence: LONGEST,
            total: LONGEST,
            ..Limits::default()
        };
        let backend = BackendConfig {
            url: config.url.clone(),
            protocol: Protocol::OpenAi {
                model: config.model.clone(),
            },
            api_key_env: config.api_key_env.clone(),
            limits,
        };
        let backend = CompletionBackend::new(&backend, lookup)?;
        let chat = config.chat.as_ref().map(|chat| {
            let template = chat.template.parse::<Template>();
            anyhow::Ok((template?, chat.end.clone()))
        });
        let chat = chat.transpose()?;
        let shown = format.map(|format| format!("{}@{}", format.name(), format.version()));
        let identity = format!(
            "{VERSION} {} {} {} {}",
            backend.address(),
            config.model,
            shown.as_deref().unwrap_or("suffix"),
            serde_json::to_string(&config.chat)?
        );
        Ok(Self {
            backend,
            format,
            chat,
            decoding: decoding.clone(),
            width,
            identity,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
        })
    }

    /// What is asked of a row, and whether it lacks a part of the text.
    fn request(&self, row: &EvalRow) -> Result<(CompletionRequest, bool)> {
        let most = self.decoding.context_tokens * BYTES_A_TOKEN;
        let mut stop: Vec<String> = row.stops.iter().map(|text| (*text).to_owned()).collect();
        let (prompt, shortened) = match &row.question {
            Question::Infill { suffix, .. } => {
                let prefix = row.prefix();
                let (before, after) = window(&prefix, suffix, most);
                let shortened = before.len() + after.len() < prefix.len() + suffix.len();
                let prompt = match self.format {
                    Some(format) => {
                        stop.extend(format.stop_texts());
                        Prompt::Raw(format.render_text(before, after)?)
                    }
                    None => Prompt::Infill {
                        prefix: before.to_owned(),
                        suffix: after.to_owned(),
                        extra: Vec::new(),
                        typed: String::new(),
                    },
                };
                (prompt, shortened)
            }
            Question::Continue { prompt } => {
                let (before, _) = window(prompt, "", most);
                (Prompt::Raw(before.to_owned()), before.len() < prompt.len())
            }
            Question::Instruct { prompt } => {
                let (template, end) = self.chat.as_ref().context(
                    "expected `template` and `end` in `[eval.server.chat]` for tasks in words, found none",
                )?;
                stop.push(end.clone());
                (Prompt::Raw(template.filled("", prompt)), false)
            }
        };
        let in_a_hole = matches!(row.question, Question::Infill { .. });
        let most = self.decoding.most_tokens(in_a_hole);
        let drawn = kept::key(self.decoding.seed, &["sample", &row.id]);
        let seed = u64::from(u32::from_le_bytes([drawn[0], drawn[1], drawn[2], drawn[3]]));
        let request = CompletionRequest {
            prompt,
            max_tokens: u32::try_from(most).unwrap_or(u32::MAX),
            temperature: self.decoding.temperature,
            top_p: self.decoding.top_p,
            seed: (self.decoding.temperature > 0.0).then_some(seed),
            stop,
        };
        Ok((request, shortened))
    }

    async fn ask(&self, row: &EvalRow) -> Result<Timed, String> {
        let (request, shortened) = self.request(row).map_err(|error| format!("{error:#}"))?;
        let began = Instant::now();
        let mut first = None;
        let mut written = String::new();
        // Servers take a few stop texts alone, or none.
        let mut piece = |piece: &str| {
            first.get_or_insert_with(|| began.elapsed());
            written.push_str(piece);
            match before_stop(&written, row.stops).len() < written.len() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let done = self.backend.complete(&request, &mut piece).await;
        let Completed {
            text,
            finish,
            prompt_tokens,
            generated_tokens,
            ..
        } = done.map_err(|error| error.to_string())?;
        let total = began.elapsed();
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        let kept = before_stop(&text, row.stops);
        let stop = match finish {
            _ if kept.len() < text.len() => Stop::Text,
            Finish::Stop => Stop::End,
            Finish::Length | Finish::Caller | Finish::Other(_) => Stop::Limit,
            Finish::Unsaid => Stop::Unsaid,
        };
        let completion = Completion {
            text: kept.to_owned(),
            stop,
            tokens: generated_tokens,
            prompt_tokens,
            shortened,
        };
        let timing = Timing {
            first_ms: ms(first.unwrap_or(total)),
            ms: ms(total),
            width: self.width,
        };
        Ok(Timed { completion, timing })
    }
}

impl Backend for Server {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn complete(&mut self, rows: &[&EvalRow], hear: Hear<'_>) -> Result<()> {
        let this = &*self;
        this.runtime.block_on(async {
            let asked = futures::stream::iter(rows.iter().enumerate());
            let mut asked = asked
                .take_while(|_| std::future::ready(!(hear.stop)()))
                .map(|(at, row)| async move { (at, this.ask(row).await) })
                .buffer_unordered(this.width);
            let mut in_a_row = 0;
            while let Some((at, found)) = asked.next().await {
                in_a_row = if found.is_ok() { 0 } else { in_a_row + 1 };
                if let (PATIENCE.., Err(problem)) = (in_a_row, &found) {
                    bail!(
                        "{PATIENCE} rows failed one after the other, the last one with: {problem}; what was \
                         completed is kept, the same command goes on"
                    );
                }
                (hear.done)(at, found)?;
            }
            Ok(())
        })
    }

    /// OpenAI's protocol has no way to ask for it that its servers agree on.
    fn likelihood(&mut self, _: &EvalRow, _: &str) -> Result<Option<Likelihood>> {
        Ok(None)
    }
}

/// The text around the hole, at most `most` bytes of it; the suffix takes its share, and more where the prefix
/// leaves some, the prefix the rest.
fn window<'t>(prefix: &'t str, suffix: &'t str, most: usize) -> (&'t str, &'t str) {
    let share = (most as f32 * SUFFIX_SHARE) as usize;
    let share = share.max(most.saturating_sub(prefix.len()));
    let suffix = &suffix[..suffix.floor_char_boundary(share)];
    let first = prefix.len().saturating_sub(most - suffix.len());
    (&prefix[prefix.ceil_char_boundary(first)..], suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_around_the_hole() {
        assert_eq!(window("abcdef", "ghi", 8), ("abcdef", "gh"));
        assert_eq!(window("a", "ghi", 8), ("a", "ghi"));
        assert_eq!(window("abcdefgh", "ghi", 8), ("cdefgh", "gh"));
        assert_eq!(window("abcdef", "", 4), ("cdef", ""));
        assert_eq!(window("éé", "é", 4), ("éé", ""));
        assert_eq!(window("aéé", "", 4), ("éé", ""));
    }
}
