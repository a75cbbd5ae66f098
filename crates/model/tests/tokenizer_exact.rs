//! Text in, the same text out, whatever the text is; and the ids of independent implementations.
#![allow(clippy::unwrap_used)]

mod fim_support;

use std::collections::HashSet;

use fim_support::{CODELLAMA, SMOLLM_CONTROL, byte_level, hostile, sentencepiece, smollm};
use proptest::prelude::*;
use truefill_model::tokenizer::{GgufVocabulary, Tokenizer, Utf8Stream};
use truefill_model::tokens::TokenId;

const QWEN2: &str = include_str!("data/parity/gguf/tokenizer-qwen2.json");
const SMOLLM: &str = include_str!("data/parity/gguf/tokenizer-smollm.json");
const STARCODER: &str = include_str!("data/parity/gguf/tokenizer-starcoder.json");
const QWEN2_IDS: &str = include_str!("data/parity/gguf/tokenizer-qwen2.ids.json");
const SMOLLM_IDS: &str = include_str!("data/parity/gguf/tokenizer-smollm.ids.json");
const STARCODER_IDS: &str = include_str!("data/parity/gguf/tokenizer-starcoder.ids.json");

fn ids(tokens: &[TokenId]) -> Vec<u32> {
    tokens.iter().map(|token| token.0).collect()
}

fn json(source: &str) -> Tokenizer {
    Tokenizer::from_json(source.as_bytes()).unwrap()
}

/// Every kind of vocabulary.
fn all() -> Vec<(&'static str, Tokenizer)> {
    let gguf = |vocabulary| Tokenizer::from_gguf(vocabulary).unwrap();
    let mut all = vec![
        ("qwen2 json", json(QWEN2)),
        ("smollm json", json(SMOLLM)),
        ("sentencepiece", gguf(sentencepiece(CODELLAMA))),
    ];
    for pre in [
        "default",
        "llama-bpe",
        "deepseek-coder",
        "deepseek-llm",
        "tekken",
        "seed-coder",
        "gpt-4o",
        "falcon",
    ] {
        let control = ["<|endoftext|>", "<｜fim▁hole｜>", "[SUFFIX]"];
        all.push((pre, gguf(byte_level(pre, &control, 3000))));
    }
    all.push(("smollm", smollm()));
    all
}

#[derive(serde::Deserialize)]
struct Probe {
    text: String,
    ids: Vec<u32>,
}

#[test]
fn ids_equal_the_reference_implementation() {
    for (source, probes) in [
        (QWEN2, QWEN2_IDS),
        (SMOLLM, SMOLLM_IDS),
        (STARCODER, STARCODER_IDS),
    ] {
        let tokenizer = json(source);
        let probes: Vec<Probe> = serde_json::from_str(probes).unwrap();
        for Probe {
            text,
            ids: expected,
        } in probes
        {
            assert_eq!(ids(&tokenizer.encode(&text).unwrap()), expected, "{text:?}");
        }
    }
}

#[test]
fn ids_equal_sentencepiece() {
    #[derive(serde::Deserialize)]
    struct File {
        probes: Vec<Probe>,
    }
    let file: File = serde_json::from_str(fim_support::SENTENCEPIECE).unwrap();
    let tokenizer = Tokenizer::from_gguf(sentencepiece(&[])).unwrap();
    for Probe {
        text,
        ids: expected,
    } in file.probes
    {
        assert_eq!(ids(&tokenizer.encode(&text).unwrap()), expected, "{text:?}");
    }
}

