//! Tokenizers of every family, rows, and renderers for them.

use std::path::PathBuf;
use std::sync::Arc;

use truefill_model::fim::{BoundFormat, FimFormat, Layout};
use truefill_model::tokenizer::{GgufVocabulary, Tokenizer};
use truefill_trainer::train::data::{Place, Question, TrainRow};
use truefill_trainer::train::example::{Example, Rendered, Renderer, Settings};
use truefill_trainer::train::mask::Marking;
use truefill_trainer::train::objective::{Needs, Objective, Sft};
use truefill_trainer::train::recut::Holes;

use crate::fim_support::{CODELLAMA, QWEN, byte_level, sentencepiece, smollm};

const STARCODER: &[&str] = &[
    "<|endoftext|>",
    "<fim_prefix>",
    "<fim_middle>",
    "<fim_suffix>",
    "<fim_pad>",
    "<file_sep>",
    "<repo_name>",
];

/// The formats that one set of rows is trained in.
pub const FORMATS: [&str; 4] = [
    "qwen2.5-coder",
    "starcoder2",
    "codellama-spm",
    "truefill-spm",
];

/// A byte-level tokenizer whose text ends with its first control token.
pub fn with_controls(control: &[&str]) -> Tokenizer {
    let vocabulary = GgufVocabulary {
        eos: Some(0),
        add_bos: Some(false),
        ..byte_level("smollm", control, usize::MAX)
    };
    Tokenizer::from_gguf(vocabulary).unwrap()
}

pub fn tokenizer(format: &str) -> Tokenizer {
    match format {
        "qwen2.5-coder" => with_controls(QWEN),
        "starcoder2" => with_controls(STARCODER),
        "codellama-spm" => {
            let vocabulary = GgufVocabulary {
                add_bos: Some(true),
                ..sentencepiece(CODELLAMA)
            };
            Tokenizer::from_gguf(vocabulary).unwrap()
        }
        _ => smollm(),
    }
}

pub fn bound(format: &str) -> BoundFormat {
    let known = FimFormat::builtin(format).unwrap();
    known.bind(&tokenizer(format)).unwrap()
}

pub fn settings(needs: Needs) -> Settings {
    Settings {
        context_tokens: 64,
        max_tokens: 96,
        suffix_share: 0.35,
        resplit: 0.0,
        holes: Holes::default(),
        seed: 5,
        objective: "fgit",
        needs,
        marking: Marking::default(),
    }
}

/// What all objectives together need.
pub fn everything() -> Needs {
    Needs {
        prompt: true,
        rejected: true,
        reference: false,
        mask: true,
    }
}

pub fn renderer(format: &str, layouts: &[(Layout, f64)], settings: Settings) -> Renderer {
    Renderer::new(&bound(format), layouts, None, settings).unwrap()
}

/// A renderer for SFT.
pub fn plain(format: &str) -> Renderer {
    renderer(
        format,
        &[],
        settings(Objective::Sft(Sft::default()).needs()),
    )
}

pub fn place(id: &str) -> Place {
    Place {
        file: Arc::new(PathBuf::from("data/pairs.jsonl")),
        line: 7,
        id: id.to_owned(),
    }
}

pub fn row(id: &str, [prefix, chosen, suffix]: [&str; 3], rejected: Option<&str>) -> TrainRow {
    TrainRow {
        place: place(id),
        repo: Some("github.com/owner/name".into()),
        licences: Vec::new(),
        question: Question::Fim {
            path: "src/total.py".into(),
            prefix: prefix.to_owned(),
            suffix: suffix.to_owned(),
        },
        chosen: chosen.to_owned(),
        rejected: rejected.map(str::to_owned),
    }
}

pub fn example(renderer: &Renderer, row: &TrainRow, epoch: u64) -> Example {
    match renderer.render(row, epoch).unwrap() {
        Rendered::Whole(example) => *example,
        Rendered::Skipped(skip) => panic!("skipped: {skip:?}"),
    }
}
