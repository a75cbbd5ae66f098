//! Where the members of a panel are made from a recipe.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;
use truefill_remote::api::{Ledger, money};

use super::http::{HttpMember, Members};
use crate::rows::{Manifest, beside};
use crate::usage::Usage;

/// What a step's members are and what they were paid: for progress and for the manifest.
pub struct Books {
    ledger: Ledger,
    endpoints: Members,
}

impl Books {
    /// What stands beside the bar.
    #[must_use]
    pub fn figures(&self) -> String {
        let now = self.ledger.counters().snapshot();
        format!(
            "{} answers, {} kept before, {} failed, {} under way, spent {:.4}",
            now.answered,
            now.cached,
            now.failed,
            now.in_flight,
            money(now.spent)
        )
    }

    /// Puts the endpoints, with their prices and without keys, and the money into a manifest.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub async fn report(&self, manifest: &mut Manifest) -> Result<()> {
        let tables = [
            ("members", json!(self.endpoints)),
            ("ledger", json!(self.ledger.totals().await?)),
        ];
        for (name, table) in tables {
            manifest.tables.insert(name.to_owned(), table);
        }
        Ok(())
    }
}

/// The members with these names, in this order. They share the ledger at `ledger`, in which
/// `budget` bounds what all runs spend, in the unit of the prices.
///
/// # Errors
/// [`Usage`] where there is no such member, a key is missing or a budget cannot be kept; otherwise
/// where the ledger cannot be used.
pub fn open(
    members: &Members,
    names: &[String],
    ledger: &Path,
    budget: Option<f64>,
) -> Result<(Vec<HttpMember>, Books)> {
    if let Some(budget) = budget.filter(|budget| budget.is_nan() || *budget < 0.0) {
        return Err(Usage::error(format!(
            "expected a `budget` of 0 or more, found {budget}"
        )));
    }
    let mut endpoints = Members::new();
    for name in names {
        let config = members.get(name).ok_or_else(|| unknown(members, name))?;
        endpoints.insert(name.clone(), config.clone());
    }
    let ledger = Ledger::open(ledger, budget)?;
    let opened = names
        .iter()
        .map(|name| HttpMember::new(name, &endpoints[name], &ledger))
        .collect::<Result<_>>()?;
    Ok((opened, Books { ledger, endpoints }))
}

/// The ledger of an output, where none is named.
#[must_use]
pub fn ledger_beside(out: &Path) -> PathBuf {
    beside(out, "ledger.db")
}

fn unknown(members: &Members, name: &str) -> anyhow::Error {
    let known: Vec<&str> = members.keys().map(String::as_str).collect();
    let known = match known.is_empty() {
        true => "it has none; add `[members.NAME]`".to_owned(),
        false => known.join(", "),
    };
    Usage::error(format!(
        "expected a member of the recipe ({known}), found `{name}`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_below_nothing_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = folder.path().join("ledger.db");
        for budget in [-1.0, f64::NAN] {
            let opened = open(&Members::new(), &[], &ledger, Some(budget));
            let error = opened.err().expect("refused");
            assert!(error.is::<Usage>() && error.to_string().contains("`budget`"));
        }
        assert!(open(&Members::new(), &[], &ledger, Some(0.0)).is_ok());
    }
}
