//! Asking the panel about every row, many questions at a time, verdicts in the order of the rows.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use futures::StreamExt;
use truefill_syntax::Language;

use super::parse;
use super::prompt::Prompts;
use super::recipe::JudgeRecipe;
use crate::corpus::{Item, repository_hash, stable_hash};
use crate::panel::{Heard, Member, Question, Roll};
use crate::prompt::Around;
use crate::rows::{Context, HallucinationType, Negative, Subject, Verdict, VerdictKind};

/// What a verdict counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// The file's language.
    pub language: Language,
    /// What is wrong with the negative, or with the negatives of the golden completion's hole.
    pub kind: HallucinationType,
    /// The repository: a hash of its name.
    pub repository: u64,
}

/// One question to one judge, and the verdict but for its answer.
struct Task {
    member: usize,
    question: Question,
    shortened: bool,
    verdict: Verdict,
    about: About,
}

/// A panel at its work.
pub struct Panel<'a> {
    /// The judges.
    pub members: &'a [Box<dyn Member>],
    /// How they are asked.
    pub recipe: &'a JudgeRecipe,
    /// With what.
    pub prompts: &'a Prompts,
    /// Who answered, and what nobody was asked.
    pub roll: Roll,
    /// Questions that showed less than the row holds.
    pub shortened: u64,
}

impl Panel<'_> {
    /// Asks about all of `items`, and hands the verdicts on, in the order of the items: for each
    /// golden completion and each negative those of all judges.
    ///
    /// # Errors
    /// Where a judge refuses before it answered anything, and what `sink` says; everything that was
    /// under way is finished first, since it is paid for.
    pub async fn ask(
        &mut self,
        items: &[Item],
        mut sink: impl FnMut(Verdict, About) -> Result<()>,
    ) -> Result<()> {
        let members = self.members;
        let stop = AtomicBool::new(false);
        let tasks = tasks(members, self.recipe, self.prompts, items);
        let asked = tasks
            .take_while(|_| !stop.load(Ordering::Relaxed))
            .map(|task| async move {
                let answer = members[task.member].ask(&task.question).await;
                (task, answer)
            });
        let answers = futures::stream::iter(asked).buffered(self.recipe.in_flight);
        let mut answers = std::pin::pin!(answers);
        let mut failure = None;
        while let Some((task, answer)) = answers.next().await {
            if failure.is_some() {
                continue;
            }
            let heard = self.roll.hear(&task.verdict.judge, &Heard::of(&answer));
            self.shortened += u64::from(task.shortened);
            let mut verdict = task.verdict;
            match parse::verdict(answer, verdict.kind, verdict.first) {
                Ok(score) => verdict.verdict = Some(score),
                Err(why) => verdict.missing = Some(why),
            }
            if let Err(error) = heard.and_then(|()| sink(verdict, task.about)) {
                stop.store(true, Ordering::Relaxed);
                failure = Some(error);
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

/// The questions about all of `items`, in their order.
fn tasks<'a>(
    members: &'a [Box<dyn Member>],
    recipe: &'a JudgeRecipe,
    prompts: &'a Prompts,
    items: &'a [Item],
) -> impl Iterator<Item = Task> + 'a {
    let mut goldens = HashSet::new();
    let blind = recipe.kinds.contains(&VerdictKind::Blind);
    items.iter().flat_map(move |item| {
        let mut cases = Vec::new();
        for negative in &item.negatives {
            let hole = negative.context(&item.context);
            let about = About {
                language: hole.language,
                kind: negative.kind,
                repository: repository_hash(&hole),
            };
            let golden = blind && is_drawn(recipe, &hole.id) && goldens.insert(hole.id.clone());
            let golden = golden.then(|| Case::golden(&hole));
            let kinds = recipe.kinds.iter();
            let rejected = kinds.map(|kind| Case::rejected(&hole, negative, *kind));
            for case in golden.into_iter().chain(rejected) {
                let around = Around::of(&hole, recipe.side_bytes);
                cases.extend(members.iter().enumerate().map(|(member, judge)| {
                    let (question, verdict) = case.question(recipe, prompts, around, judge.name());
                    Task {
                        member,
                        question,
                        shortened: around.shortened,
                        verdict,
                        about,
                    }
                }));
            }
        }
        cases
    })
}

/// Whether the golden completion of a hole is among those that are judged.
fn is_drawn(recipe: &JudgeRecipe, hole: &str) -> bool {
    let drawn = stable_hash(recipe.seed, &[b"golden", hole.as_bytes()]);
    (drawn as f64) < recipe.golden_share * u64::MAX as f64 || recipe.golden_share >= 1.0
}

/// What is judged, and how.
struct Case<'a> {
    hole: &'a Context,
    subject: Subject,
    row: String,
    kind: VerdictKind,
    candidate: &'a str,
}

impl<'a> Case<'a> {
    fn golden(hole: &'a Context) -> Self {
        Self {
            hole,
            subject: Subject::Golden,
            row: hole.id.clone(),
            kind: VerdictKind::Blind,
            candidate: &hole.golden,
        }
    }

    fn rejected(hole: &'a Context, negative: &'a Negative, kind: VerdictKind) -> Self {
        Self {
            hole,
            subject: Subject::Rejected,
            row: negative.id(),
            kind,
            candidate: &negative.rejected,
        }
    }

    /// Of two candidates the one that is shown first: drawn for each row and judge.
    fn first(&self, recipe: &JudgeRecipe, judge: &str) -> Option<Subject> {
        let parts: [&[u8]; 3] = [b"order", self.row.as_bytes(), judge.as_bytes()];
        let draw = stable_hash(recipe.seed, &parts);
        (self.kind == VerdictKind::Preference).then_some(match draw & 1 {
            0 => Subject::Rejected,
            _ => Subject::Golden,
        })
    }

    /// The question to a judge, and the verdict but for its answer.
    fn question(
        &self,
        recipe: &JudgeRecipe,
        prompts: &Prompts,
        around: Around<'_>,
        judge: &str,
    ) -> (Question, Verdict) {
        let first = self.first(recipe, judge);
        let golden = &*self.hole.golden;
        let [one, two] = match first {
            Some(Subject::Golden) => [golden, self.candidate],
            _ => [self.candidate, golden],
        };
        let (prompt, shown) = match first {
            None => (&prompts.blind, vec![("candidate", self.candidate)]),
            Some(_) => (&prompts.preference, vec![("first", one), ("second", two)]),
        };
        let around = [("prefix", around.prefix), ("suffix", around.suffix)];
        let values: Vec<_> = around.into_iter().chain(shown).collect();
        let question = Question {
            subject: format!("{}/{}", self.row, subject_name(self.subject)),
            prompt_version: prompt.version.clone(),
            system: prompt.system.clone(),
            user: prompt.render(&values),
            temperature: recipe.temperature,
            seed: Some(recipe.seed),
            max_tokens: recipe.max_tokens,
        };
        let verdict = Verdict {
            row: self.row.clone(),
            subject: self.subject,
            kind: self.kind,
            judge: judge.to_owned(),
            prompt_version: prompt.version.clone(),
            first,
            verdict: None,
            missing: None,
        };
        (question, verdict)
    }
}

fn subject_name(subject: Subject) -> &'static str {
    match subject {
        Subject::Rejected => "rejected",
        Subject::Golden => "golden",
    }
}
