//! Where the members of a panel are made from a recipe.

use std::path::Path;

use anyhow::Result;

use super::Member;
use crate::usage::Usage;

/// The members of `recipe` with these names, in this order. They share the ledger at `ledger`, in
/// which `budget` bounds what all runs spend.
///
/// # Errors
/// In this version always: it knows no member that it could open.
pub fn open(
    recipe: &Path,
    names: &[String],
    _ledger: &Path,
    _budget: Option<f64>,
) -> Result<Vec<Box<dyn Member>>> {
    Err(Usage::error(format!(
        "{}: the panel of {} cannot be opened, this version asks no model over the network",
        recipe.display(),
        names.join(", ")
    )))
}
