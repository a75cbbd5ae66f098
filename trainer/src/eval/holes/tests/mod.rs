//! A small repository of Python, its holes and its tests, in the real sandbox.

mod copy;

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::eval::backend::{Backend, Hear, Likelihood, Timed};
use crate::eval::decoding::Decoding;
use crate::eval::figures::{Figure, Metric, Variant};
use crate::eval::measure::figures;
use crate::eval::recipe::EvalRecipe;
use crate::eval::run::{Evaluation, Outcome as Evaluated};
use crate::eval::sandbox::SandboxError;

const CODE: &str = r#""""Prices of a shop."""

RATES = {"books": 7, "tools": 19}


def with_tax(price, kind):
    rate = RATES.get(kind, 19)
    tax = price * rate / 100
    return price + tax


def total(items):
    gross = [with_tax(price, kind) for price, kind in items]
    result = sum(gross)
    return round(result, 2)


def discounted(items, share):
    full = total(items)
    saved = full * share
    return round(full - saved, 2)


def never_called(items, share):
    full = discounted(items, share)
    result = total(items) - full
    return round(result, 2)
"#;

const TEST: &str = r#"import unittest

from shop import prices


class PricesTest(unittest.TestCase):
    def test_prices(self):
        items = [(100, "books"), (200, "tools")]
        self.assertEqual(prices.total(items), 345)
        self.assertEqual(prices.discounted(items, 0.5), 172.5)
"#;

const COMMAND: &str = "python3 -m unittest";

fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    };
    write("shop/__init__.py", "");
    write("shop/prices.py", CODE);
    write("test_prices.py", TEST);
    write(".gitignore", "/ignored/\n");
    write("ignored/prices.py", CODE);
    write(".git/HEAD", "ref: refs/heads/main\n");
    folder
}

fn suite(folder: &Path, test: &str) -> SuiteRecipe {
    let text = format!("name = \"holes\"\ndata = [{folder:?}]\ntest = {test:?}\nlimit = 8\n");
    toml::from_str(&text).expect("a suite")
}

/// Without `bwrap` the refusal is looked at instead, but not where CI runs.
fn opened(suite: &SuiteRecipe) -> Option<Repository> {
    match Repository::open(suite, &Surroundings::default()) {
        Ok(repository) => Some(repository),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "{error:#}");
            let refusal = error.downcast_ref::<SandboxError>();
            let refused = matches!(refusal, Some(SandboxError::Refused { .. }));
            assert!(refused, "{error:#}");
            None
        }
    }
}

/// What a folder has, with links as what they lead to.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in ignore::WalkBuilder::new(folder)
        .standard_filters(false)
        .build()
    {
        let path = entry.expect("an entry").into_path();
        let bytes = match fs::read_link(&path) {
            Ok(target) => target.into_os_string().into_encoded_bytes(),
            Err(_) if path.is_dir() => Vec::new(),
            Err(_) => fs::read(&path).expect("a file"),
        };
        found.insert(path, bytes);
    }
    found
}

/// Writes what it is told to.
struct Scripted<'a>(&'a dyn Fn(&EvalRow) -> String);

impl Backend for Scripted<'_> {
    fn identity(&self) -> &str {
        "scripted"
    }

    fn complete(&mut self, rows: &[&EvalRow], hear: Hear<'_>) -> Result<()> {
        for (at, row) in rows.iter().enumerate() {
            if (hear.stop)() {
                break;
            }
            (hear.done)(at, Ok(Timed::ended((self.0)(row))))?;
        }
        Ok(())
    }

    fn likelihood(&mut self, _: &EvalRow, _: &str) -> Result<Option<Likelihood>> {
        Ok(None)
    }
}

fn drawn(
    repository: &Repository,
    cache: &Path,
    workers: usize,
    stop: &(dyn Fn() -> bool + Sync),
) -> Option<Loaded> {
    let choice = Choice {
        seed: 3,
        cache,
        workers,
        progress: &Progress::silent(),
        stop,
    };
    let found = repository.rows(&choice).expect("holes");
    found.map(|(loaded, _)| loaded)
}

fn evaluated(
    repository: &Repository,
    rows: &[EvalRow],
    say: &dyn Fn(&EvalRow) -> String,
    cache: &Path,
    stop: &(dyn Fn() -> bool + Sync),
) -> Evaluated {
    let evaluation = Evaluation {
        rows,
        backend: &mut Scripted(say),
        decoding: &Decoding::default(),
        cache,
        runner: Some(repository),
        workers: 2,
        progress: &Progress::silent(),
        stop,
    };
    evaluation.run().expect("measured")
}

const GO_ON: &(dyn Fn() -> bool + Sync) = &|| false;

