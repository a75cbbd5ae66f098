//! Biases: those that the configuration names are there and in the right order, others are refused.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use truefill_model::config::ModelConfig;
use truefill_model::decoder::{Decoder, Precision};
use truefill_model::error::ModelError;
use truefill_model::tokens::TokenId;
use truefill_model::weights::gguf::MetadataValue;
use truefill_model::weights::{
    GgufFile, GgufWriter, LayerPart, MemoryWeights, Naming, TensorName, WeightDtype, WeightSource,
};

const HIDDEN: usize = 32;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;
const FFN: usize = 64;
const VOCABULARY: usize = 24;
const LAYERS: usize = 2;

struct Named {
    name: TensorName,
    shape: Vec<usize>,
    values: Vec<f32>,
}

/// The tensors of a Llama whose attention has biases, rows in the hub's order.
fn tensors() -> Vec<Named> {
    let head_dim = HIDDEN / HEADS;
    let mut all = vec![
        (TensorName::Embedding, vec![VOCABULARY, HIDDEN]),
        (TensorName::OutputNorm { bias: false }, vec![HIDDEN]),
    ];
    for layer in 0..LAYERS {
        for part in LayerPart::ALL {
            let shape = match part {
                LayerPart::AttnNorm | LayerPart::FfnNorm => vec![HIDDEN],
                LayerPart::Q | LayerPart::O => vec![HIDDEN, HIDDEN],
                LayerPart::K | LayerPart::V => vec![KV_HEADS * head_dim, HIDDEN],
                LayerPart::Gate | LayerPart::Up => vec![FFN, HIDDEN],
                LayerPart::Down => vec![HIDDEN, FFN],
            };
            if matches!(
                part,
                LayerPart::Q | LayerPart::K | LayerPart::V | LayerPart::O
            ) {
                all.push((TensorName::bias(layer, part), shape[..1].to_vec()));
            }
            all.push((TensorName::weight(layer, part), shape));
        }
    }
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut fill = |(name, shape): (TensorName, Vec<usize>)| {
        let count: usize = shape.iter().product();
        let values = (0..count)
            .map(|_| random.random_range(-0.5f32..0.5))
            .collect();
        Named {
            name,
            shape,
            values,
        }
    };
    all.into_iter().map(&mut fill).collect()
}

fn spell(name: TensorName, naming: Naming) -> String {
    let family = truefill_model::config::Family::Llama;
    name.spell(family, naming).expect("a Llama has it")
}

/// As on the hub.
fn hub(tensors: &[Named]) -> MemoryWeights {
    let mut weights = MemoryWeights::new(Naming::Hub);
    for tensor in tensors {
        let name = spell(tensor.name, Naming::Hub);
        weights
            .insert(name, WeightDtype::F32, &tensor.shape, &tensor.values)
            .expect("encodes");
    }
    weights
}

fn hub_config(attention_bias: bool) -> ModelConfig {
    let config = json!({
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS, "intermediate_size": FFN, "vocab_size": VOCABULARY,
        "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "tie_word_embeddings": true,
        "attention_bias": attention_bias,
    });
    ModelConfig::from_hub_json(config.to_string().as_bytes()).expect("supported")
}

/// What llama.cpp's converter does to the rows of queries and keys, weights and biases alike:
/// `reshape(heads, 2, rows / heads / 2, …).swapaxes(1, 2)`.
fn interleaved(tensor: &Named) -> Vec<f32> {
    let heads = match tensor.name {
        TensorName::Layer {
            part: LayerPart::Q, ..
        } => HEADS,
        TensorName::Layer {
            part: LayerPart::K, ..
        } => KV_HEADS,
        _ => return tensor.values.clone(),
    };
    let rows = tensor.shape[0];
    let (width, half) = (tensor.values.len() / rows, rows / heads / 2);
    let mut out = Vec::with_capacity(tensor.values.len());
    for head in 0..heads {
        for pair in 0..half {
            for side in 0..2 {
                let row = (head * 2 + side) * half + pair;
                out.extend_from_slice(&tensor.values[row * width..][..width]);
            }
        }
    }
    out
}

