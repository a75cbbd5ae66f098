//! Vocabularies for tests: small ones with any sentinels, made from merges of a real one.
#![allow(dead_code, clippy::unwrap_used)]

use truefill_model::tokenizer::{GgufVocabulary, Tokenizer};

/// The first merges of SmolLM2's vocabulary, in their order.
const MERGES: &str = include_str!("../data/tokenizer/smollm-merges.txt");
/// A SentencePiece vocabulary with the ids that its own library gives to some texts.
pub const SENTENCEPIECE: &str = include_str!("../data/tokenizer/sentencepiece.json");

/// StarCoder2's first control tokens, by id; the first seven are those that FIM needs.
pub const STARCODER2: &[&str] = &[
    "<|endoftext|>",
    "<fim_prefix>",
    "<fim_middle>",
    "<fim_suffix>",
    "<fim_pad>",
    "<repo_name>",
    "<file_sep>",
    "<issue_start>",
];

/// SmolLM2's control tokens, by id.
pub const SMOLLM_CONTROL: &[&str] = &[
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<repo_name>",
    "<reponame>",
    "<file_sep>",
    "<filename>",
    "<gh_stars>",
    "<issue_start>",
    "<issue_comment>",
    "<issue_closed>",
    "<jupyter_start>",
    "<jupyter_text>",
    "<jupyter_code>",
    "<jupyter_output>",
    "<jupyter_script>",
    "<empty_output>",
];

/// Qwen2.5-Coder's control tokens, without those of chats with tools.
pub const QWEN: &[&str] = &[
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
];

/// CodeLlama's sentinels, which follow its SentencePiece vocabulary.
pub const CODELLAMA: &[&str] = &["▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>"];

/// The printable alphabet of byte-level vocabularies.
pub fn printable(byte: u8) -> char {
    let plain = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..);
    if plain(byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|byte| !plain(*byte)).count() as u32;
    char::from_u32(0x100 + before).unwrap()
}

/// Byte-level BPE: control tokens first, then all bytes, then the products of `merges` merges.
pub fn byte_level(pre: &str, control: &[&str], merges: usize) -> GgufVocabulary {
    let merges: Vec<String> = MERGES.lines().take(merges).map(str::to_owned).collect();
    let mut tokens: Vec<String> = control.iter().map(|token| (*token).to_owned()).collect();
    tokens.extend((0..=255).map(|byte| printable(byte).to_string()));
    tokens.extend(merges.iter().map(|merge| merge.replacen(' ', "", 1)));
    let types = (0..tokens.len()).map(|id| if id < control.len() { 3 } else { 1 });
    GgufVocabulary {
        model: "gpt2".into(),
        pre: Some(pre.into()),
        token_types: types.collect(),
        tokens,
        merges,
        ..GgufVocabulary::default()
    }
}

/// SmolLM2's vocabulary, cut down to its first merges.
pub fn smollm() -> Tokenizer {
    let vocabulary = GgufVocabulary {
        bos: Some(1),
        eos: Some(2),
        add_bos: Some(false),
        ..byte_level("smollm", SMOLLM_CONTROL, usize::MAX)
    };
    Tokenizer::from_gguf(vocabulary).unwrap()
}

/// The SentencePiece vocabulary of the test data, with further control tokens at its end.
pub fn sentencepiece(control: &[&str]) -> GgufVocabulary {
    let data: serde_json::Value = serde_json::from_str(SENTENCEPIECE).unwrap();
    let mut vocabulary = GgufVocabulary {
        model: "llama".into(),
        bos: Some(1),
        eos: Some(2),
        ..GgufVocabulary::default()
    };
    for piece in data["pieces"].as_array().unwrap() {
        vocabulary
            .tokens
            .push(piece[0].as_str().unwrap().to_owned());
        vocabulary.scores.push(piece[1].as_f64().unwrap() as f32);
        vocabulary
            .token_types
            .push(piece[2].as_u64().unwrap() as u32);
    }
    for token in control {
        vocabulary.tokens.push((*token).to_owned());
        vocabulary.scores.push(0.0);
        vocabulary.token_types.push(3);
    }
    vocabulary
}

/// Real code: this crate's own.
pub const CODE: &[&str] = &[
    include_str!("../../src/fim/window.rs"),
    include_str!("../../src/fim/format.rs"),
    include_str!("../../src/tokenizer/json.rs"),
    include_str!("../data/tokenizer/dump_sentencepiece.py"),
];

/// Strings that are hard on tokenizers, and parts of code.
pub fn hostile() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let sentinels = prop::sample::select(vec![
        "<|endoftext|>",
        "<|fim_prefix|>",
        "<fim_suffix>",
        "<file_sep>",
        "<jupyter_code>",
        "▁<PRE>",
        "<｜fim▁hole｜>",
        "[SUFFIX]",
        "<[fim-middle]>",
        "</s>",
        "<0x0A>",
        "<s>",
        "<filename>",
    ]);
    let spaces = prop::sample::select(vec![
        " ", "  ", "\t", "\n", "\r", "\r\n", "\n\n", "\u{2028}", "\u{feff}", "\u{a0}", "\0", "▁",
        " ▁", "        ", "\n    ", "\u{b}", "\u{85}",
    ]);
    let marks = prop::sample::select(vec![
        "e\u{301}",
        "\u{301}",
        "👩‍👩‍👧",
        "🏳️‍🌈",
        "\u{10ffff}",
        "日本",
        "½",
        "ſ",
        "ﬁ",
        "'ſ",
        "'LL",
        "'re",
        "İ",
        "\u{e000}",
        "\u{fffd}",
    ]);
    let code = prop::sample::select(vec![
        "return",
        " self.value",
        "(x1234)",
        "!= 0xFF;",
        "fn main() {",
        "// ==",
        "foo_bar::<T>()",
        "\"\\n\"",
    ]);
    let part = prop_oneof![
        sentinels.prop_map(str::to_owned),
        spaces.prop_map(str::to_owned),
        marks.prop_map(str::to_owned),
        code.prop_map(str::to_owned),
        any::<String>(),
        "[ -~]{0,12}",
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}