/// What the library's own pipeline gives, with control tokens taken as text.
fn library(source: &str, text: &str) -> Vec<u32> {
    let mut tokenizer = tokenizers::Tokenizer::from_bytes(source.as_bytes()).unwrap();
    tokenizer.set_encode_special_tokens(true);
    tokenizer.encode(text, false).unwrap().get_ids().to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn ids_equal_the_library_pipeline(text in hostile()) {
        for source in [QWEN2, SMOLLM] {
            prop_assert_eq!(ids(&json(source).encode(&text).unwrap()), library(source, &text));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    #[test]
    fn text_comes_back_exactly_and_never_as_control_tokens(text in hostile()) {
        thread_local! {
            static ALL: Vec<(&'static str, Tokenizer)> = all();
        }
        ALL.with(|all| {
            for (name, tokenizer) in all {
                let ids = tokenizer.encode(&text).unwrap();
                prop_assert_eq!(&tokenizer.decode(&ids), &text, "{}", name);
                prop_assert!(!ids.iter().any(|id| tokenizer.is_special(*id)), "{}: {:?}", name, ids);
                let mut stream = Utf8Stream::default();
                let mut streamed = String::new();
                for id in &ids {
                    streamed.push_str(stream.push(tokenizer.token_bytes(*id).unwrap()));
                }
                prop_assert_eq!(streamed, text.as_str(), "{}", name);
                prop_assert_eq!(stream.finish(), "");
            }
            Ok(())
        })?;
    }
}

#[test]
fn a_gguf_vocabulary_and_a_json_file_define_the_same() {
    let file: serde_json::Value = serde_json::from_str(SMOLLM).unwrap();
    let vocab = file["model"]["vocab"].as_object().unwrap();
    let mut tokens = vec![String::new(); vocab.len()];
    for (token, id) in vocab {
        tokens[id.as_u64().unwrap() as usize] = token.clone();
    }
    let control = [
        "<|endoftext|>",
        "<|im_start|>",
        "<|im_end|>",
        "<repo_name>",
        "<file_sep>",
    ];
    let merges = file["model"]["merges"].as_array().unwrap();
    let merge = |merge: &serde_json::Value| match merge.as_array() {
        Some(pair) => format!(
            "{} {}",
            pair[0].as_str().unwrap(),
            pair[1].as_str().unwrap()
        ),
        None => merge.as_str().unwrap().to_owned(),
    };
    let vocabulary = GgufVocabulary {
        model: "gpt2".into(),
        pre: Some("smollm".into()),
        token_types: tokens
            .iter()
            .map(|token| {
                if control.contains(&token.as_str()) {
                    3
                } else {
                    1
                }
            })
            .collect(),
        tokens,
        merges: merges.iter().map(merge).collect(),
        ..GgufVocabulary::default()
    };
    let (gguf, json) = (
        Tokenizer::from_gguf(vocabulary.clone()).unwrap(),
        json(SMOLLM),
    );
    assert_eq!(gguf.sha256(), json.sha256());
    assert_eq!(gguf.sha256().len(), 64);
    let other = GgufVocabulary {
        pre: Some("gpt-2".into()),
        ..vocabulary
    };
    assert_ne!(Tokenizer::from_gguf(other).unwrap().sha256(), json.sha256());
}

#[test]
fn control_tokens_are_found_by_name_only() {
    let tokenizer = smollm();
    for (id, token) in SMOLLM_CONTROL.iter().enumerate() {
        let id = TokenId(id as u32);
        assert_eq!(tokenizer.id(token), Some(id));
        assert!(tokenizer.is_special(id));
        assert_eq!(tokenizer.token_bytes(id), Some(token.as_bytes()));
        assert!(!tokenizer.encode(token).unwrap().contains(&id));
    }
    assert_eq!(tokenizer.specials().count(), SMOLLM_CONTROL.len());
    assert_eq!(tokenizer.bos(), Some(TokenId(1)));
    assert_eq!(tokenizer.eos(), Some(TokenId(2)));
    assert!(!tokenizer.add_bos() && !tokenizer.lead_space());
    assert_eq!(tokenizer.id("no such token"), None);
    assert_eq!(tokenizer.token_bytes(TokenId(u32::MAX)), None);
    assert!(!tokenizer.is_special(TokenId(u32::MAX)));
    let other = tokenizer.clone().with_ends(None, Some(TokenId(0)));
    assert_eq!(
        (other.bos(), other.eos()),
        (Some(TokenId(1)), Some(TokenId(0)))
    );
}

#[test]
fn what_the_vocabulary_cannot_write_is_named_and_can_be_left_out() {
    let mut vocabulary = byte_level("smollm", SMOLLM_CONTROL, 1000);
    let gone: HashSet<String> = [0x04, 0xF1, 0xF2]
        .map(|byte| fim_support::printable(byte).to_string())
        .into();
    for (token, kind) in vocabulary
        .tokens
        .iter_mut()
        .zip(&mut vocabulary.token_types)
    {
        if gone.contains(token) {
            *token = format!("<unused_{token}>");
            *kind = 5;
        }
    }
    let tokenizer = Tokenizer::from_gguf(vocabulary).unwrap();
    let text = "let é = 1;\u{4} // 😀 \u{50000}";
    let error = tokenizer.encode(text).unwrap_err().to_string();
    assert!(
        error.contains("U+0004") && error.contains("byte 11"),
        "{error}"
    );
    assert_eq!(tokenizer.spellable(text), "let é = 1; // 😀 ");
    let ids = tokenizer.encode_lossy(text).unwrap();
    assert_eq!(tokenizer.decode(&ids), "let é = 1; // 😀 ");
    assert_eq!(tokenizer.spellable("plain"), "plain");
}

#[test]
fn literals_of_the_vocabulary_are_cut_out_of_text() {
    let mut vocabulary = sentencepiece(&[]);
    for (token, kind) in [("\n\n", 4), ("<table>", 4), ("<|odd|>", 4)] {
        vocabulary.tokens.push(token.into());
        vocabulary.scores.push(-1000.0);
        vocabulary.token_types.push(kind);
    }
    let tokenizer = Tokenizer::from_gguf(vocabulary).unwrap();
    let [lines, table, odd] =
        ["\n\n", "<table>", "<|odd|>"].map(|token| tokenizer.id(token).unwrap());
    let ids = tokenizer.encode("a\n\n\n<table> <|odd|>").unwrap();
    assert!(ids.contains(&lines) && ids.contains(&table));
    assert!(!ids.contains(&odd), "what looks like a sentinel is no text");
    assert!(tokenizer.is_special(odd) && !tokenizer.is_special(table));
    assert_eq!(tokenizer.decode(&ids), "a\n\n\n<table> <|odd|>");
}
