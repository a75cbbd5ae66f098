//! The files beside the rows: configuration, DeepSpeed's, and how to start it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;
use serde_json::{Value, json};

use super::super::Target;
use super::{Job, StackReport};
use crate::train::recipe::{ObjectiveName, Parameters};
use crate::train::schedule::Decay;

/// GPUs of the paper's machine (B.2); the batch of a step is shared among them.
const GPUS: usize = 8;

pub(super) fn files(job: &Job<'_>, evaluation: bool) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    let pretty = |value: &Value| format!("{value:#}\n");
    files.insert("ds_z3_config.json".to_owned(), pretty(&deepspeed()));
    match job.target {
        Target::Trl => {
            files.insert("accelerate.yaml".into(), accelerate());
            files.insert("train.py".into(), trl(job, evaluation));
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

/// Rows that a GPU takes at a time and steps that are summed, for the recipe's rows of a step.
fn batch(job: &Job<'_>) -> (usize, usize) {
    let each = (job.recipe.rows_per_step / GPUS).max(1);
    let at_once = (1..=each.min(4))
        .rev()
        .find(|rows| each.is_multiple_of(*rows));
    let at_once = at_once.unwrap_or(1);
    (at_once, each / at_once)
}

fn schedule(job: &Job<'_>) -> &'static str {
    match job.recipe.schedule.decay {
        Decay::Cosine => "cosine",
        Decay::Linear => "linear",
        Decay::Constant => "constant_with_warmup",
    }
}

/// YAML of plain keys; texts are quoted as JSON, which YAML reads.
struct Yaml(String);

/// The optimiser and its warm-up, by the names that all three programs have.
fn optimiser(job: &Job<'_>) -> [(&'static str, Value); 6] {
    let (schedule, adam) = (&job.recipe.schedule, &job.recipe.adam);
    let warmup = match schedule.warmup_steps {
        Some(steps) => ("warmup_steps", steps.into()),
        None => ("warmup_ratio", schedule.warmup_ratio.into()),
    };
    [
        warmup,
        ("max_grad_norm", job.recipe.clip.into()),
        ("weight_decay", adam.weight_decay.into()),
        ("adam_beta1", adam.beta1.into()),
        ("adam_beta2", adam.beta2.into()),
        ("adam_epsilon", adam.epsilon.into()),
    ]
}

impl Yaml {
    fn put(&mut self, key: &str, value: impl Into<Value>) {
        let value = value.into();
        let mut text = value.to_string();
        // Without a point, `1e-5` is a text for Python's reader of YAML.
        if value.is_f64() && !text.contains('.') {
            text = text.replace('e', ".0e");
        }
        let _ = writeln!(self.0, "{key}: {text}");
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
    let (at_once, accumulated) = batch(job);
    let mut yaml = Yaml(String::new());
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
            yaml.put("lora_target", recipe.lora.targets.join(","));
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
    yaml.put("lr_scheduler_type", schedule(job));
    for (key, value) in optimiser(job) {
        yaml.put(key, value);
    }
    yaml.put("bf16", true);
    yaml.put("seed", recipe.seed);
    yaml.put("output_dir", "out");
    yaml.put("save_steps", recipe.save.every);
    yaml.put("logging_steps", 10);
    yaml.put("report_to", "none");
    if evaluation {
        yaml.put("eval_dataset", "truefill_eval");
        yaml.put("eval_strategy", "steps");
        yaml.put("eval_steps", recipe.eval.every);
    }
    yaml.0
}

fn axolotl(job: &Job<'_>, evaluation: bool) -> String {
    let recipe = job.recipe;
    let (at_once, accumulated) = batch(job);
    let mut yaml = Yaml(String::new());
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
    match recipe.objective {
        ObjectiveName::Orpo => {
            yaml.put("rl", "orpo");
            yaml.put("orpo_alpha", recipe.orpo.lambda);
        }
        ObjectiveName::Dpo => {
            yaml.put("rl", "dpo");
            yaml.put("rl_beta", recipe.dpo.beta);
            yaml.put("dpo_rpo_alpha", recipe.dpo.pref_ftx);
        }
        _ => yaml.put("train_on_inputs", false),
    }
    if recipe.parameters == Parameters::Lora {
        yaml.put("adapter", "lora");
        yaml.put("lora_r", recipe.lora.rank);
        yaml.put("lora_alpha", recipe.lora.alpha as i64);
        yaml.put("lora_dropout", 0.0);
        yaml.put("lora_target_modules", json!(recipe.lora.targets));
    }
    yaml.put("special_tokens", json!({"eos_token": job.end}));
    yaml.put("sequence_len", job.cutoff);
    yaml.put("sample_packing", false);
    yaml.put("micro_batch_size", at_once);
    yaml.put("gradient_accumulation_steps", accumulated);
    length(job, &mut yaml, "num_epochs");
    yaml.put("learning_rate", recipe.learning_rate());
    yaml.put("lr_scheduler", schedule(job));
    for (key, value) in optimiser(job) {
        yaml.put(key, value);
    }
    yaml.put("optimizer", "adamw_torch");
    yaml.put("bf16", true);
    yaml.put("gradient_checkpointing", recipe.recompute);
    yaml.put("deepspeed", "ds_z3_config.json");
    yaml.put("seed", recipe.seed);
    yaml.put("save_steps", recipe.save.every);
    yaml.put("output_dir", "out");
    yaml.0
}

fn accelerate() -> String {
    let mut yaml = Yaml(String::new());
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

fn trl(job: &Job<'_>, evaluation: bool) -> String {
    let recipe = job.recipe;
    let (at_once, accumulated) = batch(job);
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
        ("lr_scheduler_type", schedule(job).into()),
        ("seed", recipe.seed.into()),
        ("save_steps", recipe.save.every.into()),
        ("logging_steps", 10.into()),
        ("report_to", "none".into()),
    ];
    settings.extend(optimiser(job));
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
    let (peft_import, peft) = match recipe.parameters {
        Parameters::Full => (String::new(), "None".to_owned()),
        Parameters::Lora => (
            "from peft import LoraConfig\n".to_owned(),
            format!(
                "LoraConfig(r={}, lora_alpha={}, lora_dropout=0.0, target_modules={}, \
                 task_type=\"CAUSAL_LM\")",
                recipe.lora.rank,
                recipe.lora.alpha as i64,
                json!(recipe.lora.targets)
            ),
        ),
    };
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
         tokenizer.eos_token = {end}\n\
         rows = load_dataset(\"json\", data_files={data})\n\
         config = {name}Config(\n{keys}    bf16=True,\n)\n\
         trainer = {name}Trainer(\n    model=AutoModelForCausalLM.from_pretrained(MODEL, \
         dtype=\"bfloat16\"),\n    args=config,\n    train_dataset=rows[\"train\"],\n    \
         eval_dataset=rows.get(\"eval\"),\n    processing_class=tokenizer,\n    \
         peft_config={peft},\n)\ntrainer.train()\ntrainer.save_model(\"out\")\n",
        model = json!(job.model),
        end = json!(job.end),
    )
}

pub(super) fn readme(job: &Job<'_>, report: &StackReport) -> String {
    let (program, command) = match job.target {
        Target::Trl => (
            "TRL",
            "accelerate launch --config_file accelerate.yaml train.py",
        ),
        Target::Axolotl => ("Axolotl", "axolotl train axolotl.yaml"),
        _ => (
            "LLaMA-Factory",
            "FORCE_TORCHRUN=1 llamafactory-cli train train.yaml",
        ),
    };
    let (at_once, accumulated) = batch(job);
    let mut out = format!("# A job for {program}\n\n```sh\n");
    if job.model == "model" {
        let _ = writeln!(
            out,
            "truefill-trainer export {} --to hub --type bf16 --out model",
            job.recipe.checkpoint
        );
    }
    let back = match job.recipe.parameters {
        Parameters::Full => "truefill-trainer import out",
        Parameters::Lora => "truefill-trainer import out --adapter",
    };
    let _ = writeln!(
        out,
        "{command}\n{back} --base {}\n```\n\nRun it in this folder, on a machine with {GPUS} GPUs: a \
         step has {GPUS} × {at_once} × {accumulated} rows. With another number of GPUs, change \
         `gradient_accumulation_steps` so that the product stays.\n",
        job.recipe.checkpoint
    );
    let _ = writeln!(
        out,
        "`train.jsonl` has {} rows, the longest of {} tokens of at most {}. They are cut to that \
         already, the prefix from its beginning and the suffix from its end, so nothing is cut there \
         and no sentinel is lost. Every completion ends with `{}`; no template is to add another.",
        report.rows, report.longest, job.cutoff, job.end
    );
    if report.other_tokens > 0 {
        let _ = writeln!(
            out,
            "\n{} rows are cut into other tokens there than here, though the text is the same.",
            report.other_tokens
        );
    }
    for (reason, rows) in &report.left_out {
        let _ = writeln!(out, "\nRows that are left out, because {reason}: {rows}.");
    }
    out
}
