//! The step with members that answer from a table.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::corpus::stable_hash;
use crate::panel::Member;
use crate::panel::{Answer, AskError, Finish, Question, Reply};
use crate::rows::{Context, HallucinationType, Negative, RowReader, Split, Subject, VerdictKind};
use crate::rows::{Manifest, RowWriter, Verdict};
use crate::table::{Table, Tables};
use truefill_syntax::Language;

type Says = fn(&Question) -> Result<Reply, AskError>;

/// A member that says what a function says, each answer after a time of its own.
struct Told(&'static str, Says);

impl Member for Told {
    fn name(&self) -> &str {
        self.0
    }

    fn ask<'a>(&'a self, question: &'a Question) -> Answer<'a> {
        let wait = stable_hash(0, &[self.0.as_bytes(), question.subject.as_bytes()]) % 5;
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            (self.1)(question)
        })
    }
}

fn says(text: &str, finish: Finish) -> Result<Reply, AskError> {
    Ok(Reply {
        text: text.into(),
        finish,
        input_tokens: 10,
        output_tokens: 5,
    })
}

fn score(correct: bool) -> Result<Reply, AskError> {
    let text = format!(
        "Detailed Reasoning: so\nFinal Average Score for Completion: {}",
        u8::from(correct)
    );
    says(&text, Finish::Stop)
}

/// Believes everything.
fn gullible(_: &Question) -> Result<Reply, AskError> {
    score(true)
}

/// Knows that whatever is called `made_up` is made up.
fn wise(question: &Question) -> Result<Reply, AskError> {
    score(!question.user.contains("made_up"))
}

/// Answers nothing about parameters, and what it likes about other things.
fn shy(question: &Question) -> Result<Reply, AskError> {
    match () {
        () if question.subject.contains("/parameter/") => says("", Finish::Blocked),
        () if question.subject.ends_with("/golden") => says("I would say 1", Finish::Stop),
        () => score(false),
    }
}

/// An import, a call, and the call and the import made up: in Python or in Ruby.
fn texts(number: usize) -> [&'static str; 5] {
    match number % 2 {
        0 => [
            "import os",
            "os.getcwd()",
            "os.made_up()",
            "os.getcwd(made_up=1)",
            "import made_up",
        ],
        _ => [
            "require 'os'",
            "Os.getcwd()",
            "Os.made_up()",
            "Os.getcwd(made_up: 1)",
            "require 'made_up'",
        ],
    }
}

fn context(number: usize) -> Context {
    let [import, golden, ..] = texts(number);
    let prefix = format!("{import}\nx{number} = ");
    let language = [Language::Python, Language::Ruby][number % 2];
    let (repo, path) = (
        format!("o/r{}", number / 3),
        format!("f{number}.{}", ["py", "rb"][number % 2]),
    );
    Context::of_file(language, &repo, "MIT", &path, [&prefix, golden, "\n"])
}

fn negatives_of(context: &Context) -> Vec<Negative> {
    let row = |kind, rejected: &str, split| Negative {
        context_id: context.id.clone(),
        kind,
        generator: "g".into(),
        prompt_version: "1".into(),
        rejected: rejected.into(),
        split,
    };
    let ruby = usize::from(context.language == Language::Ruby);
    let [import, _, method, parameter, made_up] = texts(ruby);
    let split = Split {
        prefix: String::new(),
        golden: import.into(),
        suffix: context.window()[import.len()..].to_owned(),
        hole_start: 0,
        hole_end: import.len(),
    };
    vec![
        row(HallucinationType::Method, method, None),
        row(HallucinationType::Parameter, parameter, None),
        row(HallucinationType::Import, made_up, Some(split)),
    ]
}

/// Judges `count` contexts with a panel; gives verdicts and tables.
fn judged(
    folder: &Path,
    count: usize,
    recipe: &JudgeRecipe,
    members: &[Box<dyn Member>],
) -> Result<(Vec<Verdict>, Tables)> {
    let (contexts, negatives) = (
        folder.join("contexts.jsonl"),
        folder.join("negatives.jsonl"),
    );
    let mut writers = (
        RowWriter::create(&contexts)?,
        RowWriter::create(&negatives)?,
    );
    // Negatives come in another order than contexts.
    for number in 0..count {
        writers.0.write(&context(number))?;
        for negative in negatives_of(&context(count - 1 - number)) {
            writers.1.write(&negative)?;
        }
    }
    writers.0.finish()?;
    writers.1.finish()?;
    let args = Args {
        contexts,
        negatives,
        out: folder.join("verdicts.jsonl"),
        scores: Some(folder.join("scores.jsonl")),
        recipe: None,
        judges: Vec::new(),
        json: false,
    };
    let who = if members.is_empty() {
        Who::Resolve
    } else {
        Who::Panel
    };
    let judged = judge(&args, recipe, &[who], members, None)?;
    let tables = judged.tables;
    let verdicts = RowReader::open(&args.out, "verdicts")?.collect::<Result<_, _>>()?;
    Ok((verdicts, tables))
}

