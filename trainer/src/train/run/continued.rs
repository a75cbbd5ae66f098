//! Training that goes on with an adapter: its own matrices are trained further, so that what comes out is one
//! adapter on the same base.

use anyhow::{Result, bail};
use truefill_model::adapter::Adapter;
use truefill_model::config::Family;
use truefill_model::weights::LayerPart;

use super::engine;
use crate::stored::Opened;
use crate::train::example::Renderer;
use crate::train::recipe::{Parameters, TrainRecipe};
use crate::usage::Usage;

/// Refuses a recipe that would make another adapter of the one that it starts from.
///
/// # Errors
/// [`Usage`], which names what differs.
pub fn check(recipe: &TrainRecipe, origin: &Opened, renderer: &Renderer) -> Result<()> {
    let Some(adapter) = &origin.adapter else {
        return Ok(());
    };
    let name = &origin.name;
    let merged = format!(
        "write it out merged, `truefill-trainer export {name} --to hub --type f32 --out FOLDER`, and train \
         `./FOLDER`"
    );
    if recipe.parameters == Parameters::Full {
        bail!(
            "`{name}` is an adapter: set `parameters = \"lora\"` to train it further, or {merged}"
        );
    }
    let differences = differences(recipe, adapter, origin.checkpoint.config.family, renderer)?;
    match differences.is_empty() {
        true => Ok(()),
        false => Err(Usage::error(format!(
            "`{name}` is an adapter, which is trained further: section `[train.lora]`: {}; or {merged}",
            differences.join("; ")
        ))),
    }
}

fn differences(
    recipe: &TrainRecipe,
    adapter: &Adapter,
    family: Family,
    renderer: &Renderer,
) -> Result<Vec<String>> {
    let lora = &recipe.lora;
    let mut told = Vec::new();
    let mut compare = |key: &str, has: String, asked: String| {
        if has != asked {
            told.push(format!("expected `{key} = {has}`, found {asked}"));
        }
    };
    compare("rank", adapter.rank.to_string(), lora.rank.to_string());
    compare(
        "alpha",
        format!("{:?}", adapter.alpha),
        format!("{:?}", lora.alpha),
    );
    let parts: Vec<LayerPart> = adapter.matrices.iter().map(|low| low.part).collect();
    let asked = engine::targets(&lora.matrices(family))?;
    compare("targets", names(&parts, family), names(&asked, family));
    let tokens = adapter.rows.as_ref().map(|rows| rows.tokens.clone());
    let (has, asked) = (tokens.unwrap_or_default(), engine::rows(recipe, renderer));
    if has != asked {
        let (has, asked) = (has.len(), asked.len());
        told.push(format!(
            "expected `new_rows` and the FIM format that train the adapter's {has} tokens, found those of {asked}"
        ));
    }
    Ok(told)
}

/// Matrices as a recipe names them, each once.
fn names(parts: &[LayerPart], family: Family) -> String {
    let known = engine::names(family);
    let named = known.filter(|(_, part)| parts.contains(part));
    let named: Vec<&str> = named.map(|(name, _)| name).collect();
    format!("{named:?}")
}

/// What the weights that training starts from are known by.
///
/// # Errors
/// Where a file cannot be read.
pub fn sha256(origin: &Opened) -> Result<String> {
    let base = origin.sha256()?;
    Ok(match (&origin.adapter, &origin.manifest) {
        (Some(_), Some(manifest)) => format!("{base} with {}", manifest.id()),
        _ => base,
    })
}
