//! The recipe's section `[promote]`: rules, and what becomes of each.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::Finding;
use crate::eval::figures::{Comparison, Difference, Figure, Group, Metric};
use crate::usage::Usage;

/// The recipe's section `[promote]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GateRecipe {
    /// Only rules of these suites are asked; without any, all.
    pub suites: Vec<String>,
    /// All of them have to pass.
    pub rule: Vec<Rule>,
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

impl Over {
    fn has(self, group: &Group) -> bool {
        match self {
            Self::All => *group == Group::All,
            Self::EachKind => group.is_kind(),
            Self::EachLanguage => group.is_language(),
        }
    }
}

const fn least_rows() -> u64 {
    100
}

impl Rule {
    pub(super) fn new(suite: &str, metric: Metric, require: Require, by: f64) -> Self {
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
    /// before; filling in, stopping and every language hold. What `holds` is as large as some hundred rows
    /// can tell: a checkpoint that is the same passes with 600 rows of 30 repositories.
    fn default() -> Self {
        let pairs = |metric, require, by| Rule::new("pairs", metric, require, by);
        let each = Rule {
            over: Over::EachLanguage,
            least_rows: 30,
            ..pairs(Metric::EditSimilarity, Require::Holds, 0.1)
        };
        Self {
            suites: Vec::new(),
            rule: vec![
                pairs(Metric::Preference, Require::Rises, 0.0),
                pairs(Metric::HallucinationAligned, Require::Holds, 0.02),
                pairs(Metric::Ended, Require::Holds, 0.02),
                each,
                Rule::new(
                    "humaneval-infilling",
                    Metric::ExactMatch,
                    Require::Holds,
                    0.02,
                ),
            ],
        }
    }
}

impl GateRecipe {
    /// The rules that are asked.
    pub fn asked(&self) -> impl Iterator<Item = &Rule> + Clone {
        let is_asked = |rule: &&Rule| self.suites.is_empty() || self.suites.contains(&rule.suite);
        self.rule.iter().filter(is_asked)
    }

    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// [`Usage`].
    pub fn check(&self) -> Result<()> {
        let wrong = |why: String| Err(Usage::error(format!("section `[promote]`: {why}")));
        if self.asked().next().is_none() {
            return wrong("expected a rule: a gate without one lets everything pass".into());
        }
        match self.asked().find(|rule| !(0.0..1.0).contains(&rule.by)) {
            Some(rule) => wrong(format!(
                "`by` is a share: expected 0 to 1 (0.01 is one point of percent), found {}",
                rule.by
            )),
            None => Ok(()),
        }
    }
}

impl Rule {
    /// What becomes of it, in each group that it speaks of.
    pub(super) fn judge(&self, compared: &Result<Comparison, String>) -> Vec<Finding> {
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
        let over = |over: Over| {
            of_figure
                .clone()
                .filter(move |found| over.has(&found.group))
        };
        let mut own: Vec<&Difference> = over(self.over).collect();
        if own.is_empty() {
            // Of one language or type there are no figures beside those of all.
            own = over(Over::All).collect();
        }
        if own.is_empty() {
            return none(format!("`{}` has no figure `{}`", self.suite, self.figure));
        }
        let mut findings: Vec<Finding> = own.iter().map(|found| self.find(found)).collect();
        let mut groups: Vec<&Group> = compared.differences.iter().map(|it| &it.group).collect();
        groups.dedup();
        groups.retain(|group| self.over.has(group) && own.iter().all(|it| it.group != **group));
        findings.extend(groups.into_iter().map(|group| Finding {
            rule: self.clone(),
            group: group.clone(),
            difference: None,
            passed: false,
            problem: Some(format!("its rows have no figure `{}`", self.figure)),
        }));
        findings
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
            _ if found.clusters == 1 => {
                Some("rows of one repository or problem say nothing of others".to_owned())
            }
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
