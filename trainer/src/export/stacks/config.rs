//! The files beside the rows: configuration, DeepSpeed's, and how to start it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;
use serde_json::{Value, json};

use super::super::Target;
use super::{Job, trl};
use crate::train::recipe::{ObjectiveName, Parameters, TrainRecipe};
use crate::train::schedule::Decay;

/// All names that [`files`] gives, of any job.
pub(super) const NAMES: [&str; 6] = [
    "ds_z3_config.json",
    "accelerate.yaml",
    "train.py",
    "axolotl.yaml",
    "dataset_info.json",
    "train.yaml",
];

pub(super) fn files(job: &Job<'_>, evaluation: bool) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    let pretty = |value: &Value| format!("{value:#}\n");
    files.insert("ds_z3_config.json".to_owned(), pretty(&deepspeed()));
    match job.target {
        Target::Trl => {
            files.insert("accelerate.yaml".into(), trl::accelerate());
            files.insert("train.py".into(), trl::program(job, evaluation));
        }
        Target::Axolotl => {
            files.insert("axolotl.yaml".into(), axolotl(job, evaluation));
        }
        _ => {
            let mut info = json!({"truefill": dataset("train.jsonl", job.pairs())});
            if evaluation {
                info["truefill_eval"] = dataset("eval.jsonl", job.pairs());
            }
            files.insert("dataset_info.json".into(), pretty(&info));
            files.insert("train.yaml".into(), llama_factory(job, evaluation));
        }
    }
    Ok(files)
}

fn dataset(file: &str, pairs: bool) -> Value {
    match pairs {
        true => json!({
            "file_name": file, "ranking": true,
            "columns": {
                "prompt": "instruction", "query": "input", "chosen": "chosen",
                "rejected": "rejected",
            },
        }),
        false => json!({
            "file_name": file,
            "columns": {"prompt": "instruction", "query": "input", "response": "output"},
        }),
    }
}

/// ZeRO-3; the weights are gathered when they are saved, so that they come back as safetensors.
fn deepspeed() -> Value {
    json!({
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
        "zero_allow_untested_optimizer": true,
        "bf16": {"enabled": "auto"},
        "fp16": {"enabled": "auto"},
        "zero_optimization": {
            "stage": 3,
            "overlap_comm": false,
            "contiguous_gradients": true,
            "sub_group_size": 1e9,
            "reduce_bucket_size": "auto",
            "stage3_prefetch_bucket_size": "auto",
            "stage3_param_persistence_threshold": "auto",
            "stage3_max_live_parameters": 1e9,
            "stage3_max_reuse_distance": 1e9,
            "stage3_gather_16bit_weights_on_model_save": true,
        },
    })
}

/// The schedule by transformers' name, and the keys that it needs.
pub(super) fn schedule(job: &Job<'_>) -> (&'static str, Option<Value>) {
    let least = job.recipe.schedule.min_ratio;
    match job.recipe.schedule.decay {
        Decay::Constant => ("constant_with_warmup", None),
        _ if least == 1.0 => ("constant_with_warmup", None),
        Decay::Cosine if least == 0.0 => ("cosine", None),
        Decay::Linear if least == 0.0 => ("linear", None),
        Decay::Cosine => ("cosine_with_min_lr", Some(json!({"min_lr_rate": least}))),
        Decay::Linear => {
            let lr_end = least * job.recipe.learning_rate();
            ("polynomial", Some(json!({"lr_end": lr_end, "power": 1.0})))
        }
    }
}

/// Warm-up, optimiser and states, by the names that all three programs have.
pub(super) fn common(job: &Job<'_>) -> Vec<(&'static str, Value)> {
    let (recipe, adam) = (job.recipe, &job.recipe.adam);
    let mut keys: Vec<(&str, Value)> = vec![
        ("warmup_steps", job.warmup().into()),
        ("max_grad_norm", recipe.clip.into()),
        ("weight_decay", adam.weight_decay.into()),
        ("adam_beta1", adam.beta1.into()),
        ("adam_beta2", adam.beta2.into()),
        ("adam_epsilon", adam.epsilon.into()),
        ("save_steps", recipe.save.every.into()),
        ("save_total_limit", recipe.save.keep.into()),
    ];
    keys.extend(schedule(job).1.map(|keys| ("lr_scheduler_kwargs", keys)));
    keys
}

/// YAML of plain keys; texts are quoted as JSON, which YAML reads.
#[derive(Default)]
pub(super) struct Yaml(pub(super) String);

impl Yaml {
    pub(super) fn put(&mut self, key: &str, value: impl Into<Value>) {
        let _ = writeln!(self.0, "{key}: {}", yaml(&value.into()));
    }
}

fn yaml(value: &Value) -> String {
    let text = value.to_string();
    match value {
        // Without a point, `1e-5` is a text for Python's reader of YAML.
        Value::Number(_) if !text.contains('.') => text.replace('e', ".0e"),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(yaml).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(keys) => {
            let keys = keys.iter();
            let keys: Vec<String> = keys
                .map(|(key, value)| format!("{}:{}", json!(key), yaml(value)))
                .collect();
            format!("{{{}}}", keys.join(","))
        }
        _ => text,
    }
}

/// The length of a run: as many epochs, or as many steps.
fn length(job: &Job<'_>, yaml: &mut Yaml, epochs: &str) {
    match job.recipe.steps {
        Some(steps) => yaml.put("max_steps", steps),
        None => yaml.put(epochs, job.recipe.epochs),
    }
}

