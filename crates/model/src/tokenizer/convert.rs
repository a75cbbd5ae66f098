//! One kind of tokenizer file from the other.
//!
//! What was written is read again and its definition compared with the original's, so a conversion
//! is exact or refused.

use serde_json::{Map, Value, json};

use super::definition::{Definition, Kind, Scheme};
use super::error::TokenizerError;
use super::flavours::name_of;
use super::gguf::GgufVocabulary;
use super::json;
use super::split::SplitRule;

/// Types of tokens in GGUF files.
const NORMAL: u32 = 1;
const UNKNOWN: u32 = 2;
const CONTROL: u32 = 3;
const LITERAL: u32 = 4;
const UNUSED: u32 = 5;
const BYTE: u32 = 6;

/// A `tokenizer.json` for the vocabulary of a GGUF file, with a begin token where its text has one.
///
/// # Errors
/// Where the vocabulary is damaged, or such a file would not mean the same.
pub fn json_from_gguf(vocabulary: GgufVocabulary) -> Result<Vec<u8>, TokenizerError> {
    let definition = vocabulary.into_definition()?.canonical();
    definition.check()?;
    let bytes = serde_json::to_vec(&file(&definition))?;
    same(&definition, json::parse(&bytes)?, "tokenizer.json")?;
    Ok(bytes)
}

/// The vocabulary that a GGUF file needs for a `tokenizer.json`, filled up to `rows`: there it has as
/// many rows as the embedding.
///
/// # Errors
/// Where the file is damaged, its rules are none that GGUF files have a name for, or the vocabulary
/// would not mean the same.
pub fn gguf_from_json(bytes: &[u8], rows: usize) -> Result<GgufVocabulary, TokenizerError> {
    let definition = json::parse(bytes)?.canonical();
    definition.check()?;
    let vocabulary = vocabulary(&definition, rows)?;
    same(
        &definition,
        vocabulary.clone().into_definition()?,
        "GGUF vocabulary",
    )?;
    Ok(vocabulary)
}

fn same(original: &Definition, written: Definition, what: &str) -> Result<(), TokenizerError> {
    if original.sha256() == written.canonical().sha256() {
        return Ok(());
    }
    Err(TokenizerError::Unsupported {
        expected: format!("a tokenizer that a {what} can define"),
        found: "one that would be another there (a token stands twice, or merges have gaps)".into(),
    })
}

fn vocabulary(definition: &Definition, rows: usize) -> Result<GgufVocabulary, TokenizerError> {
    let mut out = GgufVocabulary {
        bos: definition.bos,
        eos: definition.eos,
        add_bos: Some(definition.add_bos),
        add_space_prefix: Some(definition.lead_space),
        ..GgufVocabulary::default()
    };
    for row in &definition.rows {
        let (text, kind) = match row.kind {
            Kind::Unused => (format!("[PAD{}]", out.tokens.len()), UNUSED),
            Kind::Text => (row.text.clone(), NORMAL),
            Kind::Control => (row.text.clone(), CONTROL),
            Kind::Literal => (row.text.clone(), LITERAL),
            Kind::Unknown => (row.text.clone(), UNKNOWN),
            Kind::Byte(_) => (row.text.clone(), BYTE),
        };
        out.tokens.push(text);
        out.token_types.push(kind);
    }
    for id in out.tokens.len()..rows {
        out.tokens.push(format!("[PAD{id}]"));
        out.token_types.push(UNUSED);
    }
    match &definition.scheme {
        Scheme::Sentence => {
            out.model = "llama".into();
            out.scores = scores(definition, out.tokens.len());
        }
        Scheme::ByteLevel { rules } => {
            out.model = "gpt2".into();
            out.pre = Some(pre(rules, definition.ignore_merges)?.into());
            let line = |(left, right): &(String, String)| format!("{left} {right}");
            out.merges = definition.merges.iter().map(line).collect();
        }
    }
    Ok(out)
}

fn pre(rules: &[SplitRule], ignore_merges: bool) -> Result<&'static str, TokenizerError> {
    name_of(rules, ignore_merges).ok_or_else(|| TokenizerError::Unsupported {
        expected: "split rules that GGUF files have a name for".into(),
        found: rules
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", then "),
    })
}

