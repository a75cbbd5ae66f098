//! Who answered, and what nobody was asked.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};

use super::{AskError, Reply};

/// What came of one question, as far as the step goes on or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A reply, whatever it says.
    Answer,
    /// Nothing, and that is this question's own matter.
    Nothing,
    /// Nothing after all attempts, for this reason.
    Failed(String),
    /// The budget has no room for it.
    Budget,
    /// The member takes no questions any more.
    Stopped(String),
}

impl Heard {
    /// Of an answer.
    #[must_use]
    pub fn of(answer: &Result<Reply, AskError>) -> Self {
        match answer {
            Ok(_) => Self::Answer,
            Err(AskError::Budget(_)) => Self::Budget,
            Err(AskError::Stop(why)) => Self::Stopped(why.clone()),
            Err(AskError::Failed(why)) => Self::Failed(why.clone()),
            Err(AskError::Secret) => Self::Nothing,
        }
    }
}

/// Counts for all members of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roll {
    answered: BTreeSet<String>,
    /// How often a member failed, and why it did first.
    failed: BTreeMap<String, (u64, String)>,
    stopped: BTreeMap<String, String>,
    left_out: u64,
    broke: u64,
}

impl Roll {
    /// Takes a question into account. A member that stops is left out from then on: what the others
    /// and it itself answered is worth a file.
    ///
    /// # Errors
    /// Where a member refuses before it answered anything, as with a wrong key: nothing is lost.
    pub fn hear(&mut self, member: &str, heard: &Heard) -> Result<()> {
        match heard {
            Heard::Answer => {
                if !self.answered.contains(member) {
                    self.answered.insert(member.to_owned());
                }
            }
            Heard::Nothing => {}
            Heard::Failed(why) => {
                let failed = self.failed.entry(member.to_owned());
                failed.or_insert_with(|| (0, why.clone())).0 += 1;
            }
            Heard::Budget => self.broke += 1,
            Heard::Stopped(why) if self.answered.contains(member) => {
                self.left_out += 1;
                let told = self.stopped.entry(member.to_owned());
                told.or_insert_with(|| why.clone());
            }
            Heard::Stopped(why) => bail!(
                "`{member}`: {why}; nothing was written. Answers of others are kept: the same command \
                 goes on where it stopped"
            ),
        }
        Ok(())
    }

    /// The first failure of each member, in a line: where questions have no answer, it says why.
    #[must_use]
    pub fn failures(&self) -> String {
        let failures = self.failed.iter();
        let failures = failures.map(|(member, (_, why))| format!("`{member}`: {why}"));
        failures.collect::<Vec<_>>().join("; ")
    }

    /// What has to be told of a step in which somebody answered nothing, or takes no further
    /// questions.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        told(self.ended())
    }

    /// What has to be told at the end of a step that is not whole: that, and questions without an
    /// answer.
    #[must_use]
    pub fn not_whole(&self) -> Option<String> {
        let mut problems = self.ended();
        for (member, (count, why)) in &self.failed {
            if self.answered.contains(member) {
                problems.push(format!(
                    "`{member}` gave no answer to {count} questions, the first time because: {why}"
                ));
            }
        }
        told(problems)
    }

    fn ended(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.broke > 0 {
            problems.push(format!(
                "the budget is spent: {} questions were not asked; raise it",
                self.broke
            ));
        }
        for (member, (_, why)) in &self.failed {
            if !self.answered.contains(member) && !self.stopped.contains_key(member) {
                problems.push(format!("`{member}` answered nothing: {why}"));
            }
        }
        for (member, why) in &self.stopped {
            problems.push(format!("`{member}` stopped: {why}"));
        }
        if self.left_out > 0 {
            problems.push(format!("{} questions were left out", self.left_out));
        }
        problems
    }
}

fn told(problems: Vec<String>) -> Option<String> {
    (!problems.is_empty()).then(|| {
        format!(
            "{}. What was answered is written, and kept: the same command goes on where it stopped",
            problems.join("; ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_never_answered_ends_a_step_and_who_did_is_left_out() {
        let mut roll = Roll::default();
        let stopped = Heard::Stopped("401".into());
        let error = roll.hear("a", &stopped).expect_err("refused").to_string();
        assert!(error.contains("`a`: 401"), "{error}");
        roll.hear("a", &Heard::Answer).expect("heard");
        assert_eq!(roll.problem(), None);
        for heard in [&stopped, &stopped, &Heard::Budget, &Heard::Nothing] {
            roll.hear("a", heard).expect("left out");
        }
        let problem = roll.problem().expect("a problem");
        for part in [
            "1 questions were not asked",
            "`a` stopped: 401",
            "2 questions were left",
        ] {
            assert!(problem.contains(part), "{problem}");
        }
        roll.hear("b", &stopped).expect_err("refused");
    }

    #[test]
    fn who_answered_nothing_is_a_problem_and_who_failed_at_times_leaves_questions_open() {
        let mut roll = Roll::default();
        for why in ["no connection", "too slow"] {
            let failed = Heard::of(&Err(AskError::Failed(why.into())));
            roll.hear("a", &failed).expect("heard");
        }
        let problem = roll.problem().expect("a problem");
        assert!(
            problem.contains("`a` answered nothing: no connection"),
            "{problem}"
        );
        roll.hear("a", &Heard::Answer).expect("heard");
        assert_eq!(roll.problem(), None);
        assert_eq!(roll.failures(), "`a`: no connection");
        let told = roll.not_whole().expect("a problem");
        let open = "`a` gave no answer to 2 questions, the first time because: no connection";
        assert!(told.contains(open), "{told}");
    }
}
