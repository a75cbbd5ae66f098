//! How a job is started, and what its rows are.

use std::fmt::Write as _;

use anyhow::Result;

use super::super::{Args, Target};
use super::{FileReport, GPUS, Job, StackReport, absolute};
use crate::stored::Opened;
use crate::train::recipe::Parameters;

/// How it begins, before the program's name.
pub(super) const HEADING: &str = "# A job for ";

/// What is typed in the job's folder, beside the program's own command.
pub(super) struct Commands {
    /// Before it, where the model must be written out.
    first: Option<String>,
    /// After it: into the store.
    back: Vec<String>,
}

impl Commands {
    pub(super) fn new(
        args: &Args,
        opened: &Opened,
        format: Option<&str>,
        job: &Job<'_>,
    ) -> Result<Self> {
        let named = match &opened.manifest {
            Some(manifest) => manifest.id().to_string(),
            None => absolute(&opened.checkpoint.path)?,
        };
        let store = match &args.store {
            Some(store) => format!(" --store {}", word(&absolute(store)?)),
            None => String::new(),
        };
        let format = format.map_or(String::new(), |name| format!(" --format {}", word(name)));
        let first = (job.model == "model").then(|| {
            format!(
                "truefill-trainer export {} --to hub --type bf16 --out model{format}{store}",
                word(&named)
            )
        });
        let (of_base, taught) = match job.recipe.teach_format {
            true => ("", " --teach-format"),
            false => (format.as_str(), ""),
        };
        // `import` takes for a base what the store has as a whole model.
        let base = (opened.manifest.is_some() && opened.adapter.is_none()).then(|| word(&named));
        let back = match (job.recipe.parameters, base) {
            (Parameters::Full, None) => {
                vec![format!("truefill-trainer import out{format}{store}")]
            }
            (Parameters::Full, Some(base)) => vec![format!(
                "truefill-trainer import out --base {base}{format}{taught}{store}"
            )],
            (Parameters::Lora, Some(base)) => vec![format!(
                "truefill-trainer import out --adapter --base {base}{format}{taught}{store}"
            )],
            (Parameters::Lora, None) => vec![
                format!(
                    "base=$(truefill-trainer import {}{of_base}{store} | cut -d ' ' -f 1)",
                    word(&job.model)
                ),
                format!(
                    "truefill-trainer import out --adapter --base \"$base\"{format}{taught}{store}"
                ),
            ],
        };
        Ok(Self { first, back })
    }
}

/// A text as one word of a shell.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@+=,".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

pub(super) fn text(job: &Job<'_>, commands: &Commands, report: &StackReport) -> String {
    let (program, command) = match job.target {
        Target::Trl => (
            "TRL",
            "accelerate launch --config_file accelerate.yaml train.py",
        ),
        Target::Axolotl => ("Axolotl", "axolotl train axolotl.yaml"),
        _ => (
            "LLaMA-Factory",
            "FORCE_TORCHRUN=1 llamafactory-cli train train.yaml",
        ),
    };
    let first = commands.first.iter().map(String::as_str);
    let back = commands.back.iter().map(String::as_str);
    let lines: Vec<&str> = first.chain([command]).chain(back).collect();
    let (at_once, accumulated) = job.batch();
    let mut out = format!("{HEADING}{program}\n\n```sh\n{}\n```\n", lines.join("\n"));
    let _ = writeln!(
        out,
        "\nRun it in this folder, on a machine with {GPUS} GPUs: a step has {GPUS} × {at_once} × \
         {accumulated} rows. With another number of GPUs, change `gradient_accumulation_steps` so that \
         the product stays. Steps of the run: {}, of its warm-up: {}.",
        job.steps(),
        job.warmup()
    );
    out += &attention(job);
    if !report.differences.is_empty() {
        let _ = writeln!(out, "\nOther than in the recipe:\n");
    }
    for difference in &report.differences {
        let _ = writeln!(out, "- {difference}");
    }
    let _ = writeln!(
        out,
        "\nRows are cut to at most {} tokens already, the prefix from its beginning and the suffix from \
         its end, so nothing is cut there and no sentinel is lost. Every completion ends with `{}`; no \
         template is to add another.",
        job.cutoff, job.end
    );
    for (file, found) in [
        ("train.jsonl", &report.training),
        ("eval.jsonl", &report.evaluation),
    ] {
        of_file(&mut out, file, found);
    }
    out
}

fn attention(job: &Job<'_>) -> String {
    let (key, file) = match job.target {
        Target::Trl => ("attn_implementation", "train.py"),
        Target::Axolotl => ("flash_attention", "axolotl.yaml"),
        _ => ("flash_attn", "train.yaml"),
    };
    format!(
        "\nAttention is FlashAttention-2, as in the paper: the package `flash-attn` is needed beside the \
         program's own. Without it, leave `{key}` out of `{file}`.\n"
    )
}

fn of_file(out: &mut String, file: &str, found: &FileReport) {
    if found.rows > 0 {
        let _ = writeln!(
            out,
            "\n`{file}` has rows: {}, the longest of {} tokens.",
            found.rows, found.longest
        );
    }
    if found.other_tokens > 0 {
        let _ = writeln!(
            out,
            "\nRows of `{file}` that are cut into other tokens there than here, though the text is the \
             same: {}.",
            found.other_tokens
        );
    }
    for (reason, rows) in &found.left_out {
        let _ = writeln!(
            out,
            "\nRows that are left out of `{file}`, because {reason}: {rows}."
        );
    }
}

#[cfg(test)]
mod tests {
    use super::word;

    #[test]
    fn a_path_stays_one_word() {
        assert_eq!(word("/models/qwen2.5-coder"), "/models/qwen2.5-coder");
        assert_eq!(word("/my models/it's"), r"'/my models/it'\''s'");
        assert_eq!(word("$(x)"), "'$(x)'");
    }
}