fn panel() -> Vec<Box<dyn Member>> {
    vec![
        Box::new(Told("gullible", gullible)),
        Box::new(Told("wise", wise)),
        Box::new(Told("shy", shy)),
    ]
}

fn shown(tables: &[(String, Table)]) -> String {
    let text = tables
        .iter()
        .map(|(name, table)| format!("[{name}] {}\n", table.to_text()));
    text.collect()
}

#[test]
fn missing_verdicts_are_not_zeros_and_goldens_tell_judges_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let (verdicts, tables) =
        judged(folder.path(), 4, &JudgeRecipe::default(), &panel()).expect("judged");
    // A golden completion for the hole and one for the import's, three negatives, three judges.
    assert_eq!(verdicts.len(), 4 * (2 + 3) * 3);
    let blocked: Vec<_> = verdicts
        .iter()
        .filter(|verdict| verdict.missing.as_deref() == Some("blocked"))
        .collect();
    assert_eq!(blocked.len(), 4);
    assert!(
        blocked
            .iter()
            .all(|verdict| verdict.verdict.is_none() && verdict.judge == "shy")
    );
    insta::assert_snapshot!("blind_tables", shown(&tables));
}

#[test]
fn verdicts_are_the_same_however_many_questions_are_on_their_way() {
    let run = |in_flight| {
        let folder = tempfile::tempdir().expect("a folder");
        let recipe = JudgeRecipe {
            in_flight,
            kinds: vec![VerdictKind::Blind, VerdictKind::Preference],
            ..JudgeRecipe::default()
        };
        let members: Vec<Box<dyn Member>> = vec![
            Box::new(Told("gullible", gullible)),
            Box::new(Told("shy", shy)),
        ];
        judged(folder.path(), 7, &recipe, &members)
            .expect("judged")
            .0
    };
    assert_eq!(run(1), run(16));
}

#[test]
fn a_golden_import_is_judged_in_its_own_hole() {
    fn hole_is_on_the_import(question: &Question) -> Result<Reply, AskError> {
        let import = question.user.contains("<prefix></prefix>");
        score(import && question.user.contains("<completion>import os</completion>"))
    }
    let folder = tempfile::tempdir().expect("a folder");
    let members: Vec<Box<dyn Member>> = vec![Box::new(Told("j", hole_is_on_the_import))];
    let (verdicts, _) =
        judged(folder.path(), 1, &JudgeRecipe::default(), &members).expect("judged");
    let goldens: Vec<&Verdict> = verdicts
        .iter()
        .filter(|verdict| verdict.subject == Subject::Golden)
        .collect();
    assert_eq!(goldens.len(), 2);
    let right: Vec<_> = goldens
        .iter()
        .filter(|verdict| verdict.verdict == Some(1))
        .collect();
    assert_eq!(right.len(), 1);
    let import = &negatives_of(&context(0))[2].context(&context(0));
    assert_eq!(right[0].row, import.id);
}

#[test]
fn a_question_is_bounded_and_what_it_leaves_out_is_counted() {
    fn first_line_is_gone(question: &Question) -> Result<Reply, AskError> {
        let shown = question.user.contains("<prefix>x0 = </prefix>");
        score(shown && question.user.contains("<suffix>\n</suffix>"))
    }
    let folder = tempfile::tempdir().expect("a folder");
    let recipe = JudgeRecipe {
        side_bytes: 8,
        ..JudgeRecipe::default()
    };
    let members: Vec<Box<dyn Member>> = vec![Box::new(Told("j", first_line_is_gone))];
    let (verdicts, _) = judged(folder.path(), 1, &recipe, &members).expect("judged");
    let seen = verdicts.iter().filter(|verdict| verdict.verdict == Some(1));
    assert_eq!(
        seen.count(),
        3,
        "a golden completion, a method, a parameter"
    );
    let manifest = std::fs::read(folder.path().join("verdicts.jsonl.manifest.json"));
    let manifest: Manifest = serde_json::from_slice(&manifest.expect("there")).expect("a manifest");
    // Of the import's hole too, whose suffix is the rest of the file.
    assert_eq!(
        manifest.counts["questions that show less than the row holds"],
        5
    );
}

