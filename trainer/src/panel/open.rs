//! Where the members of a panel are made from a recipe.

use std::path::Path;

use anyhow::Result;

use super::{Member, http};
use crate::usage::Usage;

/// The members of `recipe` with these names, in this order. They share the ledger at `ledger`, in
/// which `budget` bounds what all runs spend.
///
/// # Errors
/// [`Usage`] where the recipe cannot be read or has no such member or a key is missing; otherwise
/// where the ledger cannot be used.
pub fn open(
    recipe: &Path,
    names: &[String],
    ledger: &Path,
    budget: Option<f64>,
) -> Result<Vec<Box<dyn Member>>> {
    let named = |error: anyhow::Error| Usage::error(format!("{}: {error:#}", recipe.display()));
    let members = members(recipe).map_err(named)?;
    let ledger = http::open_ledger(ledger, budget)?;
    let members = http::choose(&members, names, &ledger).map_err(named)?;
    Ok(members
        .into_iter()
        .map(|member| Box::new(member) as Box<dyn Member>)
        .collect())
}

fn members(recipe: &Path) -> Result<http::Members> {
    http::members_of(&toml::from_str(&std::fs::read_to_string(recipe)?)?)
}
