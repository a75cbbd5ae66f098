//! The configuration: one struct, read from the user's `truefill.toml` and from the
//! same keys in `initializationOptions` and `workspace/didChangeConfiguration`.
//!
//! Nothing here is ever read from a file of a workspace: a cloned repository cannot
//! choose a model, a backend or a file. An unknown key is an error that names the
//! nearest key, because a misspelt switch that does nothing is worse than none.

mod load;
mod macros;
pub mod reference;

use serde::{Deserialize, Serialize};

pub use load::{ConfigError, Layer};
use macros::settings;

/// What the guard does with a suggestion that names something unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GuardMode {
    /// It is not asked.
    Off,
    /// The suggestion is shown, its verdict goes to the journal.
    Flag,
    /// The suggestion is not shown.
    Block,
}

/// Which completion backend is asked instead of a local model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RemoteKind {
    /// No backend: the local model.
    None,
    /// An OpenAI-compatible `/v1/completions`.
    OpenAi,
    /// llama.cpp's `/infill`.
    LlamaCpp,
}

settings! {
    /// The model and where it computes.
    model: Model {
        /// What completes: `"default"`, a checkpoint's id or alias as `truefill models list` shows
        /// them, or the path of a GGUF file or a folder with safetensors.
        machine id: String = "default".to_owned(),
        /// The model's FIM format, `"auto"` to find it from the tokenizer.
        machine format: String = "auto".to_owned(),
        /// The layout of the format's prompts: `"auto"` for the one that the format is served with,
        /// `"psm"`, `"psm-line"`, `"spm"` or `"causal"`, of those that the format has.
        machine layout: String = "auto".to_owned(),
        /// Where to compute: `"auto"`, `"cpu"`, `"cuda"` or `"cuda:N"`.
        machine device: String = "auto".to_owned(),
        /// Threads of the CPU, 0 for one per core.
        machine threads: usize = 0,
        /// Memory for the KV cache of all documents together, in MiB.
        machine kv_memory_mb: usize = 128,
    }

    /// What the model sees.
    context: Context {
        /// Tokens in the prompt at most.
        window window_tokens: usize = 1024,
        /// Share of the prompt that the text after the cursor may take, 0 to 0.9.
        window suffix_share: f32 = truefill_model::fim::SUFFIX_SHARE,
    }

    /// When and what to suggest.
    suggest: Suggest {
        /// Suggest while typing. With `false` suggestions come only when asked for.
        window automatic: bool = true,
        /// Shortest delay of an automatic suggestion after a key, in milliseconds.
        window delay_min_ms: u64 = 20,
        /// Longest delay of an automatic suggestion after a key, in milliseconds.
        window delay_max_ms: u64 = 400,
        /// Time for an automatic suggestion from the end of the delay on, in milliseconds.
        window automatic_budget_ms: u64 = 2000,
        /// Time for a suggestion that was asked for, in milliseconds.
        window invoked_budget_ms: u64 = 8000,
        /// Tokens of a suggestion that stays on its line at most.
        window line_tokens: usize = 48,
        /// Tokens of a suggestion of several lines at most.
        window block_tokens: usize = 160,
        /// Suggestions to choose from when they are asked for, 1 to 3.
        window alternatives: usize = 3,
        /// Time for the second and third of them after the first is there, in milliseconds.
        window alternatives_ms: u64 = 600,
        /// What happens to a suggestion that names something that neither the file, its imports
        /// nor the workspace knows: `"off"`, `"flag"` (show and record) or `"block"`.
        window guard: GuardMode = GuardMode::Flag,
        /// Language ids in which nothing is suggested, as the editor names them.
        window disabled_languages: Vec<String> = Vec::new(),
    }

    /// Which files are left alone.
    files: Files {
        /// Suggest nothing in files that hold secrets by their purpose, and never read them:
        /// `.env*` and `*.env`, private keys, certificates and key stores, credentials of git,
        /// package registries, databases and clouds, the state of Terraform, and everything in
        /// `.ssh`, `.gnupg`, `.aws`, `.azure`, `.docker` and `.kube`. The journal keeps no text of
        /// these in any case.
        machine deny_secrets: bool = true,
        /// Patterns of more file names, and of paths where they hold a `/`, in which nothing is
        /// suggested and which are never read. A list of your own replaces this one.
        machine deny: Vec<String> = default_deny(),
        /// Leave alone what git ignores (`.gitignore`, `.git/info/exclude` and the user's own file
        /// of that kind) and what `.truefillignore` excludes, which is written the same way.
        machine respect_ignore_files: bool = true,
        /// Bytes of a document at most.
        window max_bytes: usize = 1 << 20,
        /// Bytes of a line near the cursor at most.
        window max_line_bytes: usize = 5000,
    }

    /// The background index of the workspace's symbols, which the guard asks.
    index: IndexSettings {
        /// Build it and keep it up.
        window enabled: bool = true,
        /// Files in it at most. In a workspace with more, names may stand in files left out, so the
        /// guard goes by less.
        window max_files: usize = 20_000,
        /// Bytes of a file in it at most.
        window max_file_bytes: usize = 512 << 10,
    }

    /// The private journal of what was shown, accepted and kept.
    journal: Journal {
        /// Keep it. It never leaves this machine by itself.
        machine enabled: bool = true,
        /// Also keep the redacted code around suggestions, so that a model can learn from it.
        machine context: bool = false,
        /// Megabytes that its file may take. When they are used up, the oldest rows make room.
        machine max_mb: u64 = 512,
        /// Days that rows are kept, 0 for as long as there is room.
        machine keep_days: u32 = 365,
    }

    /// What stops an arm of a comparison; see `truefill arms`.
    arms: Arms {
        /// Share of an arm's requests that may fail or come too late, 0 to 1. One that exceeds it
        /// clearly gets nothing more, unless the first arm fails as often.
        machine max_failures: f32 = 0.05,
        /// How many times the first arm's median latency another one's may be.
        machine max_slowdown: f32 = 2.0,
    }

    /// A completion backend of your own instead of the local model.
    remote: Remote {
        /// `"none"`, `"openai"` (any compatible `/v1/completions`) or `"llamacpp"` (`/infill`).
        machine kind: RemoteKind = RemoteKind::None,
        /// Its address, such as `"http://localhost:8080"`.
        machine url: String = String::new(),
        /// The model's name there.
        machine model: String = String::new(),
        /// Name of the environment variable that holds the key, empty for none. The key itself
        /// never stands in a configuration.
        machine api_key_env: String = String::new(),
    }
}

