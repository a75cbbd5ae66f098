//! Encoders with weights made on the spot.

use std::collections::HashMap;

use truefill_syntax::Draw;

use super::*;

const HIDDEN: usize = 16;

/// The character by which byte-level vocabularies spell a byte.
fn spelled(byte: u8) -> char {
    let plain = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    match plain(byte) {
        true => char::from(byte),
        false => {
            let before = (0..byte).filter(|byte| !plain(*byte)).count();
            char::from_u32(256 + before as u32).expect("a character")
        }
    }
}

fn vocab(specials: &[&str]) -> Value {
    let bytes = (0..=255).map(|byte| spelled(byte).to_string());
    let words = specials.iter().map(|word| (*word).to_owned()).chain(bytes);
    let merged = words.chain(["lo".to_owned(), "load".to_owned(), "ad".to_owned()]);
    let ids = merged.enumerate().map(|(id, word)| (word, json!(id)));
    Value::Object(ids.collect())
}

fn tensors(vocab: usize, prefix: &str) -> HashMap<String, Tensor> {
    let mut draw = Draw::new(7);
    let mut random = |shape: &[usize]| {
        let count = shape.iter().product();
        let value = |_| (draw.next_u64() >> 40) as f32 / (1 << 24) as f32 - 0.5;
        let values: Vec<f32> = (0..count).map(value).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).expect("a tensor")
    };
    let mut shapes: Vec<(String, Vec<usize>)> = vec![
        (
            "embeddings.word_embeddings.weight".into(),
            vec![vocab, HIDDEN],
        ),
        (
            "embeddings.position_embeddings.weight".into(),
            vec![40, HIDDEN],
        ),
        (
            "embeddings.token_type_embeddings.weight".into(),
            vec![1, HIDDEN],
        ),
    ];
    let mut both = |name: String, out: usize, inside: usize| {
        shapes.push((format!("{name}.weight"), vec![out, inside]));
        shapes.push((format!("{name}.bias"), vec![out]));
    };
    for layer in 0..2 {
        let at = format!("encoder.layer.{layer}");
        for part in ["query", "key", "value"] {
            both(format!("{at}.attention.self.{part}"), HIDDEN, HIDDEN);
        }
        both(format!("{at}.attention.output.dense"), HIDDEN, HIDDEN);
        both(format!("{at}.intermediate.dense"), 32, HIDDEN);
        both(format!("{at}.output.dense"), HIDDEN, 32);
    }
    for at in [
        "embeddings",
        "encoder.layer.0.attention.output",
        "encoder.layer.0.output",
    ]
    .into_iter()
    .chain(["encoder.layer.1.attention.output", "encoder.layer.1.output"])
    {
        shapes.push((format!("{at}.LayerNorm.weight"), vec![HIDDEN]));
        shapes.push((format!("{at}.LayerNorm.bias"), vec![HIDDEN]));
    }
    let named = shapes.into_iter();
    named
        .map(|(name, shape)| (format!("{prefix}{name}"), random(&shape)))
        .collect()
}

fn write(folder: &Path, specials: &[&str], prefix: &str) {
    let vocab = vocab(specials);
    let size = vocab.as_object().expect("words").len();
    let config = json!({
        "model_type": "roberta", "hidden_size": HIDDEN, "layer_norm_eps": 1e-5,
        "num_attention_heads": 2, "intermediate_size": 32, "hidden_act": "gelu",
        "num_hidden_layers": 2, "vocab_size": size, "max_position_embeddings": 40,
        "type_vocab_size": 1, "pad_token_id": 1
    });
    std::fs::write(folder.join("config.json"), config.to_string()).expect("written");
    std::fs::write(folder.join("vocab.json"), vocab.to_string()).expect("written");
    let merges = "#version: 0.2\nl o\na d\nlo ad\n";
    std::fs::write(folder.join("merges.txt"), merges).expect("written");
    let weights = folder.join("model.safetensors");
    candle_core::safetensors::save(&tensors(size, prefix), weights).expect("written");
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

const PLAIN: [&str; 4] = ["<s>", "<pad>", "</s>", "<unk>"];
const UNIXCODER: [&str; 5] = ["<s>", "<pad>", "</s>", "<unk>", "<encoder-only>"];

#[test]
fn an_encoder_embeds_the_same_text_the_same_way() {
    let (one, other) = (folder(), folder());
    write(one.path(), &UNIXCODER, "");
    write(other.path(), &UNIXCODER, "roberta.");
    let encoder = Encoder::open(one.path()).expect("opens");
    assert!(
        encoder.name().contains("UniXcoder (SHA-256 "),
        "{}",
        encoder.name()
    );
    let embed = |text: &str| encoder.embed(text).expect("embeds");
    let load = embed("load(x)");
    assert_eq!(load.len(), HIDDEN);
    assert_eq!(load, embed("load(x)"));
    assert_ne!(load, embed("x(load)"), "order counts");
    assert!(
        embed("é\u{1F600}\n\t")
            .iter()
            .all(|value| value.is_finite())
    );
    let long = "load(x) ".repeat(100);
    assert_eq!(
        embed(&long),
        embed(&format!("{long} and more")),
        "what does not fit is cut"
    );
    let same = Encoder::open(other.path()).expect("opens");
    assert_eq!(same.embed("load(x)").expect("embeds"), load);
}

/// The reference put all texts through the model as one padded batch and took the mean over the mask
/// (`scripts/reference/dump_encoder.py`); here each goes through alone.
#[test]
fn embeddings_are_those_of_the_reference() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/encoder");
    let encoder = Encoder::open(&folder).expect("opens");
    let rows = std::fs::read(folder.join("reference.json")).expect("there");
    let rows: Vec<Value> = serde_json::from_slice(&rows).expect("rows");
    assert!(rows.len() > 5, "{} texts", rows.len());
    for row in rows {
        let text = row["text"].as_str().expect("a text");
        let tokens = encoder.tokens(text).expect("tokens");
        assert_eq!(json!(tokens), row["ids"], "{text:?}");
        let found = encoder.embed(text).expect("embeds");
        let expected = row["embedding"].as_array().expect("a vector");
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            let expected = expected.as_f64().expect("a number");
            let apart = (f64::from(*found) - expected).abs();
            assert!(apart < 1e-4, "{text:?}: {found} and {expected}");
        }
    }
}

