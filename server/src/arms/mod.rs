//! Which arm of a comparison a request belongs to, and when one is stopped.

mod assign;
mod guardrail;

use anyhow::{Result, bail};
use truefill_model::store::{Alias, Serving};

pub use assign::{Assigned, Assigner, Place};
pub use guardrail::{Fared, Guardrail, Limits};

/// What is served without an arm's share.
///
/// # Errors
/// Where there is no such arm, or none would be left.
pub fn stopped(mut serving: Serving, name: &Alias, reason: &str) -> Result<Serving> {
    let names: Vec<String> = serving
        .arms
        .iter()
        .map(|arm| format!("`{}`", arm.name))
        .collect();
    let Some(arm) = serving.arms.iter_mut().find(|arm| arm.name == *name) else {
        let there = match names.is_empty() {
            true => "there are no arms".to_owned(),
            false => format!("there are {}", names.join(", ")),
        };
        bail!("there is no arm `{name}`: {there}");
    };
    arm.weight = 0.0;
    arm.shadow = false;
    arm.stopped = Some(reason.to_owned());
    if serving.arms.iter().all(|arm| arm.weight == 0.0) {
        bail!(
            "`{name}` is the last arm that is served; `truefill arms clear` serves `default` alone"
        );
    }
    Ok(serving)
}
