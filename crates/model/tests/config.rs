//! Configurations of the models that the decoder computes, from either kind of file.

use serde_json::{Value, json};
use truefill_model::config::{
    Activation, ConfigError, Family, ModelConfig, NormKind, RopeLayout, RopeScaling,
};
use truefill_model::weights::gguf::MetadataValue as Meta;
use truefill_model::weights::{GgufFile, GgufWriter, WeightDtype};

const PARITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/parity");

fn hub(value: &Value) -> Result<ModelConfig, ConfigError> {
    ModelConfig::from_hub_json(value.to_string().as_bytes())
}

/// `base` with some keys replaced; `null` removes a key.
fn with(base: &Value, changes: &Value) -> Value {
    let mut changed = base.clone();
    let map = changed.as_object_mut().expect("an object");
    for (key, value) in changes.as_object().expect("an object") {
        match value {
            Value::Null => map.remove(key),
            value => map.insert(key.clone(), value.clone()),
        };
    }
    changed
}

fn llama() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
        "num_attention_heads": 9, "num_key_value_heads": 3, "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-5, "rope_theta": 100000, "rope_scaling": null, "vocab_size": 49152,
        "tie_word_embeddings": true, "attention_bias": false
    })
}

fn qwen2() -> Value {
    json!({
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_act": "silu",
        "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24,
        "num_attention_heads": 14, "num_key_value_heads": 2, "max_position_embeddings": 32768,
        "max_window_layers": 24, "rms_norm_eps": 1e-6, "rope_theta": 1e6,
        "sliding_window": 32768, "use_sliding_window": false, "vocab_size": 151936,
        "tie_word_embeddings": true
    })
}

fn starcoder2() -> Value {
    json!({
        "architectures": ["Starcoder2ForCausalLM"], "model_type": "starcoder2",
        "hidden_act": "gelu_pytorch_tanh", "hidden_size": 3072, "intermediate_size": 12288,
        "num_hidden_layers": 30, "num_attention_heads": 24, "num_key_value_heads": 2,
        "max_position_embeddings": 16384, "norm_epsilon": 1e-5, "norm_type": "layer_norm",
        "mlp_type": "default", "rope_theta": 999999.4420358813, "sliding_window": 4096,
        "use_bias": true, "vocab_size": 49152
    })
}

#[test]
fn smollm2_from_the_hub() {
    let expected = ModelConfig {
        family: Family::Llama,
        hidden: 576,
        layers: 30,
        heads: 9,
        kv_heads: 3,
        head_dim: 64,
        ffn: 1536,
        vocabulary: 49152,
        max_positions: 8192,
        norm: NormKind::Rms,
        norm_epsilon: 1e-5,
        activation: Activation::SiluGated,
        rope_base: 100_000.0,
        rope_scaling: RopeScaling::None,
        rope_layout: RopeLayout::HalfSplit,
        attention_bias: false,
        output_bias: false,
        mlp_bias: false,
        tied_head: true,
        sliding_window: None,
    };
    assert_eq!(hub(&llama()).expect("supported"), expected);
}

#[test]
fn qwen2_has_biases_of_its_own_and_starcoder2_of_all() {
    let config = hub(&qwen2()).expect("supported");
    assert_eq!(
        (config.attention_bias, config.output_bias, config.mlp_bias),
        (true, false, false)
    );
    assert_eq!(
        (config.tied_head, config.head_dim, config.sliding_window),
        (true, 64, None)
    );

    let config = hub(&starcoder2()).expect("supported");
    assert_eq!(
        (config.attention_bias, config.output_bias, config.mlp_bias),
        (true, true, true)
    );
    assert_eq!(
        (config.norm, config.activation),
        (NormKind::Layer, Activation::GeluTanh)
    );
    assert_eq!(
        (config.tied_head, config.sliding_window),
        (true, Some(4096))
    );
    assert_eq!((config.rope_base, config.norm_epsilon), (999_999.44, 1e-5));
}

#[test]
fn missing_keys_mean_what_the_models_own_code_means() {
    let bare = with(
        &llama(),
        &json!({"tie_word_embeddings": null, "num_key_value_heads": null, "rope_theta": null,
            "rms_norm_eps": null, "attention_bias": null, "architectures": null}),
    );
    let config = hub(&bare).expect("supported");
    assert_eq!((config.tied_head, config.kv_heads), (false, 9));
    assert_eq!((config.rope_base, config.norm_epsilon), (10_000.0, 1e-6));
    let by_class = with(&llama(), &json!({"model_type": null}));
    assert_eq!(
        hub(&by_class).expect("named by its class").family,
        Family::Llama
    );
    let untied = with(
        &starcoder2(),
        &json!({"tie_word_embeddings": false, "use_bias": false}),
    );
    let config = hub(&untied).expect("supported");
    assert_eq!(
        (config.tied_head, config.attention_bias, config.mlp_bias),
        (false, false, false)
    );
}

