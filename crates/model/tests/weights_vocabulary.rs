//! The tokenizer's data out of GGUF metadata.

use truefill_model::tokenizer::GgufVocabulary;
use truefill_model::weights::gguf::MetadataValue as Meta;
use truefill_model::weights::{GgufFile, GgufWriter, WeightError};

const TOKENS: &str = "tokenizer.ggml.tokens";

fn strings(texts: &[&str]) -> Meta {
    Meta::Strings(texts.iter().map(|text| (*text).to_owned()).collect())
}

/// A vocabulary of four tokens with some keys set; a key set twice has its last value.
fn read(changes: &[(&str, Meta)]) -> Result<GgufVocabulary, WeightError> {
    let mut entries = vec![
        (
            "tokenizer.ggml.model".to_owned(),
            Meta::String("gpt2".to_owned()),
        ),
        (TOKENS.to_owned(), strings(&["a", "Ġ", "Ġa", "<|end|>"])),
    ];
    for (key, value) in changes {
        let key = format!("tokenizer.ggml.{key}");
        entries.retain(|(other, _)| *other != key);
        entries.push((key, value.clone()));
    }
    let mut writer = GgufWriter::new();
    for (key, value) in entries {
        writer.metadata(key, value);
    }
    let mut bytes = Vec::new();
    writer.write(&mut bytes).expect("writes");
    GgufFile::from_bytes("tiny.gguf", bytes)?.vocabulary()
}

#[test]
fn everything_that_the_file_says_is_read() {
    let vocabulary = read(&[
        ("pre", Meta::String("smollm".to_owned())),
        ("token_type", Meta::I32s(vec![1, 1, 1, 3])),
        ("scores", Meta::F32s(vec![0.0, -1.0, -2.0, 0.5])),
        ("merges", strings(&["Ġ a"])),
        ("bos_token_id", Meta::U32(3)),
        ("eos_token_id", Meta::U32(0)),
        ("add_bos_token", Meta::Bool(false)),
        ("add_space_prefix", Meta::Bool(true)),
    ])
    .expect("sound");
    assert_eq!(
        (vocabulary.model.as_str(), vocabulary.pre.as_deref()),
        ("gpt2", Some("smollm"))
    );
    assert_eq!(vocabulary.tokens, ["a", "Ġ", "Ġa", "<|end|>"]);
    assert_eq!(vocabulary.token_types, [1, 1, 1, 3]);
    assert_eq!(vocabulary.scores, [0.0, -1.0, -2.0, 0.5]);
    assert_eq!(vocabulary.merges, ["Ġ a"]);
    assert_eq!((vocabulary.bos, vocabulary.eos), (Some(3), Some(0)));
    assert_eq!(
        (vocabulary.add_bos, vocabulary.add_space_prefix),
        (Some(false), Some(true))
    );
}

#[test]
fn what_the_file_does_not_say_stays_open() {
    let vocabulary = read(&[]).expect("sound");
    assert_eq!(vocabulary.tokens.len(), 4);
    assert!(vocabulary.token_types.is_empty() && vocabulary.scores.is_empty());
    assert!(vocabulary.merges.is_empty());
    assert_eq!(
        (vocabulary.pre, vocabulary.bos, vocabulary.eos),
        (None, None, None)
    );
    assert_eq!(
        (vocabulary.add_bos, vocabulary.add_space_prefix),
        (None, None)
    );
}

#[test]
fn lists_that_do_not_agree_are_refused() {
    let refusals: Vec<String> = [
        ("tokens", Meta::Strings(vec![])),
        ("tokens", Meta::U32s(vec![1])),
        ("token_type", Meta::I32s(vec![1, 1, 1])),
        ("token_type", Meta::I32s(vec![1, 1, 1, -3])),
        ("token_type", strings(&["1", "1", "1", "3"])),
        ("scores", Meta::F32s(vec![f32::NAN; 4])),
        ("merges", Meta::F32s(vec![0.0])),
        ("bos_token_id", Meta::U32(4)),
        ("eos_token_id", Meta::U32(u32::MAX)),
        ("model", Meta::U32(1)),
    ]
    .into_iter()
    .map(|change| read(&[change]).expect_err("refused").to_string())
    .collect();
    insta::assert_snapshot!(refusals.join("\n"));
    let bare = GgufFile::from_bytes(
        "tiny.gguf",
        b"GGUF\x03\0\0\0".iter().copied().chain([0; 16]).collect(),
    );
    let refusal = bare
        .expect("an empty file")
        .vocabulary()
        .expect_err("refused");
    insta::assert_snapshot!(refusal, @"tiny.gguf: metadata `tokenizer.ggml.tokens`: expected the vocabulary's tokens, found none");
}

#[test]
fn tokens_must_be_text() {
    let mut writer = GgufWriter::new();
    writer.metadata(TOKENS, strings(&["abcdefgh", "token"]));
    let mut bytes = Vec::new();
    writer.write(&mut bytes).expect("writes");
    let at = bytes
        .windows(8)
        .position(|window| window == b"abcdefgh")
        .expect("there");
    bytes[at + 2] = 0xff;
    let file =
        GgufFile::from_bytes("tiny.gguf", bytes).expect("tokens are looked at when asked for");
    let refusal = file.vocabulary().expect_err("refused");
    insta::assert_snapshot!(refusal, @"tiny.gguf: metadata `tokenizer.ggml.tokens`: expected UTF-8, found bytes that are none in string 0");
}
