//! What each format renders, which one a tokenizer gets, and what is refused.
#![allow(clippy::unwrap_used)]

mod fim_support;

use std::fmt::Write;

use fim_support::{CODELLAMA, QWEN, SMOLLM_CONTROL, STARCODER2, byte_level, sentencepiece, smollm};
use truefill_model::fim::{BoundFormat, Budget, ContextChunk, FimFormat, Layout, PromptParts};
use truefill_model::tokenizer::{GgufVocabulary, Tokenizer};

const CODEGEMMA: &[&str] = &[
    "<eos>",
    "<bos>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|file_separator|>",
];
const GRANITE_4: &[&str] = &[
    "<|end_of_text|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|filename|>",
    "<|reponame|>",
];
const GRANITE_CODE: &[&str] = &[
    "<|endoftext|>",
    "<fim_prefix>",
    "<fim_middle>",
    "<fim_suffix>",
    "<fim_pad>",
    "<filename>",
    "<reponame>",
];
const DEEPSEEK: &[&str] = &[
    "<｜begin▁of▁sentence｜>",
    "<｜end▁of▁sentence｜>",
    "<｜fim▁begin｜>",
    "<｜fim▁hole｜>",
    "<｜fim▁end｜>",
    "<|EOT|>",
];
const CODESTRAL: &[&str] = &[
    "<unk>", "<s>", "</s>", "[INST]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]",
];
const SEED_CODER: &[&str] = &[
    "<[begin▁of▁sentence]>",
    "<[end▁of▁sentence]>",
    "<[fim-suffix]>",
    "<[fim-prefix]>",
    "<[fim-middle]>",
];

fn with_bos(vocabulary: GgufVocabulary, bos: u32) -> GgufVocabulary {
    GgufVocabulary {
        bos: Some(bos),
        add_bos: Some(true),
        ..vocabulary
    }
}

/// A tokenizer with the control tokens of each family.
fn tokenizer(format: &str) -> Tokenizer {
    let plain = |pre: &str, control: &[&str]| byte_level(pre, control, 400);
    let vocabulary = match format {
        "qwen2.5-coder" => plain("qwen2", QWEN),
        "codegemma" => with_bos(plain("default", CODEGEMMA), 1),
        "granite-4" => plain("dbrx", GRANITE_4),
        "starcoder2" => plain("starcoder", STARCODER2),
        "granite-code" => plain("refact", GRANITE_CODE),
        "deepseek-coder" => plain("deepseek-coder", DEEPSEEK),
        "codellama-spm" | "codellama-psm" => sentencepiece(CODELLAMA),
        "codestral" => plain("tekken", CODESTRAL),
        "seed-coder" => with_bos(plain("seed-coder", SEED_CODER), 0),
        _ => return smollm(),
    };
    Tokenizer::from_gguf(vocabulary).unwrap()
}

const BUDGET: Budget = Budget {
    total: 512,
    suffix_share: 0.3,
    chunk_share: 0.3,
};

fn parts(chunks: &[ContextChunk]) -> PromptParts<'_> {
    PromptParts {
        prefix: "import os\n\n\ndef area(w, h):\n    return w",
        suffix: " * h\n\n\nprint(area(2, 3))\n",
        path: Some("src/area.py"),
        repo: Some("shapes"),
        chunks,
    }
}

fn chunks() -> Vec<ContextChunk> {
    let chunk = |path: &str, text: &str| ContextChunk {
        path: path.into(),
        text: text.into(),
    };
    vec![
        chunk("src/util.py", "def half(x):\n    return x / 2\n"),
        chunk("src/names.py", "NAMES = []"),
    ]
}

fn describe(bound: &BoundFormat) -> String {
    let mut out = String::new();
    let chunks = chunks();
    for (title, chunks) in [("alone", &[][..]), ("with chunks", &chunks[..])] {
        let prompt = bound.render(&parts(chunks), &BUDGET).unwrap();
        let shown = bound.show(&prompt);
        writeln!(
            out,
            "--- {}, {title}: {} chunks",
            bound.layout(),
            prompt.chunks
        )
        .unwrap();
        writeln!(out, "{shown}⏹").unwrap();
        assert_eq!(prompt.prefix_window, 0..parts(chunks).prefix.len());
        let suffix = if bound.layout() == Layout::Causal {
            0
        } else {
            parts(chunks).suffix.len()
        };
        assert_eq!(prompt.suffix_window, 0..suffix);
    }
    out
}

