//! Keys that a section sets and no step reads: they make no other run, and nothing varies with them.

use crate::eval::recipe::EvalRecipe;
use crate::train::data::RowKind;
use crate::train::mask::Granularity;
use crate::train::objective::{Dpo, Nll, Orpo};
use crate::train::recipe::{
    EvalRecipe as HeldOutRecipe, FgitRecipe, LoraRecipe, ObjectiveName, Parameters, TrainRecipe,
};

/// `[train]` with defaults where the objective and the other keys leave a key unread.
pub fn cleared(recipe: &TrainRecipe) -> TrainRecipe {
    let mut recipe = recipe.clone();
    let neutral = TrainRecipe::default();
    recipe.output = None;
    // The objective's own rate, said or not.
    recipe.lr = Some(recipe.learning_rate());
    recipe.orpo = orpo(&recipe);
    recipe.dpo = match recipe.objective {
        ObjectiveName::Dpo => recipe.dpo,
        _ => Dpo::default(),
    };
    recipe.fgit = match recipe.objective {
        ObjectiveName::Fgit | ObjectiveName::FgitOrpo => fgit(recipe.fgit),
        _ => FgitRecipe::default(),
    };
    if recipe.parameters != Parameters::Lora {
        recipe.lora = LoraRecipe::default();
    }
    if recipe.steps.is_some() {
        recipe.epochs = neutral.epochs;
    }
    if recipe.tokens_per_step.is_some() {
        recipe.rows_per_step = neutral.rows_per_step;
    }
    if recipe.schedule.warmup_steps.is_some() {
        recipe.schedule.warmup_ratio = neutral.schedule.warmup_ratio;
    }
    if recipe.rows != RowKind::Instruct {
        recipe.chat = None;
    }
    if recipe.eval.data.is_empty() {
        recipe.eval = HeldOutRecipe::default();
    }
    recipe
}

fn orpo(recipe: &TrainRecipe) -> Orpo {
    match recipe.objective {
        ObjectiveName::Orpo => recipe.orpo,
        // FGit's likelihood stands in the place of ORPO's.
        ObjectiveName::FgitOrpo => Orpo {
            nll: Nll::default(),
            ..recipe.orpo
        },
        _ => Orpo::default(),
    }
}

fn fgit(mut fgit: FgitRecipe) -> FgitRecipe {
    let neutral = FgitRecipe::default();
    if fgit.fixed_weight.is_some() {
        fgit.alpha = neutral.alpha;
        fgit.weight_form = neutral.weight_form;
        fgit.detach = neutral.detach;
    }
    if fgit.granularity == Granularity::Token {
        fgit.one_line = neutral.one_line;
    }
    fgit
}

/// `[eval]` without whom it measures: a cell's own checkpoint stands in that place.
pub fn of_any_model(recipe: &EvalRecipe) -> EvalRecipe {
    EvalRecipe {
        model: String::new(),
        server: None,
        ..recipe.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str) -> bool {
        let read = |text: &str| -> TrainRecipe { toml::from_str(text).expect(text) };
        cleared(&read(one)) == cleared(&read(other))
    }

    #[test]
    fn what_no_step_reads_makes_no_other_run() {
        for (unread, read) in [
            ("fgit.alpha = 3.0", "objective = 'fgit'"),
            ("fgit.alpha = 3.0", "objective = 'fgit+orpo'"),
            ("fgit.granularity = 'line'", "objective = 'fgit'"),
            ("fgit.fixed_weight = 3.0", "objective = 'fgit'"),
            ("orpo.lambda = 0.3", "objective = 'orpo'"),
            ("orpo.lambda = 0.3", "objective = 'fgit+orpo'"),
            ("orpo.nll = 'prompt_response'", "objective = 'orpo'"),
            ("dpo.beta = 0.3", "objective = 'dpo'"),
            ("lora.rank = 3", "parameters = 'lora'"),
            ("eval.every = 3", "eval.data = ['h.jsonl']"),
        ] {
            assert!(same(unread, ""), "{unread}");
            let with = format!("{read}\n{unread}");
            assert!(!same(&with, read), "{with}");
        }
        for (one, other) in [
            ("objective = 'fgit'", "dpo.beta = 0.3\norpo.lambda = 0.3"),
            ("objective = 'orpo'", "dpo.beta = 0.3\nfgit.alpha = 3.0"),
            ("objective = 'fgit+orpo'", "orpo.nll = 'prompt_response'"),
            (
                "objective = 'fgit'\nfgit.fixed_weight = 1.5",
                "fgit.alpha = 3.0\nfgit.weight_form = 'f1'\nfgit.detach = true",
            ),
            (
                "objective = 'fgit'\nfgit.granularity = 'token'",
                "fgit.one_line = 'keep'",
            ),
            ("steps = 7", "epochs = 3"),
            ("tokens_per_step = 700", "rows_per_step = 3"),
            ("schedule.warmup_steps = 7", "schedule.warmup_ratio = 0.3"),
            ("", "lr = 1e-5\nepochs = 1"),
            ("objective = 'dpo'", "lr = 1e-6"),
        ] {
            assert!(same(one, &format!("{one}\n{other}")), "{one}: {other}");
        }
    }
}
