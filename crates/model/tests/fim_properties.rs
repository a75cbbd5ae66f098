//! What holds for every text, budget and layout.
#![allow(clippy::unwrap_used)]

mod fim_support;

use fim_support::{CODE, CODELLAMA, byte_level, hostile, sentencepiece, smollm};
use proptest::prelude::*;
use truefill_model::fim::{
    BoundFormat, Budget, ContextChunk, FimFormat, Layout, Prompt, PromptParts,
};
use truefill_model::tokenizer::Tokenizer;
use truefill_model::tokens::TokenId;

/// Sentinels of all byte-level families at once, so that any format binds to one vocabulary.
const CONTROL: &[&str] = &[
    "<|endoftext|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|repo_name|>",
    "<|file_sep|>",
    "<|file_separator|>",
    "<fim_prefix>",
    "<fim_middle>",
    "<fim_suffix>",
    "<repo_name>",
    "<file_sep>",
    "<filename>",
    "<jupyter_code>",
    "<jupyter_output>",
    "<jupyter_script>",
    "<｜begin▁of▁sentence｜>",
    "<bos>",
    "<[begin▁of▁sentence]>",
    "<｜fim▁begin｜>",
    "<｜fim▁hole｜>",
    "<｜fim▁end｜>",
    "<s>",
    "</s>",
    "[SUFFIX]",
    "[PREFIX]",
    "<[fim-suffix]>",
    "<[fim-prefix]>",
    "<[fim-middle]>",
];

/// Every layout of every format.
fn every_layout() -> Vec<BoundFormat> {
    let bytes = Tokenizer::from_gguf(byte_level("smollm", CONTROL, 2000)).unwrap();
    let pieces = sentencepiece(CODELLAMA);
    let pieces = Tokenizer::from_gguf(pieces).unwrap();
    let bind = |format: &'static FimFormat| {
        let tokenizer = if format.name().starts_with("codellama") {
            &pieces
        } else {
            &bytes
        };
        let bound = format.bind(tokenizer).unwrap();
        format
            .layouts()
            .map(move |layout| bound.clone().with_layout(layout).unwrap())
    };
    FimFormat::all().iter().flat_map(bind).collect()
}

thread_local! {
    static LAYOUTS: Vec<BoundFormat> = every_layout();
}

fn specials(bound: &BoundFormat, prompt: &Prompt) -> Vec<TokenId> {
    let special = |id: &TokenId| bound.tokenizer().is_special(*id);
    prompt.tokens.iter().copied().filter(special).collect()
}