#[test]
fn every_format_renders_its_own_prompt() {
    for format in FimFormat::all() {
        let bound = format.bind(&tokenizer(format.name())).unwrap();
        let mut out = format!("{} version {}\n", bound.name(), bound.version());
        let end = bound.end_token().unwrap();
        writeln!(out, "end: {}", bound.tokenizer().decode(&[end])).unwrap();
        assert!(bound.stop_tokens().contains(&end));
        let stops: Vec<String> = bound
            .stop_tokens()
            .iter()
            .map(|id| bound.tokenizer().decode(&[*id]))
            .collect();
        writeln!(out, "stop: {}", stops.join(" ")).unwrap();
        writeln!(
            out,
            "banned before text: {}",
            bound.banned_before_text().len()
        )
        .unwrap();
        out.push_str(&describe(&bound));
        for layout in format.layouts().filter(|layout| *layout != format.layout()) {
            out.push_str(&describe(&bound.clone().with_layout(layout).unwrap()));
        }
        insta::assert_snapshot!(format.name(), out);
    }
}

#[test]
fn every_tokenizer_gets_its_format() {
    for format in FimFormat::all() {
        let expected = match format.name() {
            "codellama-psm" => "codellama-spm",
            // Only a checkpoint says that it was trained for these.
            "truefill-spm" | "truefill-psm-line" => "causal",
            name => name,
        };
        assert_eq!(
            FimFormat::detect(&tokenizer(format.name())).name(),
            expected
        );
        assert_eq!(
            FimFormat::builtin(format.name()).unwrap().name(),
            format.name()
        );
    }
    assert!(FimFormat::builtin("qwen").is_none());
}

#[test]
fn own_format_uses_the_spare_tokens_of_the_default_model() {
    for name in ["truefill-spm", "truefill-psm-line"] {
        let format = FimFormat::builtin(name).unwrap();
        let bound = format.bind(&smollm()).unwrap();
        for token in format.sentinels() {
            let id = bound.tokenizer().id(token).unwrap().0;
            assert!((3..=16).contains(&id), "{token} is {id}");
        }
        assert_eq!(bound.end_token().unwrap().0, 0);
        assert!(bound.banned_before_text().is_empty());
        assert_eq!(bound.stop_tokens().len(), SMOLLM_CONTROL.len());
    }
}

#[test]
fn causal_keeps_end_tokens_away_until_there_is_text() {
    let bound = FimFormat::builtin("causal")
        .unwrap()
        .bind(&smollm())
        .unwrap();
    assert_eq!(bound.banned_before_text(), bound.stop_tokens());
    assert_eq!(bound.end_token().unwrap().0, 0);
    let empty = bound.render(&PromptParts::default(), &BUDGET).unwrap();
    assert_eq!(
        bound.show(&empty),
        "<|im_start|>",
        "a model needs something to continue"
    );
}

#[test]
fn codellama_encodes_the_suffix_as_its_training_did() {
    let bound = FimFormat::builtin("codellama-psm")
        .unwrap()
        .bind(&tokenizer("codellama-psm"))
        .unwrap();
    let bound = bound.with_layout(Layout::Psm).unwrap();
    let parts = PromptParts {
        prefix: "return",
        suffix: "value",
        ..PromptParts::default()
    };
    let prompt = bound.render(&parts, &BUDGET).unwrap();
    let tokenizer = bound.tokenizer();
    let pieces = |text: &str| tokenizer.encode(text).unwrap();
    let mut expected = vec![tokenizer.bos().unwrap(), tokenizer.id("▁<PRE>").unwrap()];
    // A text that stands alone begins with a space.
    expected.extend(pieces(" return"));
    expected.push(tokenizer.id("▁<SUF>").unwrap());
    // `enc("☺" + suffix)` without its first pieces: the suffix does not.
    let smile = pieces(" ☺").len();
    expected.extend_from_slice(&pieces(" ☺value")[smile..]);
    expected.push(tokenizer.id("▁<MID>").unwrap());
    assert_eq!(prompt.tokens, expected);
}

