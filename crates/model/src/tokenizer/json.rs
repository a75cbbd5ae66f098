//! The model hub's `tokenizer.json`.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::definition::{Definition, Kind, Row, Scheme};
use super::error::TokenizerError;
use super::gguf::{parse_byte, parse_merge};
use super::split::{GPT2, SplitRule};

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    model: Model,
}

#[derive(Deserialize)]
struct AddedToken {
    id: u32,
    content: String,
    #[serde(default)]
    special: bool,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type")]
    kind: Option<String>,
    vocab: HashMap<String, u32>,
    merges: Vec<Merge>,
    unk_token: Option<String>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    #[serde(default)]
    byte_fallback: bool,
    #[serde(default)]
    ignore_merges: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Pair(String, String),
    Line(String),
}

/// Names under which models keep the token that ends a text, the usual ones first. The file itself
/// does not say.
const END_TOKENS: &[&str] = &[
    "<|endoftext|>",
    "<|end_of_text|>",
    "<｜end▁of▁sentence｜>",
    "<[end▁of▁sentence]>",
    "</s>",
    "<eos>",
];

pub(super) fn parse(bytes: &[u8]) -> Result<Definition, TokenizerError> {
    let file: File = serde_json::from_slice(bytes)?;
    file.model.check()?;
    let scheme = scheme(&file)?;
    let lead_space = lead_space(&file);
    let rows = rows(&file)?;
    let find = |text: &str| {
        rows.iter()
            .position(|row| row.text == text)
            .map(|id| id as u32)
    };
    let first = template_start(&file.post_processor);
    let bos = first.as_deref().and_then(find);
    let eos = END_TOKENS.iter().find_map(|text| find(text));
    let merges = file
        .model
        .merges
        .into_iter()
        .enumerate()
        .map(|(nth, merge)| match merge {
            Merge::Pair(left, right) => Ok((left, right)),
            Merge::Line(line) => parse_merge(nth, &line),
        });
    Ok(Definition {
        merges: merges.collect::<Result<_, _>>()?,
        ignore_merges: file.model.ignore_merges,
        scheme,
        lead_space,
        bos,
        eos,
        add_bos: bos.is_some(),
        rows,
    })
}

impl Model {
    fn check(&self) -> Result<(), TokenizerError> {
        let found = match &self.kind {
            Some(kind) if kind != "BPE" => format!("`{kind}`"),
            _ if !is_blank(&self.continuing_subword_prefix) => "a continuing_subword_prefix".into(),
            _ if !is_blank(&self.end_of_word_suffix) => "an end_of_word_suffix".into(),
            _ => return Ok(()),
        };
        Err(unsupported(
            "a model of the type BPE without affixes",
            found,
        ))
    }
}

fn is_blank(text: &Option<String>) -> bool {
    text.as_deref().unwrap_or_default().is_empty()
}

fn unsupported(expected: &str, found: impl Into<String>) -> TokenizerError {
    TokenizerError::Unsupported {
        expected: expected.into(),
        found: found.into(),
    }
}

fn rows(file: &File) -> Result<Vec<Row>, TokenizerError> {
    let added = file.added_tokens.iter().map(|token| token.id);
    let last = file
        .model
        .vocab
        .values()
        .copied()
        .chain(added)
        .max()
        .unwrap_or(0) as usize;
    let known = file.model.vocab.len() + file.added_tokens.len();
    // A damaged id must not become a large allocation; published files have few gaps.
    if last > known.saturating_mul(2) + 1024 {
        return Err(TokenizerError::Vocabulary(format!(
            "expected ids below about {known}, found {last}"
        )));
    }
    let mut rows = vec![
        Row {
            text: String::new(),
            kind: Kind::Unused
        };
        last + 1
    ];
    for (text, id) in &file.model.vocab {
        let kind = match parse_byte(text) {
            Some(byte) if file.model.byte_fallback => Kind::Byte(byte),
            _ if file.model.unk_token.as_ref() == Some(text) => Kind::Unknown,
            _ => Kind::Text,
        };
        rows[*id as usize] = Row {
            text: text.clone(),
            kind,
        };
    }
    for token in &file.added_tokens {
        let kind = if token.special {
            Kind::Control
        } else {
            Kind::Literal
        };
        rows[token.id as usize] = Row {
            text: token.content.clone(),
            kind,
        };
    }
    Ok(rows)
}

/// The parts of a `Sequence`, or the one that stands alone.
fn parts<'v>(value: &'v Value, list: &str) -> Vec<&'v Value> {
    match (value, value.get(list)) {
        (Value::Null, _) => Vec::new(),
        (_, Some(Value::Array(parts))) => parts.iter().collect(),
        _ => vec![value],
    }
}