fn check(
    bound: &BoundFormat,
    parts: &PromptParts<'_>,
    budget: &Budget,
) -> Result<(), TestCaseError> {
    let name = format!("{} {}", bound.name(), bound.layout());
    let Ok(prompt) = bound.render(parts, budget) else {
        prop_assert!(
            budget.total < 8,
            "{name} refuses a budget of {}",
            budget.total
        );
        return Ok(());
    };
    prop_assert!(!prompt.tokens.is_empty(), "{}", name);
    prop_assert!(
        prompt.tokens.len() <= budget.total,
        "{}: {} tokens",
        name,
        prompt.tokens.len()
    );

    let (prefix, suffix) = (&prompt.prefix_window, &prompt.suffix_window);
    prop_assert!(
        prefix.end == parts.prefix.len() && suffix.start == 0,
        "{}",
        name
    );
    let shown = bound.show(&prompt);
    let (before, after) = (
        parts.prefix.get(prefix.clone()),
        parts.suffix.get(suffix.clone()),
    );
    prop_assert!(
        before.is_some() && after.is_some(),
        "{}: windows split a character",
        name
    );
    prop_assert!(shown.contains(after.unwrap_or_default()), "{}", name);
    if bound.layout() != Layout::PsmLine {
        prop_assert!(shown.contains(before.unwrap_or_default()), "{}", name);
    }

    let plain: Vec<ContextChunk> = parts.chunks[..prompt.chunks]
        .iter()
        .map(|_| ContextChunk {
            path: "p".into(),
            text: "t".into(),
        })
        .collect();
    let plain = PromptParts {
        prefix: "a",
        suffix: "b",
        path: parts.path,
        repo: parts.repo.map(|_| "r"),
        chunks: &plain,
    };
    let wide = Budget {
        total: 4000,
        suffix_share: 0.3,
        chunk_share: if prompt.chunks > 0 { 0.3 } else { 0.0 },
    };
    let expected = bound.render(&plain, &wide).unwrap();
    if !parts.prefix.is_empty() && budget.total > 200 {
        // The repository's header, which is first, may find no room.
        let (found, whole) = (specials(bound, &prompt), specials(bound, &expected));
        prop_assert!(
            whole.ends_with(&found) && found.len() + 1 >= whole.len(),
            "{name}: {shown}"
        );
    }
    prop_assert_eq!(
        &bound.render(parts, budget).unwrap(),
        &prompt,
        "{} is not a function",
        name
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_request_fits_and_keeps_its_sentinels(
        prefix in hostile(),
        suffix in hostile(),
        chunk in hostile(),
        repeat in 1usize..30,
        total in prop_oneof![1usize..64, 200usize..700],
        suffix_share in prop_oneof![0f32..1.2, Just(f32::NAN), Just(-1.0)],
        chunk_share in prop_oneof![Just(0f32), 0f32..1.2],
    ) {
        let prefix = prefix.repeat(repeat);
        let chunks = [ContextChunk { path: "src/x.rs".into(), text: chunk.clone() }, ContextChunk { path: chunk, text: "last".into() }];
        let parts = PromptParts { prefix: &prefix, suffix: &suffix, path: Some("a.py"), repo: Some("<file_sep>"), chunks: &chunks };
        let budget = Budget { total, suffix_share, chunk_share };
        LAYOUTS.with(|layouts| layouts.iter().try_for_each(|bound| check(bound, &parts, &budget)))?;
    }
}

/// How one keystroke's prompt relates to the one before it.
struct Typing {
    renders: usize,
    shared: f64,
    moves: usize,
    /// Tokens of the prompt before that are gone, where the window stayed.
    most_lost: usize,
}

fn type_into(bound: &BoundFormat, text: &str, budget: &Budget, characters: usize) -> Typing {
    let begin = text.floor_char_boundary(text.len() / 3);
    let end = text.floor_char_boundary(begin + characters);
    let suffix = &text[end..];
    let mut typing = Typing {
        renders: 0,
        shared: 0.0,
        moves: 0,
        most_lost: 0,
    };
    let mut before: Option<Prompt> = None;
    for (at, _) in text[begin..end].char_indices() {
        let parts = PromptParts {
            prefix: &text[..begin + at],
            suffix,
            path: Some("src/a.rs"),
            ..PromptParts::default()
        };
        let prompt = bound.render(&parts, budget).unwrap();
        if let Some(before) = before {
            let pairs = before.tokens.iter().zip(&prompt.tokens);
            let shared = pairs.take_while(|(a, b)| a == b).count();
            typing.renders += 1;
            typing.shared += shared as f64 / prompt.tokens.len() as f64;
            if before.prefix_window.start != prompt.prefix_window.start {
                typing.moves += 1;
            } else if bound.layout() != Layout::PsmLine {
                typing.most_lost = typing.most_lost.max(before.tokens.len() - shared);
            }
        }
        before = Some(prompt);
    }
    typing
}

#[test]
fn typing_keeps_all_but_the_last_tokens() {
    let tokenizer = smollm();
    let budget = Budget {
        total: 1024,
        suffix_share: 0.25,
        chunk_share: 0.0,
    };
    for name in ["truefill-spm", "truefill-psm-line", "causal"] {
        let bound = FimFormat::builtin(name).unwrap().bind(&tokenizer).unwrap();
        for text in CODE {
            let characters = (text.len() / 3).min(2000);
            let typing = type_into(&bound, text, &budget, characters);
            let mean = typing.shared / typing.renders as f64;
            assert!(mean > 0.985, "{name}: mean share of {mean}");
            // The window's grid has about 540 bytes here; dense text moves it a little more often.
            let limit = 2 + characters / 300;
            assert!(typing.moves <= limit, "{name}: {} moves", typing.moves);
            // One sentinel and the last words: a run of spaces or signs, a long identifier.
            assert!(
                typing.most_lost <= 16,
                "{name}: {} tokens lost",
                typing.most_lost
            );
        }
    }
}

#[test]
fn enter_within_the_anchor_block_only_appends() {
    let bound = FimFormat::builtin("truefill-psm-line")
        .unwrap()
        .bind(&smollm())
        .unwrap();
    let budget = Budget {
        total: 512,
        suffix_share: 0.25,
        chunk_share: 0.0,
    };
    let prefix = "fn main() {\n    let a = 1;\n    let b = 2;\n";
    let render = |length: usize| {
        let parts = PromptParts {
            prefix: &prefix[..length],
            suffix: "}\n",
            ..PromptParts::default()
        };
        bound.render(&parts, &budget).unwrap().tokens
    };
    let whole = render(prefix.len());
    for length in 0..prefix.len() {
        let tokens = render(length);
        let shared = tokens
            .iter()
            .zip(&whole)
            .take_while(|(a, b)| a == b)
            .count();
        assert!(
            tokens.len() - shared <= 3,
            "at {length}: {} of {}",
            shared,
            tokens.len()
        );
    }
}
