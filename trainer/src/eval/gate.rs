//! The gate: what must have risen, and what may have fallen by how much, before a checkpoint takes another
//! one's place.
//!
//! A rule asks for one figure of one suite, on the rows that both were measured on. `rises` passes where the
//! whole 95 % interval of the gain is above `by`; `holds` where the whole interval is above −`by`, so that
//! a fall of more than `by` is ruled out and not merely unseen (a test of non-inferiority). A gain is
//! towards the better: of the rate of hallucinations it is the fall. Over each type or language all must
//! pass, so that no correction for their number is due: to let one slip through, all have to be wrong at
//! once (Berger 1982, intersection-union tests).

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::figures::{
    Bootstrap, Comparison, Difference, Figure, Group, Metric, RowFigures, compare,
};
use super::output::{self, Evaluated};
use crate::usage::Usage;

/// The recipe's section `[promote]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GateRecipe {
    /// All of them have to pass.
    pub rule: Vec<Rule>,
    /// Draws the clusters of intervals.
    pub seed: u64,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The suite's title.
    pub suite: String,
    /// The figure.
    pub figure: Figure,
    /// What has to be the case.
    pub require: Require,
    /// A share from 0 to 1: 0.01 is one point of percent.
    #[serde(default)]
    pub by: f64,
    /// Of which rows.
    #[serde(default)]
    pub over: Over,
    /// Fewer rows than these prove nothing.
    #[serde(default = "least_rows")]
    pub least_rows: u64,
}

/// What has to be the case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Require {
    /// It is better, by more than `by`.
    Rises,
    /// It is not worse by more than `by`.
    Holds,
}

/// Of which rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// All of them together.
    #[default]
    All,
    /// Those of each type by themselves.
    EachKind,
    /// Those of each language by themselves.
    EachLanguage,
}

const fn least_rows() -> u64 {
    100
}

impl Rule {
    fn new(suite: &str, metric: Metric, require: Require, by: f64) -> Self {
        Self {
            suite: suite.to_owned(),
            figure: Figure::whole(metric),
            require,
            by,
            over: Over::All,
            least_rows: least_rows(),
        }
    }
}

impl Default for GateRecipe {
    /// Fewer hallucinations, and nothing else lost: the golden completion is preferred more often than
    /// before; filling in, stopping and every language hold.
    fn default() -> Self {
        let pairs = |metric, require, by| Rule::new("pairs", metric, require, by);
        let each = Rule {
            over: Over::EachLanguage,
            least_rows: 30,
            ..pairs(Metric::EditSimilarity, Require::Holds, 0.05)
        };
        Self {
            rule: vec![
                pairs(Metric::Preference, Require::Rises, 0.0),
                pairs(Metric::HallucinationAligned, Require::Holds, 0.01),
                pairs(Metric::Ended, Require::Holds, 0.01),
                each,
                Rule::new(
                    "humaneval-infilling",
                    Metric::ExactMatch,
                    Require::Holds,
                    0.02,
                ),
            ],
            seed: 1,
        }
    }
}

impl GateRecipe {
    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// [`Usage`].
    pub fn check(&self) -> Result<()> {
        let wrong = |why: String| Err(Usage::error(format!("section `[promote]`: {why}")));
        if self.rule.is_empty() {
            return wrong("expected a rule: a gate without one lets everything pass".into());
        }
        match self.rule.iter().find(|rule| !(0.0..1.0).contains(&rule.by)) {
            Some(rule) => wrong(format!(
                "`by` is a share: expected 0 to 1 (0.01 is one point of percent), found {}",
                rule.by
            )),
            None => Ok(()),
        }
    }
}

/// What became of the rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    /// All of them passed.
    pub passed: bool,
    /// One for each rule and group.
    pub findings: Vec<Finding>,
}

/// What became of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// Of which rows.
    pub group: Group,
    /// Both figures and the interval of their difference; nothing where there is none.
    pub difference: Option<Difference>,
    /// Whether it passed.
    pub passed: bool,
    /// Why it did not.
    pub problem: Option<String>,
}

