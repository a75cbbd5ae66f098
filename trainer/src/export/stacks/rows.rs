//! Rows as text, checked against how another program reads them.

use anyhow::Result;
use serde_json::{Value, json};
use truefill_model::tokenizer::Tokenizer;
use truefill_model::tokens::TokenId;

use super::super::Target;
use super::{FileReport, Job};
use crate::controls::{Controls, Piece};
use crate::train::data::TrainRow;
use crate::train::example::{Example, Rendered, Renderer, Skip};

/// A row as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TextRow {
    /// The prompt, its sentinels spelled out.
    pub prompt: String,
    /// The golden completion, its end token spelled out.
    pub chosen: String,
    /// The wrong one; nothing where the objective needs none.
    pub rejected: Option<String>,
}

impl TextRow {
    /// The completions, each with the tokens that it has here.
    fn sides<'r>(
        &'r self,
        example: &'r Example,
    ) -> impl Iterator<Item = (&'r String, &'r Vec<TokenId>)> {
        let rejected = self.rejected.iter().map(|text| (text, &example.rejected));
        std::iter::once((&self.chosen, &example.chosen)).chain(rejected)
    }
}

/// What came of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// It reads the same there.
    Whole(TextRow, usize),
    /// It would not, for this reason.
    LeftOut(&'static str),
}

pub(super) fn reason(skip: Skip) -> &'static str {
    match skip {
        Skip::TooLong => "the completion leaves no room for a prompt",
        Skip::Unspellable => "the vocabulary cannot express the completion",
    }
}

/// The first `most` rows that read the same there.
pub(super) fn rows(
    job: &Job<'_>,
    renderer: &Renderer,
    rows: &[TrainRow],
    most: usize,
    report: &mut FileReport,
) -> Result<Vec<TextRow>> {
    let reader = Reader::new(renderer.tokenizer());
    let mut kept = Vec::new();
    for row in rows {
        if kept.len() == most {
            break;
        }
        let example = match renderer.render(row, 0)? {
            Rendered::Whole(example) => example,
            Rendered::Skipped(skip) => {
                report.leave_out(reason(skip), 1);
                continue;
            }
        };
        match reader.text(&example, job) {
            Kept::Whole(text, tokens) => {
                report.longest = report.longest.max(tokens);
                report.other_tokens += u64::from(!reader.reads(&text, &example, job));
                kept.push(text);
            }
            Kept::LeftOut(reason) => report.leave_out(reason, 1),
        }
    }
    report.rows = kept.len() as u64;
    Ok(kept)
}

/// Cuts text into tokens as the libraries of other programs do: the spelling of a control token is
/// that token wherever it stands.
struct Reader<'a> {
    tokenizer: &'a Tokenizer,
    controls: Controls,
}

impl<'a> Reader<'a> {
    fn new(tokenizer: &'a Tokenizer) -> Self {
        Self {
            tokenizer,
            controls: Controls::of(tokenizer),
        }
    }

    /// What the vocabulary writes before a text that stands alone, it writes behind every control
    /// token too.
    fn tokens(&self, text: &str) -> Vec<TokenId> {
        let lead = if self.tokenizer.lead_space() { " " } else { "" };
        let mut tokens = Vec::new();
        for piece in self.controls.pieces(text) {
            match piece {
                Piece::Control(id) => tokens.push(id),
                Piece::Text(text) => {
                    let text = format!("{lead}{text}");
                    tokens.extend(self.tokenizer.encode_lossy(&text).unwrap_or_default());
                }
            }
        }
        tokens
    }

    /// Its begin token is left to a program that puts it there itself.
    fn spoken<'e>(&self, example: &'e Example, job: &Job<'_>) -> &'e [TokenId] {
        let added = job.adds_begin() && self.tokenizer.add_bos() && self.begins(example);
        &example.prompt[usize::from(added)..]
    }

    fn begins(&self, example: &Example) -> bool {
        let first = example.prompt.first().copied();
        first.is_some() && first == self.tokenizer.bos()
    }

    fn text(&self, example: &Example, job: &Job<'_>) -> Kept {
        let decode = |tokens: &[TokenId]| self.tokenizer.decode(tokens);
        let prompt = self.spoken(example, job);
        let text = TextRow {
            prompt: decode(prompt),
            chosen: decode(&example.chosen),
            rejected: job.pairs().then(|| decode(&example.rejected)),
        };
        let controls = |tokens: &[TokenId]| -> Vec<TokenId> {
            let special = |id: &&TokenId| self.tokenizer.is_special(**id);
            tokens.iter().filter(special).copied().collect()
        };
        let read = self.tokens(&text.prompt);
        if controls(&read) != controls(prompt) {
            return Kept::LeftOut("a sentinel would be read as another token");
        }
        let mut longest = 0;
        for (side, tokens) in text.sides(example) {
            let found = self.tokens(side);
            if controls(&found) != controls(tokens) || !side.ends_with(&job.end) {
                return Kept::LeftOut("the end token would be read as another token");
            }
            longest = longest.max(found.len());
        }
        let foreign = job.foreign_begin() && !self.begins(example);
        let begin = example.prompt.len() - prompt.len() + usize::from(foreign);
        let total = begin + read.len() + longest;
        match total > job.cutoff {
            true => Kept::LeftOut("they are longer there than the limit"),
            false => Kept::Whole(text, total),
        }
    }

    /// Whether the program makes the same tokens of it. TRL makes them of prompt and completion
    /// together, so that a word may begin in the one and end in the other.
    fn reads(&self, text: &TextRow, example: &Example, job: &Job<'_>) -> bool {
        let prompt = self.spoken(example, job);
        let together = job.target == Target::Trl;
        let alike = |(side, tokens): (&String, &Vec<TokenId>)| match together {
            true => self.tokens(&format!("{}{side}", text.prompt)) == [prompt, tokens].concat(),
            false => self.tokens(side) == *tokens,
        };
        (together || self.tokens(&text.prompt) == prompt) && text.sides(example).all(alike)
    }
}

/// Rows in the program's layout.
pub(super) fn jsonl(job: &Job<'_>, rows: &[TextRow]) -> Result<String> {
    let mut out = String::new();
    for row in rows {
        out += &serde_json::to_string(&line(job, row))?;
        out.push('\n');
    }
    Ok(out)
}

fn line(job: &Job<'_>, row: &TextRow) -> Value {
    let (prompt, chosen) = (&row.prompt, &row.chosen);
    match (job.target, &row.rejected) {
        (Target::LlamaFactory, None) => {
            json!({"instruction": prompt, "input": "", "output": chosen})
        }
        (Target::LlamaFactory, Some(rejected)) => {
            json!({"instruction": prompt, "input": "", "chosen": chosen, "rejected": rejected})
        }
        (Target::Axolotl, None) => json!({"segments": [
            {"label": false, "text": prompt}, {"label": true, "text": chosen},
        ]}),
        (_, None) => json!({"prompt": prompt, "completion": chosen}),
        (_, Some(rejected)) => {
            json!({"prompt": prompt, "chosen": chosen, "rejected": rejected})
        }
    }
}
