//! `export`: a checkpoint as a file for other programs, or its training as a job for a stack that runs
//! on many GPUs.

mod gguf;
mod stacks;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;
use truefill_model::write::{FileType, write_hub};

use crate::stored::{self, Opened, sidecars};
use crate::train::recipe::SavedDtype;
use crate::usage::Usage;

pub use stacks::{FileReport, Job, StackReport, write_job};

/// Write a checkpoint for other programs, or its training as a job for many GPUs
///
/// `gguf` is one file that llama.cpp loads, its tokenizer inside; with `--text`, what rounding costs is
/// told as the Kullback–Leibler divergence from the unrounded model. `hub` is a folder as on the model
/// hub, which transformers loads; weights and tokenizer of a model that was in the folder before are
/// removed. An adapter is merged into its base for both; `peft` writes it alone.
///
/// `llama-factory`, `trl` and `axolotl` write the rows of a recipe's `[train]` in that program's
/// layout, already cut so that no sentinel is lost, its configuration for DeepSpeed ZeRO-3, and a
/// README with the command. What comes out of it goes back by `import`.
///
/// Examples:
///   truefill-trainer export default --to gguf --type q8_0 --out model.gguf --text src/main.py
///   truefill-trainer export runs-best --to hub --type bf16 --out folder
///   truefill-trainer export --to llama-factory --recipe recipe.toml --out job
#[derive(Clone, Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// A file, a folder, or an id or alias in the store; for a job, the recipe's without one
    pub checkpoint: Option<String>,
    /// What to write
    #[arg(long, value_enum)]
    pub to: Target,
    /// The file of `gguf`, the folder of all others
    #[arg(long, value_name = "PATH")]
    pub out: PathBuf,
    /// How values are stored: f32, f16, q8_0, q4_0 or q4_k in a GGUF file; f32, f16 or bf16 in a folder
    /// [default: f16; f32 of an adapter]
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Compare the file with the unrounded model on this text: on its first 4096 tokens, in pieces of
    /// 512 (may be given several times)
    #[arg(long = "text", value_name = "FILE")]
    pub texts: Vec<PathBuf>,
    /// The recipe whose `[train]` becomes a job
    #[arg(long, value_name = "FILE")]
    pub recipe: Option<PathBuf>,
    /// The FIM format, where it is not the one that the checkpoint's manifest or tokenizer tells
    #[arg(long, value_name = "NAME")]
    pub format: Option<String>,
    /// The checkpoint store [default: the user's, as `truefill models list` shows it]
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// Print the figures as JSON
    #[arg(long)]
    pub json: bool,
}

/// What can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Target {
    /// One file for llama.cpp
    Gguf,
    /// A folder for transformers
    Hub,
    /// An adapter in PEFT's layout
    Peft,
    /// A job for LLaMA-Factory
    LlamaFactory,
    /// A job for TRL
    Trl,
    /// A job for Axolotl
    Axolotl,
}

/// Runs the command.
///
/// # Errors
/// [`Usage`] for what cannot be meant; what is wrong with the checkpoint or the rows.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    match args.to {
        Target::Gguf => gguf::run(args, &open(args)?, out),
        Target::Hub => hub(args, &open(args)?, out),
        Target::Peft => peft(args, &open(args)?, out),
        Target::LlamaFactory | Target::Trl | Target::Axolotl => stacks::run(args, out),
    }
}

fn open(args: &Args) -> Result<Opened> {
    let wanted = args.checkpoint.as_deref();
    let wanted = wanted.ok_or_else(|| Usage::error("expected a checkpoint, found none"))?;
    Opened::open(&stored::store(args.store.as_deref())?, wanted)
}

fn file_type(text: &str) -> Result<FileType> {
    let parsed: Result<FileType, String> = text.parse();
    parsed.map_err(|problem| Usage::error(format!("`--type`: {problem}")))
}

fn saved_dtype(kind: &str) -> Result<SavedDtype> {
    SavedDtype::from_str(kind, false).map_err(|_| {
        Usage::error(format!(
            "`--type`: expected f32, f16 or bf16 for a folder, found `{kind}`"
        ))
    })
}

fn hub(args: &Args, opened: &Opened, out: &mut dyn Write) -> Result<()> {
    let dtype = saved_dtype(args.kind.as_deref().unwrap_or("f16"))?;
    let tokenizer = opened.tokenizer()?;
    let format = crate::checkpoint::format(opened.format_name(args.format.as_deref()), tokenizer)?;
    let beside = sidecars(&opened.checkpoint)?;
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("{}: cannot be made", args.out.display()))?;
    let about = beside.into_hub(dtype.weights(), tokenizer, opened.end(&format)?);
    let files = write_hub(&args.out, &opened.model(), &about)?;
    let names: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    match args.json {
        true => writeln!(out, "{}", serde_json::json!({ "files": names }))?,
        false => writeln!(out, "{}", names.join("\n"))?,
    }
    Ok(())
}

fn peft(args: &Args, opened: &Opened, out: &mut dyn Write) -> Result<()> {
    let Some(adapter) = &opened.adapter else {
        return Err(Usage::error(format!(
            "`--to peft` writes an adapter, and `{}` is a whole model; use `--to hub`",
            opened.name
        )));
    };
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("{}: cannot be made", args.out.display()))?;
    let dtype = saved_dtype(args.kind.as_deref().unwrap_or("f32"))?.weights();
    adapter.write(&args.out, &opened.checkpoint.config, dtype)?;
    let matrices = adapter.matrices.len();
    let bytes = dtype.bytes_of(adapter.numbers()).unwrap_or_default();
    match args.json {
        true => {
            let figures = serde_json::json!({ "matrices": matrices, "bytes": bytes });
            writeln!(out, "{figures}")?;
        }
        false => writeln!(
            out,
            "{}: {matrices} matrices of rank {}, {bytes} bytes",
            args.out.display(),
            adapter.rank
        )?,
    }
    Ok(())
}