/// Judges what is in the folder `after` against what is in the folder `before`.
///
/// # Errors
/// Where a folder has no figures, or others than it says.
pub fn judge(recipe: &GateRecipe, before: &Path, after: &Path) -> Result<Judgement> {
    recipe.check()?;
    let [old, new] = [before, after].map(output::read);
    let (old, new) = (old?, new?);
    let mut suites: Vec<(&str, Result<Comparison, String>)> = Vec::new();
    let mut findings = Vec::new();
    for rule in &recipe.rule {
        if !suites.iter().any(|(name, _)| *name == rule.suite) {
            let compared = compared(&rule.suite, (before, &old), (after, &new), recipe.seed)?;
            suites.push((&rule.suite, compared));
        }
        let found = suites.iter().find(|(name, _)| *name == rule.suite);
        findings.extend(found.into_iter().flat_map(|(_, found)| rule.judge(found)));
    }
    Ok(Judgement {
        passed: findings.iter().all(|finding| finding.passed),
        findings,
    })
}

type Measured<'a> = (&'a Path, &'a [Evaluated]);

/// A suite's comparison, or why there is none.
fn compared(
    suite: &str,
    before: Measured<'_>,
    after: Measured<'_>,
    seed: u64,
) -> Result<Result<Comparison, String>> {
    let find = |(folder, all): Measured<'_>| {
        let found = all.iter().find(|found| found.suite == suite);
        found
            .cloned()
            .ok_or_else(|| format!("{} has no figures of `{suite}`", folder.display()))
    };
    let (old, new) = match (find(before), find(after)) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(problem), _) | (_, Err(problem)) => return Ok(Err(problem)),
    };
    if let Some(problem) = differ(&old, &new) {
        return Ok(Err(problem));
    }
    let rows = |folder: &Path, evaluated: &Evaluated| -> Result<Vec<RowFigures>> {
        let rows = output::read_rows(folder, evaluated)?;
        Ok(rows.into_iter().map(|row| row.figures).collect())
    };
    let bootstrap = Bootstrap {
        seed,
        ..Bootstrap::default()
    };
    let (old, new) = (rows(before.0, &old)?, rows(after.0, &new)?);
    Ok(Ok(compare(&old, &new, bootstrap)))
}

/// Why two evaluations of a suite cannot be held against each other.
fn differ(old: &Evaluated, new: &Evaluated) -> Option<String> {
    let suite = &new.suite;
    if old.data_sha256 != new.data_sha256 {
        return Some(format!(
            "`{suite}` was measured on other files; measure both on the same"
        ));
    }
    if (&old.decoding.max_tokens, old.decoding.context_tokens)
        != (&new.decoding.max_tokens, new.decoding.context_tokens)
    {
        return Some(format!(
            "`{suite}` was measured with other limits of tokens; measure both with the same"
        ));
    }
    (!old.failed.is_empty() || !new.failed.is_empty())
        .then(|| format!("rows of `{suite}` could not be completed; measure them first"))
}

impl Rule {
    fn judge(&self, compared: &Result<Comparison, String>) -> Vec<Finding> {
        let none = |problem: String| {
            vec![Finding {
                rule: self.clone(),
                group: Group::All,
                difference: None,
                passed: false,
                problem: Some(problem),
            }]
        };
        let compared = match compared {
            Ok(compared) => compared,
            Err(problem) => return none(problem.clone()),
        };
        let differences = compared.differences.iter();
        let of_figure = differences.filter(|found| found.figure == self.figure);
        let own: Vec<&Difference> = of_figure
            .filter(|found| self.is_over(&found.group))
            .collect();
        if own.is_empty() {
            return none(format!("`{}` has no figure `{}`", self.suite, self.figure));
        }
        own.into_iter().map(|found| self.find(found)).collect()
    }

    fn is_over(&self, group: &Group) -> bool {
        match self.over {
            Over::All => *group == Group::All,
            Over::EachKind => matches!(group, Group::Kind(_)),
            Over::EachLanguage => matches!(group, Group::Language(_)),
        }
    }

