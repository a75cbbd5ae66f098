//! Configurations from the metadata and tensors of GGUF files.

use truefill_model::config::{
    Activation, ConfigError, Family, ModelConfig, NormKind, RopeLayout, RopeScaling,
};
use truefill_model::weights::gguf::MetadataValue as Meta;
use truefill_model::weights::{GgufFile, GgufWriter, WeightDtype};

/// A GGUF file of a tiny model with the tensors that the configuration is read off.
struct Tiny {
    family: &'static str,
    metadata: Vec<(String, Meta)>,
    tensors: Vec<(&'static str, Vec<usize>)>,
}

impl Tiny {
    fn new(family: &'static str) -> Self {
        let epsilon = if family == "starcoder2" {
            "layer_norm_epsilon"
        } else {
            "layer_norm_rms_epsilon"
        };
        let mut tiny = Self {
            family,
            metadata: vec![],
            tensors: vec![],
        };
        tiny.tensors.push(("token_embd.weight", vec![10, 64]));
        for (key, value) in [
            ("block_count", 2),
            ("context_length", 128),
            ("embedding_length", 64),
            ("feed_forward_length", 96),
            ("attention.head_count", 4),
            ("attention.head_count_kv", 2),
        ] {
            tiny.set(key, Meta::U32(value));
        }
        tiny.set(&format!("attention.{epsilon}"), Meta::F32(1e-5));
        tiny
    }

    /// Sets a key of the family; keys that name their own group stay as they are.
    fn set(&mut self, key: &str, value: Meta) {
        let own = key.starts_with("general.");
        let key = if own {
            key.to_owned()
        } else {
            format!("{}.{key}", self.family)
        };
        self.metadata.retain(|(other, _)| *other != key);
        self.metadata.push((key, value));
    }