/// `enc("")` is empty in the reference, and so is what stands for it here.
#[test]
fn no_space_stands_for_an_empty_prefix() {
    for name in ["codellama-spm", "codellama-psm"] {
        let bound = FimFormat::builtin(name).unwrap();
        let bound = bound.bind(&tokenizer(name)).unwrap();
        for layout in [Layout::Psm, Layout::PsmLine, Layout::Spm] {
            let bound = bound.clone().with_layout(layout).unwrap();
            let parts = PromptParts {
                suffix: "value",
                ..PromptParts::default()
            };
            let prompt = bound.render(&parts, &BUDGET).unwrap();
            let expected = "<s>▁<PRE>▁<SUF>value▁<MID>";
            assert_eq!(bound.show(&prompt), expected, "{name} {layout}");
        }
    }
}

/// As the publisher's library does: `[SUFFIX]` and the suffix without SentencePiece's space,
/// `[PREFIX]` and the prefix with it.
#[test]
fn codestral_leads_the_prefix_with_its_tokenizers_space() {
    let format = FimFormat::builtin("codestral").unwrap();
    let pieces = sentencepiece(&["[PREFIX]", "[MIDDLE]", "[SUFFIX]"]);
    let pieces = Tokenizer::from_gguf(pieces).unwrap();
    assert!(pieces.lead_space());
    let bytes = tokenizer("codestral");
    for (tokenizer, prefix, expected) in [
        (&pieces, "return", "<s>[SUFFIX]value[PREFIX] return"),
        (&pieces, "", "<s>[SUFFIX]value[PREFIX]"),
        (&bytes, "return", "<s>[SUFFIX]value[PREFIX]return"),
    ] {
        let bound = format.bind(tokenizer).unwrap();
        let parts = PromptParts {
            prefix,
            suffix: "value",
            ..PromptParts::default()
        };
        let prompt = bound.render(&parts, &BUDGET).unwrap();
        assert_eq!(bound.show(&prompt), expected);
    }
}

/// The example of the paper: the path is the beginning of the file, behind `<fim_prefix>`.
#[test]
fn starcoder2_has_the_path_in_the_prefix() {
    let bound = FimFormat::builtin("starcoder2").unwrap();
    let bound = bound.bind(&tokenizer("starcoder2")).unwrap();
    let other = [ContextChunk {
        path: "filepath0".into(),
        text: "code0".into(),
    }];
    let parts = PromptParts {
        prefix: "code1_pre",
        suffix: "code1_suf",
        path: Some("filepath1"),
        repo: Some("reponame"),
        chunks: &other,
    };
    let context = "<repo_name>reponame<file_sep>filepath0\ncode0<file_sep>";
    for (layout, file) in [
        (
            Layout::Psm,
            "<fim_prefix>filepath1\ncode1_pre<fim_suffix>code1_suf<fim_middle>",
        ),
        (
            Layout::Spm,
            "<fim_prefix><fim_suffix>code1_suf<fim_middle>filepath1\ncode1_pre",
        ),
    ] {
        let bound = bound.clone().with_layout(layout).unwrap();
        let prompt = bound.render(&parts, &BUDGET).unwrap();
        assert_eq!(bound.show(&prompt), format!("{context}{file}"), "{layout}");
    }
}