fn llama_factory(job: &Job<'_>, evaluation: bool) -> String {
    let recipe = job.recipe;
    let (at_once, accumulated) = job.batch();
    let mut yaml = Yaml::default();
    yaml.put("model_name_or_path", job.model.as_str());
    yaml.put("stage", if job.pairs() { "dpo" } else { "sft" });
    yaml.put("do_train", true);
    match recipe.parameters {
        Parameters::Full => yaml.put("finetuning_type", "full"),
        Parameters::Lora => {
            yaml.put("finetuning_type", "lora");
            yaml.put("lora_rank", recipe.lora.rank);
            yaml.put("lora_alpha", recipe.lora.alpha as i64);
            yaml.put("lora_dropout", 0.0);
            yaml.put("lora_target", job.matrices.join(","));
        }
    }
    match recipe.objective {
        ObjectiveName::Orpo => {
            yaml.put("pref_loss", "orpo");
            yaml.put("pref_beta", recipe.orpo.lambda);
        }
        ObjectiveName::Dpo => {
            yaml.put("pref_loss", "sigmoid");
            yaml.put("pref_beta", recipe.dpo.beta);
            yaml.put("pref_ftx", recipe.dpo.pref_ftx);
        }
        _ => {}
    }
    yaml.put("deepspeed", "ds_z3_config.json");
    yaml.put("dataset_dir", ".");
    yaml.put("dataset", "truefill");
    // No template: the rows have their sentinels and their end token already.
    yaml.put("template", "empty");
    yaml.put("cutoff_len", job.cutoff);
    yaml.put("per_device_train_batch_size", at_once);
    yaml.put("gradient_accumulation_steps", accumulated);
    yaml.put("learning_rate", recipe.learning_rate());
    length(job, &mut yaml, "num_train_epochs");
    yaml.put("lr_scheduler_type", schedule(job).0);
    for (key, value) in common(job) {
        yaml.put(key, value);
    }
    yaml.put("bf16", true);
    yaml.put("flash_attn", "fa2");
    yaml.put("disable_gradient_checkpointing", !recipe.recompute);
    yaml.put("seed", recipe.seed);
    yaml.put("output_dir", "out");
    yaml.put("logging_steps", 10);
    yaml.put("report_to", "none");
    if evaluation {
        yaml.put("eval_dataset", "truefill_eval");
        yaml.put("eval_strategy", "steps");
        yaml.put("eval_steps", recipe.eval.every);
    }
    yaml.0
}

fn axolotl_objective(recipe: &TrainRecipe, yaml: &mut Yaml) {
    match recipe.objective {
        ObjectiveName::Orpo => {
            yaml.put("rl", "orpo");
            yaml.put("orpo_alpha", recipe.orpo.lambda);
        }
        ObjectiveName::Dpo => {
            yaml.put("rl", "dpo");
            yaml.put("rl_beta", recipe.dpo.beta);
            if recipe.dpo.pref_ftx > 0.0 {
                yaml.put("dpo_loss_type", json!(["sigmoid", "sft"]));
                yaml.put("dpo_loss_weights", json!([1.0, recipe.dpo.pref_ftx]));
            }
        }
        _ => yaml.put("train_on_inputs", false),
    }
}

fn axolotl(job: &Job<'_>, evaluation: bool) -> String {
    let recipe = job.recipe;
    let (at_once, accumulated) = job.batch();
    let mut yaml = Yaml::default();
    yaml.put("base_model", job.model.as_str());
    let kind = match job.pairs() {
        true => json!({
            "type": {
                "field_prompt": "prompt", "field_chosen": "chosen", "field_rejected": "rejected",
                "prompt_format": "{prompt}", "chosen_format": "{chosen}",
                "rejected_format": "{rejected}",
            },
            "ds_type": "json", "split": "train",
        }),
        false => json!({"type": "input_output", "ds_type": "json", "split": "train"}),
    };
    let with = |file: &str| {
        let mut entry = kind.clone();
        entry["path"] = file.into();
        entry["data_files"] = json!([file]);
        json!([entry])
    };
    yaml.put("datasets", with("train.jsonl"));
    if evaluation {
        yaml.put("test_datasets", with("eval.jsonl"));
        yaml.put("eval_steps", recipe.eval.every);
    }
    axolotl_objective(recipe, &mut yaml);
    if recipe.parameters == Parameters::Lora {
        yaml.put("adapter", "lora");
        yaml.put("lora_r", recipe.lora.rank);
        yaml.put("lora_alpha", recipe.lora.alpha as i64);
        yaml.put("lora_dropout", 0.0);
        yaml.put("lora_target_modules", json!(job.matrices));
    }
    yaml.put("special_tokens", json!({"eos_token": job.end}));
    yaml.put("sequence_len", job.cutoff);
    yaml.put("sample_packing", false);
    yaml.put("micro_batch_size", at_once);
    yaml.put("gradient_accumulation_steps", accumulated);
    length(job, &mut yaml, "num_epochs");
    yaml.put("learning_rate", recipe.learning_rate());
    yaml.put("lr_scheduler", schedule(job).0);
    for (key, value) in common(job) {
        yaml.put(key, value);
    }
    yaml.put("optimizer", "adamw_torch");
    yaml.put("bf16", true);
    yaml.put("flash_attention", true);
    yaml.put("gradient_checkpointing", recipe.recompute);
    yaml.put("deepspeed", "ds_z3_config.json");
    yaml.put("seed", recipe.seed);
    yaml.put("output_dir", "out");
    yaml.0
}