#[test]
fn rope_scaling_in_its_spellings() {
    let llama3 = json!({"factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192});
    let scaled = RopeScaling::Llama3 {
        factor: 32.0,
        low_frequency: 1.0,
        high_frequency: 4.0,
        original_positions: 8192.0,
    };
    for (change, base, expected) in [
        (
            json!({"rope_scaling": {"type": "linear", "factor": 4.0}}),
            1e5,
            RopeScaling::Linear { factor: 4.0 },
        ),
        (
            json!({"rope_scaling": {"type": "linear", "rope_type": "linear", "factor": 2}}),
            1e5,
            RopeScaling::Linear { factor: 2.0 },
        ),
        (
            json!({"rope_scaling": with(&llama3, &json!({"rope_type": "llama3"}))}),
            1e5,
            scaled.clone(),
        ),
        (
            json!({"rope_theta": null, "rope_parameters":
                with(&llama3, &json!({"rope_type": "llama3", "rope_theta": 5e5}))}),
            5e5,
            scaled,
        ),
        (
            json!({"rope_theta": null,
                "rope_parameters": {"rope_type": "default", "rope_theta": 2e4}}),
            2e4,
            RopeScaling::None,
        ),
    ] {
        let config = hub(&with(&llama(), &change)).expect("supported");
        assert_eq!(
            (config.rope_base, config.rope_scaling),
            (base, expected),
            "{change}"
        );
    }
}

#[test]
fn a_window_in_all_layers_is_a_window() {
    for (change, expected) in [
        (
            json!({"use_sliding_window": true, "max_window_layers": 0}),
            Some(32768),
        ),
        (
            json!({"use_sliding_window": true, "max_window_layers": 24}),
            None,
        ),
        (
            json!({"use_sliding_window": true, "layer_types": vec!["full_attention"; 24]}),
            None,
        ),
        (
            json!({"use_sliding_window": true, "layer_types": vec!["sliding_attention"; 24]}),
            Some(32768),
        ),
    ] {
        let config = hub(&with(&qwen2(), &change)).expect("supported");
        assert_eq!(config.sliding_window, expected, "{change}");
    }
}

#[test]
fn what_the_decoder_does_not_compute_is_refused() {
    let refused: Vec<String> = [
        (llama(), json!({"model_type": "mamba\u{1b}[31m"})),
        (
            llama(),
            json!({"architectures": ["LlamaForSequenceClassification"]}),
        ),
        (llama(), json!({"model_type": null, "architectures": null})),
        (llama(), json!({"mlp_bias": true})),
        (llama(), json!({"hidden_act": "gelu"})),
        (
            llama(),
            json!({"rope_scaling": {"type": "yarn", "factor": 4.0}}),
        ),
        (llama(), json!({"rope_scaling": {"type": "linear"}})),
        (
            llama(),
            json!({"rope_scaling": {"type": "linear", "factor": 0.0}}),
        ),
        (
            llama(),
            json!({"rope_scaling": {"type": "llama3", "factor": 8, "low_freq_factor": 4,
            "high_freq_factor": 4, "original_max_position_embeddings": 64}}),
        ),
        (llama(), json!({"partial_rotary_factor": 0.5})),
        (
            llama(),
            json!({"quantization_config": {"quant_method": "gptq"}}),
        ),
        (llama(), json!({"num_hidden_layers": 0})),
        (llama(), json!({"num_hidden_layers": -1})),
        (llama(), json!({"hidden_size": null})),
        (llama(), json!({"hidden_size": 1u64 << 40})),
        (llama(), json!({"num_attention_heads": 0})),
        (llama(), json!({"num_attention_heads": 7})),
        (llama(), json!({"num_key_value_heads": 2})),
        (llama(), json!({"num_key_value_heads": 0})),
        (llama(), json!({"head_dim": 63})),
        (llama(), json!({"vocab_size": u64::MAX})),
        (llama(), json!({"rms_norm_eps": 0.0})),
        (llama(), json!({"rope_theta": 1e300})),
        (
            qwen2(),
            json!({"use_sliding_window": true, "max_window_layers": 12}),
        ),
        (starcoder2(), json!({"norm_type": "rms_norm"})),
        (starcoder2(), json!({"mlp_type": "gated"})),
        (starcoder2(), json!({"sliding_window": 0})),
    ]
    .into_iter()
    .map(|(base, change)| hub(&with(&base, &change)).expect_err("refused").to_string())
    .collect();
    insta::assert_snapshot!(refused.join("\n"));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.json");
    let error = ModelConfig::from_hub_file(&path).expect_err("absent");
    assert!(
        error.to_string().contains("config.json: cannot be read"),
        "{error}"
    );
    std::fs::write(&path, vec![b' '; 2 << 20]).expect("writes");
    let error = ModelConfig::from_hub_file(&path).expect_err("too large");
    assert!(
        error
            .to_string()
            .ends_with("1048576 bytes of JSON, found more"),
        "{error}"
    );
    assert!(ModelConfig::from_hub_json(b"not json").is_err());
    assert!(ModelConfig::from_hub_json(&[0xff; 8]).is_err());
}

#[test]
fn the_reference_models_configurations_are_read() {
    let mut count = 0;
    for entry in std::fs::read_dir(PARITY).expect("the reference models") {
        let path = entry.expect("an entry").path().join("config.json");
        if let Ok(bytes) = std::fs::read(&path) {
            let config = ModelConfig::from_hub_json(&bytes).expect("supported");
            assert_eq!(
                ModelConfig::from_hub_file(&path).expect("supported"),
                config
            );
            assert_eq!(
                (config.vocabulary, config.kv_heads),
                (160, 2),
                "{}",
                path.display()
            );
            count += 1;
        }
    }
    assert!(count >= 8, "{count} models");
}

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
