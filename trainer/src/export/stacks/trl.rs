//! TRL's program and how it is launched.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::config::{Yaml, common, schedule};
use super::{GPUS, Job};
use crate::train::recipe::{ObjectiveName, Parameters};

pub(super) fn accelerate() -> String {
    let mut yaml = Yaml::default();
    yaml.put("compute_environment", "LOCAL_MACHINE");
    yaml.put("distributed_type", "DEEPSPEED");
    yaml.put(
        "deepspeed_config",
        json!({"deepspeed_config_file": "ds_z3_config.json", "zero3_init_flag": true}),
    );
    yaml.put("num_machines", 1);
    yaml.put("num_processes", GPUS);
    yaml.put("machine_rank", 0);
    yaml.0
}

pub(super) fn program(job: &Job<'_>, evaluation: bool) -> String {
    let recipe = job.recipe;
    let (at_once, accumulated) = job.batch();
    let (module, name) = match recipe.objective {
        ObjectiveName::Orpo => ("trl.experimental.orpo", "ORPO"),
        ObjectiveName::Dpo => ("trl", "DPO"),
        _ => ("trl", "SFT"),
    };
    let mut settings: Vec<(&str, Value)> = vec![
        ("output_dir", "out".into()),
        ("max_length", job.cutoff.into()),
        ("per_device_train_batch_size", at_once.into()),
        ("gradient_accumulation_steps", accumulated.into()),
        ("learning_rate", recipe.learning_rate().into()),
        ("lr_scheduler_type", schedule(job).0.into()),
        ("seed", recipe.seed.into()),
        ("logging_steps", 10.into()),
        ("report_to", "none".into()),
    ];
    settings.extend(common(job));
    match recipe.steps {
        Some(steps) => settings.push(("max_steps", steps.into())),
        None => settings.push(("num_train_epochs", recipe.epochs.into())),
    }
    match recipe.objective {
        ObjectiveName::Orpo => settings.push(("beta", recipe.orpo.lambda.into())),
        ObjectiveName::Dpo => settings.push(("beta", recipe.dpo.beta.into())),
        _ => settings.push(("eos_token", job.end.as_str().into())),
    }
    if recipe.objective == ObjectiveName::Dpo && recipe.dpo.pref_ftx > 0.0 {
        settings.push(("loss_type", json!(["sigmoid", "sft"])));
        settings.push(("loss_weights", json!([1.0, recipe.dpo.pref_ftx])));
    }
    if evaluation {
        settings.push(("eval_strategy", "steps".into()));
        settings.push(("eval_steps", recipe.eval.every.into()));
    }
    let keys = settings
        .iter()
        .fold(String::new(), |mut out, (key, value)| {
            let _ = writeln!(out, "    {key}={value},");
            out
        });
    let (peft_import, peft) = adapter(job);
    let begin = begin(job);
    let data = match evaluation {
        true => "{\"train\": \"train.jsonl\", \"eval\": \"eval.jsonl\"}",
        false => "{\"train\": \"train.jsonl\"}",
    };
    format!(
        "from datasets import load_dataset\n{peft_import}from transformers import \
         AutoModelForCausalLM, AutoTokenizer\nfrom {module} import {name}Config, {name}Trainer\n\n\
         MODEL = {model}\n\n\
         tokenizer = AutoTokenizer.from_pretrained(MODEL)\n\
         # Completions end with it already; TRL adds it where it is missing.\n\
         tokenizer.eos_token = {end}\n{begin}\
         rows = load_dataset(\"json\", data_files={data})\n\
         config = {name}Config(\n{keys}    gradient_checkpointing={recompute},\n    bf16=True,\n)\n\
         trainer = {name}Trainer(\n    model=AutoModelForCausalLM.from_pretrained(MODEL, \
         dtype=\"bfloat16\",\n        attn_implementation=\"flash_attention_2\"),\n    args=config,\n    train_dataset=rows[\"train\"],\n    \
         eval_dataset=rows.get(\"eval\"),\n    processing_class=tokenizer,\n    \
         peft_config={peft},\n)\ntrainer.train()\ntrainer.save_model(\"out\")\n",
        recompute = if recipe.recompute { "True" } else { "False" },
        model = json!(job.model),
        end = json!(job.end),
    )
}

/// What the program imports for an adapter, and the adapter.
fn adapter(job: &Job<'_>) -> (String, String) {
    let recipe = job.recipe;
    match recipe.parameters {
        Parameters::Full => (String::new(), "None".to_owned()),
        Parameters::Lora => (
            "from peft import LoraConfig\n".to_owned(),
            format!(
                "LoraConfig(r={}, lora_alpha={}, lora_dropout=0.0, target_modules={}, \
                 task_type=\"CAUSAL_LM\")",
                recipe.lora.rank,
                recipe.lora.alpha as i64,
                json!(job.matrices)
            ),
        ),
    }
}

/// Takes away a begin token that prompts are not to have.
fn begin(job: &Job<'_>) -> &'static str {
    match job.unasked_begin() {
        true => {
            "# TRL would put it before every prompt; this model has none there.\n\
             tokenizer.bos_token = None\n"
        }
        false => "",
    }
}