#[test]
fn preferences_stand_apart_with_the_order_that_was_shown() {
    /// Always prefers what stands first.
    fn first(_: &Question) -> Result<Reply, AskError> {
        says(
            "Detailed Reasoning: so\nPreferred Completion: A",
            Finish::Stop,
        )
    }
    let folder = tempfile::tempdir().expect("a folder");
    let recipe = JudgeRecipe {
        kinds: vec![VerdictKind::Preference],
        ..JudgeRecipe::default()
    };
    let members: Vec<Box<dyn Member>> = vec![Box::new(Told("first", first))];
    let (verdicts, tables) = judged(folder.path(), 20, &recipe, &members).expect("judged");
    assert_eq!(
        verdicts.len(),
        60,
        "no golden completion is asked about alone"
    );
    let shown_first = |subject| {
        verdicts
            .iter()
            .filter(|verdict| verdict.first == Some(subject))
            .count()
    };
    assert!(shown_first(Subject::Golden) > 15 && shown_first(Subject::Rejected) > 15);
    for verdict in &verdicts {
        let preferred = verdict.first == Some(Subject::Rejected);
        assert_eq!(verdict.verdict, Some(u8::from(preferred)));
    }
    let names: Vec<&str> = tables.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names[0], "preference_rate");
    assert!(!names.contains(&"fool_rate"));
}

#[test]
fn a_key_that_is_refused_ends_the_step_without_a_file() {
    fn refused(_: &Question) -> Result<Reply, AskError> {
        Err(AskError::Stop("401, the key was refused".into()))
    }
    let folder = tempfile::tempdir().expect("a folder");
    let members: Vec<Box<dyn Member>> = vec![Box::new(Told("j", refused))];
    let error = judged(folder.path(), 2, &JudgeRecipe::default(), &members).expect_err("stopped");
    let error = error.to_string();
    assert!(
        error.contains("`j`: 401") && error.contains("same command"),
        "{error}"
    );
    assert!(!folder.path().join("verdicts.jsonl").exists());
    assert!(!folder.path().join("scores.jsonl").exists());
}

#[test]
fn the_resolver_gives_columns_and_no_verdicts() {
    let folder = tempfile::tempdir().expect("a folder");
    let (verdicts, tables) =
        judged(folder.path(), 4, &JudgeRecipe::default(), &[]).expect("judged");
    assert!(verdicts.is_empty());
    let scores: Vec<crate::rows::Score> =
        RowReader::open(&folder.path().join("scores.jsonl"), "scores")
            .expect("there")
            .collect::<Result<_, _>>()
            .expect("rows");
    assert_eq!(scores.len(), 12);
    let method = scores
        .iter()
        .find(|score| score.row == negatives_of(&context(0))[0].id());
    let method = method.expect("scored").resolver.clone().expect("resolved");
    assert!(method.caught && !method.golden_caught, "{method:?}");
    assert_eq!(method.name.as_deref(), Some("made_up"));
    insta::assert_snapshot!("resolver_tables", shown(&tables));
}

#[test]
fn three_scorers_make_a_difficulty() {
    let folder = tempfile::tempdir().expect("a folder");
    let model =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/model/tests/data/parity/gguf");
    let scorer = |name: &str, file: &str| crate::score::ScorerRecipe {
        name: name.into(),
        model: model.join(file),
        format: Some("causal".into()),
        layout: None,
        context_tokens: 32,
        device: "cpu".into(),
    };
    let recipe = JudgeRecipe {
        scorer: vec![
            scorer("a", "llama-f32.gguf"),
            scorer("b", "llama-q8_0.gguf"),
            scorer("c", "llama-q4_1.gguf"),
        ],
        ..JudgeRecipe::default()
    };
    judged(folder.path(), 3, &recipe, &[]).expect("rows");
    let args = Args {
        contexts: folder.path().join("contexts.jsonl"),
        negatives: folder.path().join("negatives.jsonl"),
        out: folder.path().join("v.jsonl"),
        scores: Some(folder.path().join("s.jsonl")),
        recipe: None,
        judges: Vec::new(),
        json: false,
    };
    let run = || {
        let judged = judge(&args, &recipe, &[Who::Likelihood], &[], None).expect("judged");
        let path = folder.path().join("s.jsonl");
        let scores = RowReader::<crate::rows::Score>::open(&path, "scores").expect("there");
        let scores: Vec<_> = scores.collect::<Result<_, _>>().expect("rows");
        (judged.tables, scores)
    };
    let (tables, scores) = run();
    assert_eq!(tables[0].0, "difficulty");
    assert_eq!(scores.len(), 9);
    for score in &scores {
        assert_eq!(score.margins.len(), 3);
        assert!(score.difficulty.is_some() && score.resolver.is_none());
    }

    // A killed run left half of its last line: what stands before it is not computed again.
    let kept = folder.path().join("s.jsonl.margins.jsonl");
    let lines = std::fs::read_to_string(&kept).expect("kept");
    let told = format!("{}", scores[0].margins[0].golden);
    assert!(lines.contains(&told), "{lines}");
    let lines = lines.replacen(&told, "-1.5", 1);
    std::fs::write(&kept, &lines[..lines.len() - 9]).expect("written");
    let (_, again) = run();
    assert_eq!(again[0].margins[0].golden, -1.5);
    let margins = |scores: &[crate::rows::Score]| {
        let margins = scores.iter().flat_map(|score| score.margins.clone());
        margins.skip(1).collect::<Vec<_>>()
    };
    assert_eq!(margins(&again), margins(&scores));
}