/// Room for new tokens in every session of an engine, so that a line and a block share one.
pub const HEADROOM: usize = 256;

/// What the list of secrets lets pass because its rows are whole names.
fn default_deny() -> Vec<String> {
    ["secrets.*", "*.secrets", "*.tfvars.json"]
        .map(str::to_owned)
        .to_vec()
}

impl Config {
    /// What a change of configuration must open the engine anew for.
    pub fn engine_differs(&self, other: &Self) -> bool {
        self.model != other.model
            || self.remote != other.remote
            || self.positions() != other.positions()
    }

    /// Tokens that the engine has room for: the window and the longest suggestion behind it.
    pub fn positions(&self) -> usize {
        let longest = self.suggest.line_tokens.max(self.suggest.block_tokens);
        self.context.window_tokens + longest.max(HEADROOM)
    }

    /// Checks what the types cannot.
    fn validate(&self) -> Result<(), (&'static str, String)> {
        let within = |key, value: usize, low: usize, high: usize| {
            let fits = (low..=high).contains(&value);
            let sentence = format!("expected a number from {low} to {high}, found {value}");
            if fits { Ok(()) } else { Err((key, sentence)) }
        };
        within(
            "context.window_tokens",
            self.context.window_tokens,
            64,
            1 << 20,
        )?;
        within("suggest.line_tokens", self.suggest.line_tokens, 1, 4096)?;
        within("suggest.block_tokens", self.suggest.block_tokens, 1, 4096)?;
        within("suggest.alternatives", self.suggest.alternatives, 1, 3)?;
        within("model.threads", self.model.threads, 0, 1024)?;
        within("model.kv_memory_mb", self.model.kv_memory_mb, 16, 1 << 20)?;
        let share = self.context.suffix_share;
        if !(0.0..=0.9).contains(&share) {
            let sentence = format!("expected a number from 0 to 0.9, found {share}");
            return Err(("context.suffix_share", sentence));
        }
        if !(0.0..=1.0).contains(&self.arms.max_failures) {
            let found = self.arms.max_failures;
            let sentence = format!("expected a number from 0 to 1, found {found}");
            return Err(("arms.max_failures", sentence));
        }
        if !(1.0..=1000.0).contains(&self.arms.max_slowdown) {
            let found = self.arms.max_slowdown;
            let sentence = format!("expected a number from 1 to 1000, found {found}");
            return Err(("arms.max_slowdown", sentence));
        }
        if self.suggest.delay_min_ms > self.suggest.delay_max_ms {
            let max = self.suggest.delay_max_ms;
            let found = self.suggest.delay_min_ms;
            let sentence =
                format!("expected at most `suggest.delay_max_ms` ({max}), found {found}");
            return Err(("suggest.delay_min_ms", sentence));
        }
        for pattern in &self.files.deny {
            globset::Glob::new(pattern).map_err(|error| ("files.deny", error.to_string()))?;
        }
        self.validate_device()?;
        if self.remote.kind != RemoteKind::None && self.remote.url.is_empty() {
            return Err((
                "remote.url",
                "expected the backend's address, found nothing".to_owned(),
            ));
        }
        Ok(())
    }

    fn validate_device(&self) -> Result<(), (&'static str, String)> {
        let device = self.model.device.as_str();
        if truefill_model::device::is_name(device) {
            return Ok(());
        }
        let sentence = format!("expected `auto`, `cpu`, `cuda` or `cuda:N`, found `{device}`");
        Err(("model.device", sentence))
    }
}