/// Stops when it was asked so often.
fn after(times: usize) -> impl Fn() -> bool + Sync {
    let asked = AtomicUsize::new(0);
    move || asked.fetch_add(1, Ordering::Relaxed) >= times
}

#[test]
fn its_own_tests_say_what_a_completion_is_worth() {
    let folder = repository();
    let Some(repository) = opened(&suite(folder.path(), COMMAND)) else {
        return;
    };
    let before = content(folder.path());
    repository
        .pass_unchanged(&Progress::silent())
        .expect("passes");
    let cache = tempfile::tempdir().expect("a folder");
    let loaded = drawn(&repository, cache.path(), 2, GO_ON).expect("not stopped");
    assert!(loaded.rows.len() > 2, "{:#?}", loaded.rows);
    let unseen = CODE.find("def never_called").expect("there");
    for row in &loaded.rows {
        assert_eq!(row.cluster, "shop/prices.py");
        let whole = [row.question.before(), &row.golden].concat();
        assert!(CODE.starts_with(&whole) && whole.len() < unseen, "{row:#?}");
    }
    let note = &loaded.notes[1];
    assert!(
        note.contains("went unseen") && !note.starts_with("0 of"),
        "{note}"
    );

    let golden = evaluated(
        &repository,
        &loaded.rows,
        &|row| format!("{}  # as it was", row.golden),
        cache.path(),
        GO_ON,
    );
    let passes = |outcome: &Evaluated| -> Vec<Option<f64>> {
        let of = |(row, result): (&EvalRow, &Option<_>)| {
            let figures = figures(row, result.as_ref().expect("measured"));
            figures.values.get(&Figure::whole(Metric::Pass)).copied()
        };
        loaded.rows.iter().zip(&outcome.results).map(of).collect()
    };
    // What stands behind the hole in its line is a comment then, and may be missed.
    let ends_line = |row: &EvalRow| match &row.question {
        Question::Infill { suffix, .. } => suffix.starts_with('\n'),
        _ => false,
    };
    for (row, pass) in loaded.rows.iter().zip(passes(&golden)) {
        assert_eq!(pass, Some(f64::from(u8::from(ends_line(row)))), "{row:#?}");
    }
    assert!(passes(&golden).contains(&Some(1.0)));
    let wrong = |row: &EvalRow| match row.kind.as_str() {
        "block" | "statement" => "pass".to_owned(),
        _ => "None".to_owned(),
    };
    let other = tempfile::tempdir().expect("a folder");
    let wrong = evaluated(&repository, &loaded.rows, &wrong, other.path(), GO_ON);
    assert_eq!(passes(&wrong), vec![Some(0.0); loaded.rows.len()]);
    assert_eq!(content(folder.path()), before);
}

/// It writes to the repository and to the copy, and does not end.
#[test]
fn a_hostile_completion_harms_nothing() {
    let folder = repository();
    let mut suite = suite(folder.path(), COMMAND);
    suite.timeout = Some(15);
    suite.limit = Some(1);
    let Some(repository) = opened(&suite) else {
        return;
    };
    let [before, copy] = [folder.path(), &*repository.snapshot.root].map(content);
    let cache = tempfile::tempdir().expect("a folder");
    let loaded = drawn(&repository, cache.path(), 1, GO_ON).expect("not stopped");
    let path = folder.path().display().to_string();
    let copied = repository.snapshot.root.display().to_string();
    let hostile = |_: &EvalRow| {
        let script =
            format!("rm -rf {path} {copied}/* /input/source/*; echo >{path}/x; sleep 1000");
        format!("__import__(\"os\").system(\"{script}\")")
    };
    let outcome = evaluated(&repository, &loaded.rows, &hostile, cache.path(), GO_ON);
    let result = outcome.results[0].as_ref().expect("measured");
    assert_eq!(result.runs[&Variant::Whole], Run::TimedOut);
    assert_eq!(content(folder.path()), before);
    assert_eq!(content(&repository.snapshot.root), copy);
}

#[test]
fn a_resumed_run_equals_an_uninterrupted_one() {
    let folder = repository();
    let Some(repository) = opened(&suite(folder.path(), COMMAND)) else {
        return;
    };
    let say = |row: &EvalRow| match row.id.as_bytes().last().map(|last| last % 2) {
        Some(0) => row.golden.clone(),
        _ => "None".to_owned(),
    };
    let [whole, parts] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let loaded = drawn(&repository, whole.path(), 2, GO_ON).expect("not stopped");
    let expected = evaluated(&repository, &loaded.rows, &say, whole.path(), GO_ON);
    assert!(drawn(&repository, parts.path(), 1, &after(3)).is_none());
    // The same content from another copy, with another number of workers.
    let again = opened(&suite(folder.path(), COMMAND)).expect("a sandbox");
    assert_eq!(drawn(&again, parts.path(), 1, GO_ON), Some(loaded.clone()));
    for times in [2, loaded.rows.len()] {
        let stop = after(times);
        let part = evaluated(&again, &loaded.rows, &say, parts.path(), &stop);
        assert!(part.stopped && part.results.iter().any(Option::is_none));
    }
    let resumed = evaluated(&again, &loaded.rows, &say, parts.path(), GO_ON);
    assert_eq!(resumed.results, expected.results);
}