/// As llama.cpp's converter writes it.
fn gguf(tensors: &[Named]) -> GgufFile {
    let mut writer = GgufWriter::new();
    writer.metadata(
        "general.architecture",
        MetadataValue::String("llama".to_owned()),
    );
    for (key, value) in [
        ("block_count", LAYERS),
        ("context_length", 64),
        ("embedding_length", HIDDEN),
        ("feed_forward_length", FFN),
        ("attention.head_count", HEADS),
        ("attention.head_count_kv", KV_HEADS),
    ] {
        writer.metadata(format!("llama.{key}"), MetadataValue::U32(value as u32));
    }
    writer.metadata(
        "llama.attention.layer_norm_rms_epsilon",
        MetadataValue::F32(1e-5),
    );
    for tensor in tensors {
        let (name, values) = (spell(tensor.name, Naming::Gguf), interleaved(tensor));
        writer
            .encode(name, WeightDtype::F32, &tensor.shape, &values)
            .expect("encodes");
    }
    let mut bytes = Vec::new();
    writer.write(&mut bytes).expect("writes");
    GgufFile::from_bytes("biased.gguf", bytes).expect("sound")
}

fn logits(config: ModelConfig, source: &dyn WeightSource, precision: Precision) -> Vec<f32> {
    let decoder = Decoder::on_cpu(config, source, precision, 64).expect("loads");
    let tokens: Vec<TokenId> = (0..20).map(|nth| TokenId(nth * 7 % 24)).collect();
    let mut cache = decoder.cache(64).expect("cache");
    decoder
        .forward(&mut cache, &tokens, &[5, 19], &|| false)
        .expect("forward")
}

#[test]
fn a_biased_llama_computes_the_same_from_either_kind_of_file() {
    let tensors = tensors();
    let file = gguf(&tensors);
    let config = ModelConfig::from_gguf(&file).expect("supported");
    assert!(config.attention_bias && config.output_bias);
    for precision in [Precision::Exact, Precision::Serving] {
        let expected = logits(hub_config(true), &hub(&tensors), precision);
        let found = logits(config.clone(), &file, precision);
        let largest = expected.iter().fold(0.0f32, |max, v| max.max(v.abs()));
        for (a, b) in found.iter().zip(&expected) {
            assert!((a - b).abs() <= 1e-5 * largest, "{precision:?}: {a} {b}");
        }
    }
}

#[test]
fn a_bias_that_the_configuration_does_not_name_is_refused_by_name() {
    let refuse = |config: ModelConfig, tensors: &[Named]| {
        let decoder = Decoder::on_cpu(config, &hub(tensors), Precision::Exact, 64);
        decoder.map(drop).expect_err("refused")
    };
    let error = refuse(hub_config(false), &tensors());
    assert!(matches!(error, ModelError::UnexpectedBias { .. }));
    let name = "`model.layers.0.self_attn.q_proj.bias`";
    assert!(error.to_string().contains(name), "{error}");

    // One that is missing in a later layer, and a norm with a bias.
    let mut fewer = tensors();
    fewer.retain(|tensor| tensor.name != TensorName::bias(1, LayerPart::V));
    let error = refuse(hub_config(true), &fewer).to_string();
    assert!(
        error.contains("`model.layers.1.self_attn.v_proj.bias`"),
        "{error}"
    );
    let mut more = tensors();
    more.push(Named {
        name: TensorName::OutputNorm { bias: true },
        shape: vec![HIDDEN],
        values: vec![0.0; HIDDEN],
    });
    let error = refuse(hub_config(true), &more).to_string();
    assert!(error.contains("`model.norm.bias`"), "{error}");
}

#[test]
fn weights_that_are_not_finite_are_refused_by_name() {
    let mut damaged = tensors();
    let name = TensorName::weight(1, LayerPart::Down);
    let tensor = damaged.iter_mut().find(|tensor| tensor.name == name);
    tensor.expect("there").values[7] = f32::NAN;
    let decoder = Decoder::on_cpu(hub_config(true), &hub(&damaged), Precision::Serving, 64);
    let error = decoder.map(drop).expect_err("refused").to_string();
    assert!(
        error.contains("`model.layers.1.mlp.down_proj.weight`"),
        "{error}"
    );
}