    fn read(&self) -> Result<ModelConfig, ConfigError> {
        let mut writer = GgufWriter::new();
        writer.metadata("general.architecture", Meta::String(self.family.to_owned()));
        for (key, value) in &self.metadata {
            writer.metadata(key, value.clone());
        }
        for (name, shape) in &self.tensors {
            let values = vec![2.0; shape.iter().product()];
            writer
                .encode(*name, WeightDtype::F32, shape, &values)
                .expect("encodes");
        }
        let mut bytes = Vec::new();
        writer.write(&mut bytes).expect("writes");
        ModelConfig::from_gguf(&GgufFile::from_bytes("tiny.gguf", bytes).expect("opens"))
    }
}

#[test]
fn gguf_metadata_and_tensors_make_a_configuration() {
    let mut tiny = Tiny::new("llama");
    tiny.set("rope.freq_base", Meta::F32(1e5));
    tiny.set("rope.dimension_count", Meta::U32(16));
    let expected = ModelConfig {
        family: Family::Llama,
        hidden: 64,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        head_dim: 16,
        ffn: 96,
        vocabulary: 10,
        max_positions: 128,
        norm: NormKind::Rms,
        norm_epsilon: 1e-5,
        activation: Activation::SiluGated,
        rope_base: 1e5,
        rope_scaling: RopeScaling::None,
        rope_layout: RopeLayout::Interleaved,
        attention_bias: false,
        output_bias: false,
        mlp_bias: false,
        tied_head: true,
        sliding_window: None,
    };
    assert_eq!(tiny.read().expect("supported"), expected);
    tiny.tensors.push(("output.weight", vec![10, 64]));
    assert!(!tiny.read().expect("supported").tied_head);
}

#[test]
fn gguf_biases_are_read_off_the_tensors() {
    let mut tiny = Tiny::new("qwen2");
    tiny.tensors.push(("blk.0.attn_q.bias", vec![64]));
    let config = tiny.read().expect("supported");
    assert_eq!(
        (config.attention_bias, config.output_bias, config.mlp_bias),
        (true, false, false)
    );
    assert_eq!(config.rope_layout, RopeLayout::HalfSplit);

    let mut tiny = Tiny::new("starcoder2");
    for (name, size) in [
        ("blk.0.attn_q.bias", 64),
        ("blk.0.attn_output.bias", 64),
        ("blk.0.ffn_up.bias", 96),
    ] {
        tiny.tensors.push((name, vec![size]));
    }
    tiny.set("attention.sliding_window", Meta::U32(32));
    let config = tiny.read().expect("supported");
    assert_eq!(
        (config.attention_bias, config.output_bias, config.mlp_bias),
        (true, true, true)
    );
    assert_eq!(
        (config.norm, config.sliding_window),
        (NormKind::Layer, Some(32))
    );
    assert_eq!(config.rope_layout, RopeLayout::HalfSplit);
}

#[test]
fn gguf_rope_scaling() {
    let linear = RopeScaling::Linear { factor: 4.0 };
    for (kind, key, factor, expected) in [
        (Some("linear"), "rope.scaling.factor", 4.0, linear.clone()),
        (None, "rope.scaling.factor", 4.0, linear.clone()),
        (None, "rope.scale_linear", 4.0, linear),
        (Some("none"), "rope.scaling.factor", 4.0, RopeScaling::None),
        (
            Some("linear"),
            "rope.scaling.factor",
            0.0,
            RopeScaling::None,
        ),
    ] {
        let mut tiny = Tiny::new("llama");
        if let Some(kind) = kind {
            tiny.set("rope.scaling.type", Meta::String(kind.to_owned()));
        }
        tiny.set(key, Meta::F32(factor));
        assert_eq!(
            tiny.read().expect("supported").rope_scaling,
            expected,
            "{kind:?} {key}"
        );
    }
    let mut tiny = Tiny::new("llama");
    tiny.tensors.push(("rope_freqs.weight", vec![8]));
    let config = tiny.read().expect("supported");
    assert_eq!(config.rope_scaling, RopeScaling::Factors(vec![2.0; 8]));
}

#[test]
fn gguf_models_that_the_decoder_does_not_compute_are_refused() {
    let refused: Vec<String> = [
        ("general.architecture", Meta::String("gemma".to_owned())),
        ("general.type", Meta::String("adapter".to_owned())),
        ("block_count", Meta::U32(0)),
        ("block_count", Meta::String("two".to_owned())),
        ("block_count", Meta::I32(-2)),
        ("block_count", Meta::U64(u64::MAX)),
        ("attention.head_count", Meta::U32s(vec![4, 4])),
        ("attention.head_count", Meta::U32(0)),
        ("attention.head_count", Meta::U32(5)),
        ("attention.head_count_kv", Meta::U32(3)),
        ("attention.key_length", Meta::U32(15)),
        ("attention.value_length", Meta::U32(8)),
        ("rope.dimension_count", Meta::U32(8)),
        ("embedding_length", Meta::U32(32)),
        ("attention.layer_norm_rms_epsilon", Meta::F32(f32::NAN)),
        ("rope.freq_base", Meta::F32(f32::INFINITY)),
        ("rope.scaling.type", Meta::String("yarn".to_owned())),
        ("expert_count", Meta::U32(8)),
    ]
    .into_iter()
    .map(|(key, value)| {
        let mut tiny = Tiny::new("llama");
        if key == "general.architecture" {
            tiny = Tiny::new("gemma");
        } else {
            tiny.set(key, value);
        }
        tiny.read().expect_err("refused").to_string()
    })
    .collect();
    let mut all = refused;
    for (name, shape) in [("blk.0.ffn_down.bias", 64), ("rope_freqs.weight", 7)] {
        let mut tiny = Tiny::new("llama");
        tiny.tensors.push((name, vec![shape]));
        all.push(tiny.read().expect_err("refused").to_string());
    }
    let mut tiny = Tiny::new("llama");
    tiny.metadata
        .retain(|(key, _)| key != "llama.embedding_length");
    all.push(tiny.read().expect_err("refused").to_string());
    insta::assert_snapshot!(all.join("\n"));
}