/// What no model has to do with is run once.
#[test]
fn a_second_checkpoint_does_not_pay_for_the_checks() {
    let folder = repository();
    let cache = tempfile::tempdir().expect("a folder");
    let kept = || {
        let repository = opened(&suite(folder.path(), COMMAND))?;
        let loaded = drawn(&repository, cache.path(), 1, GO_ON).expect("not stopped");
        let name = format!("holes-{}.jsonl", short_hash(&repository.identity));
        let lines = fs::read_to_string(cache.path().join(name)).expect("kept");
        Some((loaded, lines))
    };
    let Some(first) = kept() else {
        return;
    };
    assert!(first.1.contains("\"passed\"") && first.1.contains("\"failed\""));
    assert_eq!(kept(), Some(first));
}

#[test]
fn tests_that_cannot_judge_are_refused() {
    let folder = repository();
    let failing = "echo begun; echo 'no module named pytest' >&2; exit 3";
    let Some(repository) = opened(&suite(folder.path(), failing)) else {
        return;
    };
    let error = repository
        .pass_unchanged(&Progress::silent())
        .expect_err("fails")
        .to_string();
    for part in [
        "found exit status 3 after",
        "`--mount`",
        "the end of its standard output:\nbegun",
        "the end of its standard error:\nno module named pytest",
    ] {
        assert!(error.contains(part), "{error}");
    }
    let mut endless = suite(folder.path(), "sleep 100");
    endless.timeout = Some(1);
    let error = opened(&endless)
        .expect("a sandbox")
        .pass_unchanged(&Progress::silent())
        .expect_err("does not end")
        .to_string();
    assert!(error.contains("no end within 1 s"), "{error}");
    let cache = tempfile::tempdir().expect("a folder");
    let choice = Choice {
        seed: 1,
        cache: cache.path(),
        workers: 1,
        progress: &Progress::silent(),
        stop: GO_ON,
    };
    let repository = opened(&suite(folder.path(), "true")).expect("a sandbox");
    let error = repository.rows(&choice).expect_err("blind").to_string();
    assert!(error.contains("passes whatever stands there"), "{error}");
    fs::remove_file(folder.path().join("shop/prices.py")).expect("removed");
    let repository = opened(&suite(folder.path(), COMMAND)).expect("a sandbox");
    let error = repository.rows(&choice).expect_err("empty").to_string();
    assert!(error.contains("found none"), "{error}");
}

#[test]
fn only_holes_have_tests() {
    let check = |suite: &str| {
        let recipe: EvalRecipe = toml::from_str(&format!("[[suite]]\n{suite}")).expect("TOML");
        recipe.check().map_err(|error| {
            assert!(error.is::<Usage>(), "{error}");
            error.to_string()
        })
    };
    let holes = "name = \"holes\"\ndata = [\".\"]\n";
    let whole = format!("{holes}test = \"make test\"\nmounts = [\"~/.cargo\"]\ntimeout = 300\n");
    assert_eq!(check(&whole), Ok(()));
    let pairs = "name = \"pairs\"\ndata = [\"pairs.jsonl\"]\n";
    for (suite, expected) in [
        (holes.to_owned(), "expected the command that tests"),
        (format!("{holes}test = \" \""), "found nothing"),
        (
            format!("{holes}test = \"x\"\ntimeout = 0"),
            "1 to 86400 seconds",
        ),
        (whole.replace("[\".\"]", "[\"a\", \"b\"]"), "found 2 paths"),
        (
            format!("{pairs}test = \"x\""),
            "`test` of `pairs`: only `holes` has it",
        ),
        (format!("{pairs}timeout = 3"), "`timeout` of `pairs`"),
        (format!("{pairs}mounts = [\"x\"]"), "`mounts` of `pairs`"),
    ] {
        let error = check(&suite).expect_err(&suite);
        assert!(error.contains(expected), "{error}");
    }
    let recipe = EvalRecipe {
        run: false,
        ..toml::from_str(&format!("[[suite]]\n{whole}")).expect("TOML")
    };
    assert!(recipe.check().is_err());
}