#[test]
fn chunks_and_headers_stay_within_their_share() {
    let bound = FimFormat::builtin("qwen2.5-coder")
        .unwrap()
        .bind(&tokenizer("qwen2.5-coder"))
        .unwrap();
    let long: String = (0..100).map(|nth| format!("line {nth}\n")).collect();
    let chunks = [
        ContextChunk {
            path: "a.py".into(),
            text: long,
        },
        chunks()[0].clone(),
    ];
    let budget = Budget {
        total: 400,
        suffix_share: 0.25,
        chunk_share: 0.25,
    };
    let prompt = bound.render(&parts(&chunks), &budget).unwrap();
    let shown = bound.show(&prompt);
    assert_eq!(prompt.chunks, 1, "the second finds no room");
    assert!(
        shown.starts_with("<|repo_name|>shapes\n<|file_sep|>a.py\nline 0\nline 1\n"),
        "{shown}"
    );
    let (chunk, _) = shown
        .split_once("<|file_sep|>src/area.py\n<|fim_prefix|>")
        .unwrap();
    assert!(chunk.ends_with('\n'), "cut at a line's end");
    let tokens = bound.tokenizer().encode(chunk).unwrap().len();
    assert!((60..=130).contains(&tokens), "{tokens}");

    let none = Budget {
        chunk_share: 0.0,
        ..budget
    };
    let prompt = bound.render(&parts(&chunks), &none).unwrap();
    assert!(prompt.chunks == 0 && bound.show(&prompt).starts_with("<|fim_prefix|>import os"));

    let path = "d/".repeat(5000);
    let parts = PromptParts {
        path: Some(&path),
        ..parts(&[])
    };
    let bound = FimFormat::builtin("truefill-spm")
        .unwrap()
        .bind(&smollm())
        .unwrap();
    let prompt = bound.render(&parts, &budget).unwrap();
    assert!(
        bound.show(&prompt).starts_with("<jupyter_output>"),
        "a giant path is left out"
    );
}

#[test]
fn what_cannot_be_is_refused_with_a_reason() {
    let qwen = FimFormat::builtin("qwen2.5-coder").unwrap();
    let error = qwen.bind(&smollm()).unwrap_err().to_string();
    assert!(
        error.contains("`qwen2.5-coder`") && error.contains("`<|fim_prefix|>`"),
        "{error}"
    );
    let bound = qwen.bind(&tokenizer("qwen2.5-coder")).unwrap();
    let error = bound
        .clone()
        .with_layout(Layout::Spm)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`spm`") && error.contains("psm, psm-line"),
        "{error}"
    );
    let small = Budget { total: 2, ..BUDGET };
    let error = bound.render(&parts(&[]), &small).unwrap_err().to_string();
    assert!(error.contains("2 tokens") && error.contains('3'), "{error}");
    let least = bound
        .render(&parts(&[]), &Budget { total: 3, ..BUDGET })
        .unwrap();
    assert_eq!(
        bound.show(&least),
        "<|fim_prefix|><|fim_suffix|><|fim_middle|>"
    );
}

#[test]
fn training_examples_are_the_served_prompt_and_its_middle() {
    for format in FimFormat::all() {
        let bound = format.bind(&tokenizer(format.name())).unwrap();
        for layout in format.layouts() {
            let bound = bound.clone().with_layout(layout).unwrap();
            let chunks = chunks();
            let prompt = bound.render(&parts(&chunks), &BUDGET).unwrap();
            let example = bound
                .render_training(&parts(&chunks), " + 2", &BUDGET)
                .unwrap();
            assert_eq!(
                example.supervised,
                prompt.tokens.len()..example.tokens.len()
            );
            assert_eq!(example.tokens[..prompt.tokens.len()], prompt.tokens);
            let (end, middle) = example.tokens[example.supervised.clone()]
                .split_last()
                .unwrap();
            assert_eq!(bound.tokenizer().decode(middle), " + 2");
            assert_eq!(Some(*end), bound.end_token());
            assert_eq!(example.prefix_window, prompt.prefix_window);
            assert_eq!(example.suffix_window, prompt.suffix_window);
            let empty = bound.render_training(&parts(&chunks), "", &BUDGET).unwrap();
            assert_eq!(empty.tokens[empty.supervised].to_vec(), [*end]);
        }
    }
}

#[test]
fn a_document_of_megabytes_is_not_read_whole() {
    let bound = FimFormat::builtin("truefill-spm")
        .unwrap()
        .bind(&smollm())
        .unwrap();
    let text = "let value = compute(other);\n".repeat(1 << 20);
    let parts = PromptParts {
        prefix: &text,
        suffix: &text,
        ..PromptParts::default()
    };
    let begin = std::time::Instant::now();
    let prompt = bound.render(&parts, &BUDGET).unwrap();
    // To encode 58 MB takes more than ten seconds.
    assert!(begin.elapsed().as_secs() < 2);
    assert!(prompt.tokens.len() > 400 && prompt.tokens.len() <= 512);
}