fn kind(part: &Value) -> &str {
    part.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn flag(part: &Value, name: &str, absent: bool) -> bool {
    part.get(name).and_then(Value::as_bool).unwrap_or(absent)
}

fn scheme(file: &File) -> Result<Scheme, TokenizerError> {
    let normalizers = parts(&file.normalizer, "normalizers");
    let cutters = parts(&file.pre_tokenizer, "pretokenizers");
    if cutters.iter().any(|part| kind(part) == "ByteLevel") {
        // Unicode normal forms are left out: what the user wrote must come back byte for byte.
        let unicode = |part: &&Value| matches!(kind(part), "NFC" | "NFD" | "NFKC" | "NFKD");
        if let Some(other) = normalizers.iter().find(|part| !unicode(part)) {
            return Err(unsupported(
                "no normalizer that changes text",
                format!("`{}`", kind(other)),
            ));
        }
        let rules: Result<Vec<_>, _> = cutters.iter().map(|part| rule(part)).collect();
        return Ok(Scheme::ByteLevel {
            rules: rules?.into_iter().flatten().collect(),
        });
    }
    let writes_spaces = |part: &&Value| {
        kind(part) == "Metaspace"
            || kind(part) == "Replace"
                && part.get("content").and_then(Value::as_str) == Some("\u{2581}")
    };
    if normalizers.iter().chain(&cutters).any(writes_spaces) {
        return Ok(Scheme::Sentence);
    }
    Err(unsupported(
        "a byte-level pre-tokenizer, or one that writes spaces as U+2581",
        format!(
            "{:?}",
            cutters.iter().map(|part| kind(part)).collect::<Vec<_>>()
        ),
    ))
}

/// Whether text alone begins with a space by this vocabulary's convention.
fn lead_space(file: &File) -> bool {
    let prepends = |part: &&Value| match kind(part) {
        "Prepend" => true,
        "ByteLevel" => flag(part, "add_prefix_space", true),
        "Metaspace" => match part.get("prepend_scheme").and_then(Value::as_str) {
            Some(scheme) => scheme != "never",
            None => flag(part, "add_prefix_space", true),
        },
        _ => false,
    };
    let normalizers = parts(&file.normalizer, "normalizers");
    let cutters = parts(&file.pre_tokenizer, "pretokenizers");
    normalizers.iter().chain(&cutters).any(prepends)
}

fn rule(part: &Value) -> Result<Option<SplitRule>, TokenizerError> {
    match kind(part) {
        "ByteLevel" => Ok(flag(part, "use_regex", true).then(|| SplitRule::Regex(GPT2.into()))),
        "Digits" if flag(part, "individual_digits", false) => Ok(Some(SplitRule::EachDigit)),
        "Digits" => Ok(Some(SplitRule::DigitRuns)),
        "Punctuation" => {
            let run = match part.get("behavior").and_then(Value::as_str) {
                None | Some("Isolated") => "",
                Some("Contiguous") => "+",
                Some(other) => return Err(unsupported("punctuation kept as pieces", other)),
            };
            Ok(Some(SplitRule::Regex(format!(
                r"[\p{{P}}!-/:-@\[-`{{-~]{run}"
            ))))
        }
        "Split" => split_rule(part).map(Some),
        other => Err(unsupported(
            "ByteLevel, Digits, Punctuation or Split",
            format!("`{other}`"),
        )),
    }
}

fn split_rule(part: &Value) -> Result<SplitRule, TokenizerError> {
    let pattern = part.get("pattern");
    let text = |name: &str| pattern.and_then(|p| p.get(name)).and_then(Value::as_str);
    let regex = match (text("Regex"), text("String")) {
        (Some(regex), _) => regex.to_owned(),
        (None, Some(literal)) => escape(literal),
        (None, None) => return Err(unsupported("a Split with a pattern", "none")),
    };
    let behavior = part
        .get("behavior")
        .and_then(Value::as_str)
        .unwrap_or("Isolated");
    match (behavior, flag(part, "invert", false)) {
        ("Isolated", _) | ("Removed", true) => match regex.as_str() {
            r"\p{N}" => Ok(SplitRule::EachDigit),
            r"\p{N}+" => Ok(SplitRule::DigitRuns),
            _ => Ok(SplitRule::Regex(regex)),
        },
        (other, _) => Err(unsupported(
            "a Split that keeps all text as pieces",
            format!("`{other}`"),
        )),
    }
}

/// A literal as a regular expression.
fn escape(literal: &str) -> String {
    let mut out = String::new();
    for character in literal.chars() {
        if character.is_ascii_punctuation() {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// The token that the template puts before a single text.
fn template_start(post_processor: &Value) -> Option<String> {
    let template = parts(post_processor, "processors")
        .into_iter()
        .find(|part| kind(part) == "TemplateProcessing")?;
    let first = template.get("single")?.as_array()?.first()?;
    first
        .get("SpecialToken")?
        .get("id")?
        .as_str()
        .map(str::to_owned)
}