/// SentencePiece orders merges by the score of what they make: the earlier, the better.
fn scores(definition: &Definition, rows: usize) -> Vec<f32> {
    let ids = definition.text_ids();
    let mut scores = vec![0.0; rows];
    for (rank, (left, right)) in definition.merges.iter().enumerate().rev() {
        if let Some(score) = ids
            .get(format!("{left}{right}").as_str())
            .and_then(|id| scores.get_mut(*id as usize))
        {
            *score = -(rank as f32);
        }
    }
    scores
}

fn file(definition: &Definition) -> Value {
    let rows = || definition.rows.iter().enumerate();
    let vocab: Map<String, Value> = rows()
        .filter(|(_, row)| row.kind != Kind::Unused)
        .map(|(id, row)| (row.text.clone(), id.into()))
        .collect();
    let apart = |kind| matches!(kind, Kind::Control | Kind::Unknown | Kind::Literal);
    let added: Vec<Value> = rows()
        .filter(|(_, row)| apart(row.kind))
        .map(|(id, row)| {
            json!({
                "id": id, "content": row.text, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": row.kind != Kind::Literal,
            })
        })
        .collect();
    let unknown = definition.rows.iter().find(|row| row.kind == Kind::Unknown);
    let sentence = matches!(definition.scheme, Scheme::Sentence);
    let (normalizer, pre_tokenizer, decoder) = match &definition.scheme {
        Scheme::Sentence => sentence_parts(definition.lead_space),
        Scheme::ByteLevel { rules } => byte_level_parts(rules, definition.lead_space),
    };
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": post_processor(definition),
        "decoder": decoder,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": unknown.map(|row| &row.text),
            "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": sentence,
            "byte_fallback": sentence, "ignore_merges": definition.ignore_merges,
            "vocab": vocab, "merges": definition.merges,
        },
    })
}

fn sentence_parts(lead_space: bool) -> (Value, Value, Value) {
    let mut normalizers = Vec::new();
    let mut decoders = vec![
        json!({"type": "Replace", "pattern": {"String": "\u{2581}"}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if lead_space {
        normalizers.push(json!({"type": "Prepend", "prepend": "\u{2581}"}));
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    normalizers.push(json!({"type": "Replace", "pattern": {"String": " "}, "content": "\u{2581}"}));
    (
        json!({"type": "Sequence", "normalizers": normalizers}),
        Value::Null,
        json!({"type": "Sequence", "decoders": decoders}),
    )
}

fn byte_level_parts(rules: &[SplitRule], lead_space: bool) -> (Value, Value, Value) {
    let byte_level = |lead_space: bool, use_regex: bool| {
        json!({
            "type": "ByteLevel", "add_prefix_space": lead_space, "trim_offsets": true,
            "use_regex": use_regex,
        })
    };
    let mut parts: Vec<Value> = rules
        .iter()
        .map(|rule| match rule {
            SplitRule::EachDigit => json!({"type": "Digits", "individual_digits": true}),
            SplitRule::DigitRuns => json!({"type": "Digits", "individual_digits": false}),
            SplitRule::Regex(pattern) => json!({
                "type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated",
                "invert": false,
            }),
        })
        .collect();
    parts.push(byte_level(lead_space, false));
    (
        Value::Null,
        json!({"type": "Sequence", "pretokenizers": parts}),
        byte_level(true, true),
    )
}

/// Puts the begin token before a text, where the model expects it.
fn post_processor(definition: &Definition) -> Value {
    let bos = definition.bos.filter(|_| definition.add_bos);
    let row = bos.and_then(|id| Some((id, definition.rows.get(id as usize)?)));
    let Some((id, row)) = row else {
        return Value::Null;
    };
    let token = json!({"SpecialToken": {"id": row.text, "type_id": 0}});
    let sequence = |name: &str| json!({"Sequence": {"id": name, "type_id": 0}});
    let mut special = Map::new();
    special.insert(
        row.text.clone(),
        json!({"id": row.text, "ids": [id], "tokens": [row.text]}),
    );
    json!({
        "type": "TemplateProcessing",
        "single": [token, sequence("A")],
        "pair": [token, sequence("A"), token, sequence("B")],
        "special_tokens": special,
    })
}
