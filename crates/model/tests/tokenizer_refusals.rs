//! Files that are damaged, lie, or define what cannot be exact are refused with a reason.
#![allow(clippy::unwrap_used)]

mod fim_support;

use fim_support::{SMOLLM_CONTROL, byte_level, sentencepiece};
use serde_json::{Value, json};
use truefill_model::tokenizer::{GgufVocabulary, Tokenizer};

fn file() -> Value {
    serde_json::from_str(include_str!("data/parity/gguf/tokenizer-qwen2.json")).unwrap()
}

#[test]
fn json_files_are_refused_by_name_of_the_fault() {
    let mut table: Vec<(&str, Value, &str)> = Vec::new();
    let mut row = |name, expected, edit: &dyn Fn(&mut Value)| {
        let mut file = file();
        edit(&mut file);
        table.push((name, file, expected));
    };
    row("unigram", "`Unigram`", &|f| {
        f["model"]["type"] = json!("Unigram")
    });
    row("affix", "continuing_subword_prefix", &|f| {
        f["model"]["continuing_subword_prefix"] = json!("##")
    });
    row("lower case", "`Lowercase`", &|f| {
        f["normalizer"] = json!({"type": "Lowercase"})
    });
    row("no scheme", "byte-level", &|f| {
        f["pre_tokenizer"] = json!({"type": "Whitespace"})
    });
    row("no pre-tokenizer", "byte-level", &|f| {
        f["pre_tokenizer"] = Value::Null
    });
    row("unknown part", "`Bert`", &|f| {
        f["pre_tokenizer"]["pretokenizers"][0] = json!({"type": "Bert"})
    });
    row("text is dropped", "`Removed`", &|f| {
        f["pre_tokenizer"]["pretokenizers"][0]["behavior"] = json!("Removed")
    });
    row("bad expression", "compiles", &|f| {
        f["pre_tokenizer"]["pretokenizers"][0]["pattern"] = json!({"Regex": "("})
    });
    row("foreign merge", "`zq`", &|f| {
        f["model"]["merges"] = json!([["z", "q"]])
    });
    row("merge of three", "merge 0", &|f| {
        f["model"]["merges"] = json!(["a b c"])
    });
    row("far id", "4000000000", &|f| {
        f["model"]["vocab"]["x1"] = json!(4_000_000_000u32)
    });
    row("negative id", "tokenizer.json", &|f| {
        f["model"]["vocab"]["x1"] = json!(-1)
    });
    row("no model", "`model`", &|f| {
        drop(f.as_object_mut().unwrap().remove("model"))
    });
    for (name, file, expected) in table {
        let error = Tokenizer::from_json(file.to_string().as_bytes())
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{name}: {error}");
        assert!(!error.ends_with('.'), "{error}");
    }
    assert!(Tokenizer::from_json(b"").is_err());
    assert!(Tokenizer::from_json(b"{\"model\": {\"vocab\": {}, \"merges\": []").is_err());
}

#[test]
fn unicode_normal_forms_are_not_applied() {
    let mut file = file();
    file["normalizer"] = json!({"type": "NFC"});
    let tokenizer = Tokenizer::from_json(file.to_string().as_bytes()).unwrap();
    assert_eq!(
        tokenizer.decode(&tokenizer.encode("e\u{301}").unwrap()),
        "e\u{301}"
    );
}

#[test]
fn the_template_names_the_begin_token() {
    let mut file = file();
    file["post_processor"] = json!({"type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [], "special_tokens": {}});
    let tokenizer = Tokenizer::from_json(file.to_string().as_bytes()).unwrap();
    assert_eq!(tokenizer.bos(), tokenizer.id("<|endoftext|>"));
    assert!(tokenizer.add_bos());
    let plain = Tokenizer::from_json(self::file().to_string().as_bytes()).unwrap();
    assert_eq!((plain.bos(), plain.add_bos()), (None, false));
    assert_eq!(plain.eos(), plain.id("<|endoftext|>"));
}

#[test]
fn gguf_vocabularies_are_refused_by_name_of_the_fault() {
    let good = || byte_level("smollm", SMOLLM_CONTROL, 100);
    let table: Vec<(GgufVocabulary, &str)> = vec![
        (
            GgufVocabulary {
                model: "bert".into(),
                ..good()
            },
            "`bert`",
        ),
        (
            GgufVocabulary {
                pre: Some("gpt-9".into()),
                ..good()
            },
            "`gpt-9`, expected one of: default",
        ),
        (
            GgufVocabulary {
                token_types: vec![1; 3],
                ..good()
            },
            "token types",
        ),
        (
            GgufVocabulary {
                scores: vec![1.0],
                ..good()
            },
            "scores",
        ),
        (
            GgufVocabulary {
                token_types: vec![9; good().tokens.len()],
                ..good()
            },
            "found 9",
        ),
        (
            GgufVocabulary {
                token_types: vec![6; good().tokens.len()],
                ..good()
            },
            "type byte",
        ),
        (
            GgufVocabulary {
                merges: vec!["a  b".into()],
                ..good()
            },
            "merge 0",
        ),
        (
            GgufVocabulary {
                merges: vec!["a ℵ".into()],
                ..good()
            },
            "`ℵ` is no token",
        ),
        (
            GgufVocabulary {
                merges: vec!["Ġ ~".into()],
                ..good()
            },
            "`Ġ~` is no token",
        ),
        (
            GgufVocabulary {
                bos: Some(u32::MAX),
                ..good()
            },
            "begin token",
        ),
        (
            GgufVocabulary {
                eos: Some(100_000),
                ..good()
            },
            "end token",
        ),
        (
            GgufVocabulary {
                tokens: vec![],
                token_types: vec![],
                merges: vec![],
                ..good()
            },
            "found 0",
        ),
        (
            GgufVocabulary {
                bos: None,
                eos: None,
                tokens: vec!["x".into()],
                token_types: vec![],
                scores: vec![],
                ..sentencepiece(&[])
            },
            "stands for a space",
        ),
        (
            GgufVocabulary {
                bos: None,
                eos: None,
                tokens: vec!["x".repeat(5000)],
                token_types: vec![],
                scores: vec![],
                ..sentencepiece(&[])
            },
            "5000 bytes",
        ),
    ];
    for (vocabulary, expected) in table {
        let error = Tokenizer::from_gguf(vocabulary).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn files_without_types_still_keep_sentinels_out_of_text() {
    let vocabulary = GgufVocabulary {
        token_types: vec![],
        ..byte_level("smollm", &["<|endoftext|>"], 100)
    };
    let tokenizer = Tokenizer::from_gguf(vocabulary).unwrap();
    let end = tokenizer.id("<|endoftext|>").unwrap();
    assert!(tokenizer.is_special(end));
    assert!(!tokenizer.encode("<|endoftext|>").unwrap().contains(&end));
}