    fn find(&self, found: &Difference) -> Finding {
        let least = match found.figure.metric.lower_is_better() {
            true => -found.interval[1],
            false => found.interval[0],
        };
        let held = match self.require {
            Require::Rises => least > self.by,
            Require::Holds => least > -self.by,
        };
        let problem = match (found.rows < self.least_rows, held, self.require) {
            (true, ..) => Some(format!(
                "{} rows say too little, {} are wanted",
                found.rows, self.least_rows
            )),
            (_, true, _) => None,
            (_, false, Require::Rises) => Some("no gain that large is certain".to_owned()),
            (_, false, Require::Holds) => Some("a fall that large is not ruled out".to_owned()),
        };
        Finding {
            rule: self.clone(),
            group: found.group.clone(),
            difference: Some(found.clone()),
            passed: problem.is_none(),
            problem,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::figures::Verdict;

    fn difference(metric: Metric, interval: [f64; 2], rows: u64) -> Difference {
        Difference {
            group: Group::All,
            figure: Figure::whole(metric),
            before: 0.5,
            after: 0.5 + f64::midpoint(interval[0], interval[1]),
            interval,
            rows,
            clusters: rows,
            verdict: Verdict::Open,
        }
    }

    #[test]
    fn rules_look_at_the_worse_end_of_the_interval() {
        use Metric::{ExactMatch, HallucinationAligned};
        use Require::{Holds, Rises};
        for (metric, require, by, interval, rows, passed) in [
            (ExactMatch, Rises, 0.0, [0.001, 0.2], 200, true),
            (ExactMatch, Rises, 0.0, [-0.001, 0.2], 200, false),
            (ExactMatch, Rises, 0.05, [0.04, 0.2], 200, false),
            (ExactMatch, Holds, 0.02, [-0.019, 0.0], 200, true),
            // What may have fallen by more has not held, whatever its middle says.
            (ExactMatch, Holds, 0.02, [-0.03, 0.04], 200, false),
            (ExactMatch, Rises, 0.0, [0.1, 0.2], 99, false),
            // Of hallucinations less is better.
            (HallucinationAligned, Rises, 0.0, [-0.2, -0.1], 200, true),
            (HallucinationAligned, Rises, 0.0, [0.1, 0.2], 200, false),
            (HallucinationAligned, Holds, 0.01, [-0.2, 0.005], 200, true),
            (HallucinationAligned, Holds, 0.01, [-0.2, 0.02], 200, false),
        ] {
            let rule = Rule::new("s", metric, require, by);
            let compared = Comparison {
                rows,
                unpaired: 0,
                differences: vec![difference(metric, interval, rows)],
            };
            let found = rule.judge(&Ok(compared));
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].passed, passed, "{:?}", found[0]);
            assert_eq!(found[0].problem.is_none(), passed);
        }
    }

    #[test]
    fn what_was_not_measured_does_not_pass() {
        let rule = Rule::new("s", Metric::Pass, Require::Holds, 0.5);
        let empty = Comparison {
            rows: 0,
            unpaired: 0,
            differences: Vec::new(),
        };
        for compared in [Ok(empty), Err("no figures".to_owned())] {
            let found = rule.judge(&compared);
            assert!(!found[0].passed && found[0].problem.is_some());
        }
    }

    #[test]
    fn every_language_has_to_pass() {
        let rule = Rule {
            over: Over::EachLanguage,
            ..Rule::new("s", Metric::ExactMatch, Require::Holds, 0.05)
        };
        let of = |name: &str, low: f64| Difference {
            group: Group::Language(name.into()),
            ..difference(Metric::ExactMatch, [low, 0.1], 200)
        };
        let compared = Comparison {
            rows: 400,
            unpaired: 0,
            differences: vec![
                difference(Metric::ExactMatch, [-1.0, 1.0], 400),
                of("go", -0.01),
                of("ruby", -0.2),
            ],
        };
        let found = rule.judge(&Ok(compared));
        let passed: Vec<bool> = found.iter().map(|finding| finding.passed).collect();
        assert_eq!(passed, [true, false]);
    }

    #[test]
    fn a_gate_without_rules_is_no_gate() {
        let recipe: GateRecipe = toml::from_str("rule = []").expect("TOML");
        assert!(recipe.check().is_err());
        let recipe: GateRecipe = toml::from_str(
            "[[rule]]\nsuite = 'a'\nfigure = 'pass+trunc'\nrequire = 'rises'\nby = 2.0",
        )
        .expect("TOML");
        assert!(
            recipe
                .check()
                .expect_err("refused")
                .to_string()
                .contains("0.01")
        );
        assert!(GateRecipe::default().check().is_ok());
    }
}
