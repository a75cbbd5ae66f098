//! What other programs do not compute, or compute in another way.

use anyhow::Result;

use super::super::Target;
use super::Job;
use crate::train::objective::Nll;
use crate::train::recipe::{ObjectiveName, Parameters, Precision};
use crate::usage::Usage;

/// Refuses what the job's program does not compute.
///
/// # Errors
/// [`Usage`], which names the key.
pub(super) fn check(job: &Job<'_>) -> Result<()> {
    let recipe = job.recipe;
    let refuse = |what: &str, advice: &str| {
        Err(Usage::error(format!(
            "section `[train]`: {what}, which no other program has; {advice}"
        )))
    };
    if matches!(
        recipe.objective,
        ObjectiveName::Fgit | ObjectiveName::FgitOrpo
    ) {
        return refuse(
            "`objective` is FGit",
            "train here, or export `sft`, `orpo` or `dpo`",
        );
    }
    if recipe.objective == ObjectiveName::Dpo && recipe.dpo.dpop != 0.0 {
        return refuse("`dpo.dpop` is not 0", "set it to 0 or train here");
    }
    if recipe.objective == ObjectiveName::Sft && recipe.sft.prompt_weight != 0.0 {
        return refuse("`sft.prompt_weight` is not 0", "set it to 0 or train here");
    }
    if recipe.tokens_per_step.is_some() {
        return refuse(
            "`tokens_per_step` is set",
            "set `rows_per_step` in its place",
        );
    }
    if recipe.parameters == Parameters::Lora && recipe.lora.new_rows {
        return refuse(
            "`lora.new_rows` is set",
            "use `parameters = \"full\"` or train here",
        );
    }
    if recipe.parameters == Parameters::Lora && recipe.lora.alpha.fract() != 0.0 {
        return Err(Usage::error(format!(
            "section `[train]`: expected a whole number in `lora.alpha`, which other programs take, \
             found {}; change it with `lora.rank`, or train here",
            recipe.lora.alpha
        )));
    }
    match recipe.objective {
        ObjectiveName::Orpo => check_nll(job),
        _ => Ok(()),
    }
}

/// Each program has its own likelihood beside ORPO's odds ratio, and no key for another.
fn check_nll(job: &Job<'_>) -> Result<()> {
    let (program, has, name) = match job.target {
        Target::Axolotl => ("Axolotl", Nll::PromptResponse, "prompt_response"),
        Target::Trl => ("TRL", Nll::PromptResponse, "prompt_response"),
        _ => ("LLaMA-Factory", Nll::Response, "response"),
    };
    match job.recipe.orpo.nll == has {
        true => Ok(()),
        false => Err(Usage::error(format!(
            "section `[train]`: expected `orpo.nll = \"{name}\"`, which is what {program} computes, \
             found the other one; set it, export to another program or train here"
        ))),
    }
}

/// What the program does in another way than the recipe says.
pub(super) fn differences(job: &Job<'_>) -> Vec<String> {
    let recipe = job.recipe;
    let mut told = Vec::new();
    let rows = job.rows_per_step();
    if rows != recipe.rows_per_step {
        told.push(format!(
            "a step has {rows} rows and not {}, to share them among the GPUs",
            recipe.rows_per_step
        ));
    }
    let mixed = recipe.objective == ObjectiveName::Dpo && recipe.dpo.pref_ftx > 0.0;
    if mixed && job.target != Target::LlamaFactory {
        told.push(
            "the likelihood that `dpo.pref_ftx` weighs is the mean over the batch's tokens, and not of \
             its rows' means"
                .into(),
        );
    }
    // Axolotl takes 0 for no answer, and has no warm-up of a single step.
    let warmup = match job.warmup() {
        0 => Some("up to 3 % of all steps, and not 0"),
        1 => Some("2 steps, and not 1"),
        _ => None,
    };
    if let (Target::Axolotl, Some(warmup)) = (job.target, warmup) {
        told.push(format!("the warm-up has {warmup}"));
    }
    if recipe.precision == Precision::F32 {
        told.push("weights and activations are computed in bf16, and not in f32".into());
    }
    // For pairs all three switch it off themselves.
    if let (false, Some(key)) = (job.pairs(), &job.dropout) {
        told.push(format!(
            "activations are dropped while it trains, because the model's `config.json` says so in `{key}`; \
             here none are"
        ));
    }
    if job.foreign_begin() {
        told.push(
            "every prompt begins with the `bos_token` that the model's tokenizer names, and not without"
                .into(),
        );
    }
    if !recipe.eval.data.is_empty() {
        told.push("`eval.max_tokens` is not there: losses are measured, and no completions".into());
    }
    if recipe.eval.patience.is_some() {
        told.push("`eval.patience` is not there: the run does all its steps".into());
    }
    told
}
