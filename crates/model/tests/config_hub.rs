//! Configurations from the hub's `config.json`.

use serde_json::{Value, json};
use truefill_model::config::{
    Activation, ConfigError, Family, ModelConfig, NormKind, RopeLayout, RopeScaling,
};

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
