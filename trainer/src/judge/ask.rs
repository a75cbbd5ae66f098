//! Asking the panel about every row, many questions at a time, verdicts in the order of the rows.

use std::collections::HashSet;

use anyhow::{Result, bail};
use futures::StreamExt;
use truefill_syntax::Language;

use super::parse;
use super::prompt::Prompts;
use super::recipe::JudgeRecipe;
use crate::corpus::{Item, stable_hash};
use crate::panel::{AskError, Member, Question};
use crate::rows::{Context, HallucinationType, Subject, Verdict, VerdictKind};

/// What a verdict counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// The file's language.
    pub language: Language,
    /// What is wrong with the negative, or with the negatives of the golden completion's hole.
    pub kind: HallucinationType,
}

/// One question to one judge, and the verdict but for its answer.
struct Task {
    member: usize,
    question: Question,
    verdict: Verdict,
    about: About,
}

/// Asks `members` about all of `items`, and hands the verdicts on, in the order of the items: for
/// each golden completion and each negative those of all judges.
///
/// # Errors
/// Where a member says that every further question would fail, and what `sink` says.
pub async fn ask(
    members: &[Box<dyn Member>],
    recipe: &JudgeRecipe,
    prompts: &Prompts,
    items: &[Item],
    mut sink: impl FnMut(Verdict, About) -> Result<()>,
) -> Result<()> {
    let mut goldens = HashSet::new();
    let tasks = items.iter().flat_map(|item| {
        let mut tasks = Vec::new();
        for negative in &item.negatives {
            let hole = negative.context(&item.context);
            let about = About {
                language: hole.language,
                kind: negative.kind,
            };
            let mut add = |subject, row: &str, kind, rejected| {
                for (member, judge) in members.iter().enumerate() {
                    let (question, verdict) = case(
                        recipe,
                        prompts,
                        judge.name(),
                        subject,
                        row,
                        kind,
                        &hole,
                        rejected,
                    );
                    tasks.push(Task {
                        member,
                        question,
                        verdict,
                        about,
                    });
                }
            };
            let blind = recipe.kinds.contains(&VerdictKind::Blind);
            if blind && is_drawn(recipe, &hole.id) && goldens.insert(hole.id.clone()) {
                add(Subject::Golden, &hole.id, VerdictKind::Blind, None);
            }
            for kind in &recipe.kinds {
                add(
                    Subject::Rejected,
                    &negative.id(),
                    *kind,
                    Some(&*negative.rejected),
                );
            }
        }
        tasks
    });
    let answers = futures::stream::iter(tasks.map(|task| async move {
        let answer = members[task.member].ask(&task.question).await;
        (task, answer)
    }));
    let mut answers = std::pin::pin!(answers.buffered(recipe.in_flight));
    while let Some((task, answer)) = answers.next().await {
        let mut verdict = task.verdict;
        match parse::verdict(answer, verdict.kind, verdict.first) {
            Ok(Ok(score)) => verdict.verdict = Some(score),
            Ok(Err(why)) => verdict.missing = Some(why),
            Err(error) => return stopped(&verdict.judge, &error),
        }
        sink(verdict, task.about)?;
    }
    Ok(())
}

fn stopped(judge: &str, error: &AskError) -> Result<()> {
    bail!(
        "judge `{judge}`: {error}; no verdicts were written. Answers so far are kept: the same \
         command goes on where it stopped"
    )
}

/// Whether the golden completion of a hole is among those that are judged.
fn is_drawn(recipe: &JudgeRecipe, hole: &str) -> bool {
    let drawn = stable_hash(recipe.seed, &[b"golden", hole.as_bytes()]);
    (drawn as f64) < recipe.golden_share * u64::MAX as f64 || recipe.golden_share >= 1.0
}

/// The question about a row, and the verdict but for its answer. `rejected` is the negative, where
/// it is about one.
fn case(
    recipe: &JudgeRecipe,
    prompts: &Prompts,
    judge: &str,
    subject: Subject,
    row: &str,
    kind: VerdictKind,
    hole: &Context,
    rejected: Option<&str>,
) -> (Question, Verdict) {
    let candidate = rejected.unwrap_or(&hole.golden);
    let (prefix, suffix) = (("prefix", &*hole.prefix), ("suffix", &*hole.suffix));
    let draw = stable_hash(recipe.seed, &[b"order", row.as_bytes(), judge.as_bytes()]);
    let first = (kind == VerdictKind::Preference).then_some(match draw & 1 {
        0 => Subject::Rejected,
        _ => Subject::Golden,
    });
    let (prompt, user) = match first {
        None => {
            let prompt = &prompts.blind;
            (
                prompt,
                prompt.render(&[prefix, ("candidate", candidate), suffix]),
            )
        }
        Some(first) => {
            let [one, two] = match first {
                Subject::Rejected => [candidate, &hole.golden],
                Subject::Golden => [&*hole.golden, candidate],
            };
            let prompt = &prompts.preference;
            (
                prompt,
                prompt.render(&[prefix, ("first", one), ("second", two), suffix]),
            )
        }
    };
    let question = Question {
        subject: format!("{row}/{}", subject_name(subject)),
        prompt_version: prompt.version.clone(),
        system: prompt.system.clone(),
        user,
        temperature: recipe.temperature,
        seed: Some(recipe.seed),
        max_tokens: recipe.max_tokens,
    };
    let verdict = Verdict {
        row: row.to_owned(),
        subject,
        kind,
        judge: judge.to_owned(),
        prompt_version: prompt.version.clone(),
        first,
        verdict: None,
        missing: None,
    };
    (question, verdict)
}

fn subject_name(subject: Subject) -> &'static str {
    match subject {
        Subject::Rejected => "rejected",
        Subject::Golden => "golden",
    }
}
