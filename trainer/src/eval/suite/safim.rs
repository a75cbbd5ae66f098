//! SAFIM (`gonglinyuan/safim` on Hugging Face, `*.jsonl.gz`).
//!
//! The model sees `prompt`, a problem in words and the program, whose hole is a comment of a fixed text;
//! what is run is `eval_prompt`, whose hole is `{{completion}}`. Ids are `block_completion_000075`; that
//! those of `api` and `control` begin alike is taken from the files' names (`api_completion.jsonl.gz`,
//! `control_completion_fixed.jsonl.gz`), and that the ids do not tell block-v2 from block is assumed: the
//! name of its file does (`block_completion_v2.jsonl.gz`).
//!
//! Blocks and control expressions are judged by unit tests in four languages, which a service of their
//! own (ExecEval) runs; here they are compared alone, so rows have no program.

use sha2::{Digest, Sha256};

use super::Origin;
use super::error::{Fault, shown};
use super::record::Record;
use crate::eval::cut::Cut;
use crate::eval::row::{EvalRow, Question};
use crate::eval::text::words;

const EVAL_HOLE: &str = "{{completion}}";

/// The comment that stands in the hole of a prompt.
const HOLES: [(&str, &str); 4] = [
    ("python", "# TODO: Your code here"),
    ("java", "/* TODO: Your code here */"),
    ("cpp", "/* TODO: Your code here */"),
    ("csharp", "/* TODO: Your code here */"),
];

const KINDS: [&str; 3] = ["api", "block", "control"];

pub(super) fn row(record: &Record, origin: &Origin) -> Result<EvalRow, Fault> {
    let id = record.name("task_id")?;
    let kind = kind(&id, &origin.name())?;
    let language = record.name("lang")?;
    let Some((_, hole)) = HOLES.iter().find(|(name, _)| *name == language) else {
        return Err(Fault::unknown(
            "lang",
            &HOLES.map(|(name, _)| name),
            &language,
        ));
    };
    let prompt = record.text("prompt")?;
    let (prefix, suffix) = around("prompt", &prompt, hole)?;
    let eval_prompt = record.text("eval_prompt")?;
    let (eval_prefix, eval_suffix) = around("eval_prompt", &eval_prompt, EVAL_HOLE)?;
    let golden = record.text("ground_truth")?;
    let program = [&*eval_prefix, &golden, &eval_suffix].concat();
    let question = Question::Infill { prefix, suffix };
    // Both sets of blocks may be measured at once.
    let id = match kind == "block-v2" && !id.contains("v2") {
        true => format!("{kind}/{id}"),
        false => id,
    };
    Ok(EvalRow {
        kind: kind.to_owned(),
        cluster: cluster(&prompt, &program),
        cut: match kind {
            "api" => Cut::SafimApi,
            "control" => Cut::SafimControl,
            _ => Cut::SafimBlock {
                eval_prefix,
                eval_suffix,
            },
        },
        ..EvalRow::new(id, question, golden, &language)
    })
}

/// What kind of hole a row has, by its id, else by the name of its file.
fn kind(id: &str, file: &str) -> Result<&'static str, Fault> {
    let starts = |name: &str| KINDS.into_iter().find(|kind| name.starts_with(kind));
    let found = starts(id).or_else(|| {
        // `safim-control`
        file.split(['-', '_']).find_map(starts)
    });
    match found {
        Some("block") if id.contains("v2") || file.contains("v2") => Ok("block-v2"),
        Some(kind) => Ok(kind),
        None => {
            let expected = "an id or a file's name that begins with `api`, `block` or `control`";
            Err(Fault::new("task_id", expected, shown(id)))
        }
    }
}

/// What stands around the one hole of a text.
fn around(field: &str, text: &str, hole: &str) -> Result<(String, String), Fault> {
    match text.split(hole).collect::<Vec<_>>()[..] {
        [before, after] => Ok((before.to_owned(), after.to_owned())),
        ref parts => {
            let expected = format!("one hole, `{hole}`");
            let found = format!("{} of them", parts.len() - 1);
            Err(Fault::new(field, expected, found))
        }
    }
}

/// Ids do not name the problem that a hole was cut in: its statement does, and where a prompt has none,
/// the program.
fn cluster(prompt: &str, program: &str) -> String {
    let statement = prompt
        .split_once("Description:")
        .and_then(|(_, rest)| rest.split_once("\nCode:"))
        .map_or(program, |(statement, _)| statement);
    let mut hasher = Sha256::new();
    for word in words(statement) {
        hasher.update(word);
        hasher.update(" ");
    }
    hex::encode(&hasher.finalize()[..8])
}
