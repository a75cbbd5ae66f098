//! Where the members of a panel are made from a recipe.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::{Member, http};

/// The members of `recipe` with these names, in this order. They share the ledger at `ledger`, in
/// which `budget` bounds what all runs spend.
///
/// # Errors
/// Where the recipe cannot be read or has no such member, a key is missing, or the ledger cannot
/// be used.
pub fn open(
    recipe: &Path,
    names: &[String],
    ledger: &Path,
    budget: Option<f64>,
) -> Result<Vec<Box<dyn Member>>> {
    let members = || -> Result<Vec<http::HttpMember>> {
        let table: toml::Table = toml::from_str(&std::fs::read_to_string(recipe)?)?;
        let ledger = http::open_ledger(ledger, budget)?;
        http::choose(&http::members_of(&table)?, names, &ledger)
    };
    let members = members().with_context(|| format!("{}", recipe.display()))?;
    Ok(members
        .into_iter()
        .map(|member| Box::new(member) as Box<dyn Member>)
        .collect())
}