#[test]
fn the_frame_is_unixcoders_where_the_vocabulary_has_its_mode() {
    let (plain, unixcoder) = (folder(), folder());
    write(plain.path(), &PLAIN, "");
    write(unixcoder.path(), &UNIXCODER, "");
    let frame = |folder: &Path| Encoder::open(folder).expect("opens").frame;
    assert_eq!(frame(plain.path()), [vec![0], vec![2]]);
    assert_eq!(frame(unixcoder.path()), [vec![0, 4, 2], vec![2]]);
}

#[test]
fn folders_that_hold_no_encoder_say_what_is_missing() {
    let folder = folder();
    let error = || match Encoder::open(folder.path()) {
        Ok(_) => panic!("it opened"),
        Err(error) => format!("{error:#}"),
    };
    assert!(error().contains("config.json"), "{}", error());
    write(folder.path(), &UNIXCODER, "");
    std::fs::remove_file(folder.path().join("model.safetensors")).expect("removed");
    assert!(error().contains("pytorch_model.bin"), "{}", error());
    write(folder.path(), &["a1", "a2"], "");
    assert!(error().contains("`<s>`"), "{}", error());
    let bert = r#"{"model_type": "bert"}"#;
    std::fs::write(folder.path().join("config.json"), bert).expect("written");
    assert!(error().contains("found `bert`"), "{}", error());
}

#[test]
fn a_checkpoints_mean_hidden_state_is_an_embedding() {
    let models = "../crates/model/tests/data/parity/gguf/llama-f32.gguf";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(models);
    let hidden = Hidden::open(&path).expect("opens");
    assert!(hidden.name().contains("`llama-f32.gguf` (SHA-256 "));
    let embed = |text: &str| hidden.embed(text).expect("embeds");
    let load = embed("load(x)");
    assert!(load.iter().all(|value| value.is_finite()) && load.len() > 4);
    assert_ne!(load, embed("x(load)"));
    // Another text in between leaves nothing behind.
    assert_eq!(embed("load(x)"), load);
    assert!(embed("").iter().all(|value| value.is_finite()));
    assert!(
        embed(&"load(x) ".repeat(2000))
            .iter()
            .all(|value| value.is_finite())
    );
    assert!(Hidden::open(Path::new("/nowhere.gguf")).is_err());
    // The mean over a text is the mean over its parts, one read behind the other.
    let tokens: Vec<TokenId> = (5..205).map(TokenId).collect();
    let mut cache = hidden.decoder.cache(LONGEST).expect("room");
    let mut mean = |tokens: &[TokenId], fresh: bool| {
        if fresh {
            cache.truncate(0);
        }
        let mean = hidden.decoder.mean_hidden(&mut cache, tokens, &|| false);
        mean.expect("computes")
    };
    let whole = mean(&tokens, true);
    let (first, second) = (mean(&tokens[..50], true), mean(&tokens[50..], false));
    for ((whole, first), second) in whole.iter().zip(first).zip(second) {
        let parts = (50.0 * first + 150.0 * second) / 200.0;
        assert!((whole - parts).abs() < 1e-4, "{whole} {parts}");
    }
}
