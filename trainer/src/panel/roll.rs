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
    /// No answer, after all attempts.
    Failed,
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
            Err(AskError::Failed(_)) => Self::Failed,
            Err(AskError::Secret) => Self::Nothing,
        }
    }
}

/// Counts for all members of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roll {
    answered: BTreeSet<String>,
    stopped: BTreeMap<String, String>,
    left_out: u64,
    broke: u64,
    failed: u64,
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
            Heard::Failed => self.failed += 1,
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

    /// What has to be told of a step in which somebody takes no further questions.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        told(self.ended())
    }

    /// What has to be told at the end of a step that is not whole: that, and questions without an
    /// answer.
    #[must_use]
    pub fn not_whole(&self) -> Option<String> {
        let mut problems = self.ended();
        if self.failed > 0 {
            problems.push(format!("{} questions got no answer", self.failed));
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
    fn a_question_without_an_answer_is_told_at_the_end_and_stops_nobody() {
        let mut roll = Roll::default();
        let failed = Heard::of(&Err(AskError::Failed("400".into())));
        roll.hear("a", &failed).expect("the step goes on");
        roll.hear("a", &Heard::Answer).expect("heard");
        assert_eq!(roll.problem(), None);
        let told = roll.not_whole().expect("a problem");
        assert!(told.contains("1 questions got no answer"), "{told}");
    }
}
