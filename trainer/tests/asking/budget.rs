//! A run that cannot be paid for to its end, or is refused half-way, leaves what was answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::mock::{self, Books};
use crate::process::{Bench, Step, told};
use crate::support::{Server, reply};

const CONTEXTS: usize = 60;

/// An answer costs 110 millionths, and can cost 400 and one for each byte of the question.
/// Eight contexts at a time: the first is among the first that are answered, however busy the machine.
fn keys(budget: Option<f64>) -> String {
    let budget = budget.map_or(String::new(), |budget| format!("budget = {budget}\n"));
    format!(
        "price_input_per_million = 1.0\nprice_output_per_million = 1.0\n\
         [generate]\ngenerators = ['mock']\nin_flight = 8\n{budget}[judge]\npanel = ['mock']\nmax_tokens = 400\n{budget}"
    )
}

fn reasons(bench: &Bench, step: Step, reason: &str) -> u64 {
    let manifest = bench.manifest();
    match step {
        Step::Generate => manifest["counts"][format!("rejected.mock.method.{reason}")]
            .as_u64()
            .unwrap_or(0),
        Step::Judge => {
            let text = String::from_utf8(bench.read("out.jsonl")).unwrap();
            let missing = format!("\"missing\":\"{reason}\"");
            text.lines().filter(|line| line.contains(&missing)).count() as u64
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_budget_leaves_what_was_answered_and_more_money_the_rest() {
    for (step, questions) in [(Step::Generate, CONTEXTS), (Step::Judge, 2 * CONTEXTS)] {
        let books = Books::default();
        let server = mock::serve(&books, false).await;
        let bench = Bench::new(CONTEXTS, &server.url, &keys(Some(0.0055)));
        let ran = bench.run(step);
        assert_eq!(ran.status.code(), Some(1), "{step:?}: {}", told(&ran));
        assert!(told(&ran).contains("the budget is spent"), "{}", told(&ran));
        assert!(!ran.stdout.is_empty(), "no table");
        // The money pays for 50 answers; only the last few find too little to reserve.
        let answered = books.questions();
        assert!((20..=50).contains(&answered), "{step:?}: {answered}");
        let left_out = (questions - answered) as u64;
        assert_eq!(reasons(&bench, step, "budget"), left_out, "{step:?}");
        assert_eq!(
            bench.manifest()["tables"]["ledger"]["spent"],
            110_000 * answered
        );
        // With enough money the rest is asked, and nothing a second time.
        bench.recipe(&server.url, &keys(Some(50.0)));
        let ran = bench.run(step);
        assert!(ran.status.success(), "{}", told(&ran));
        assert_eq!((books.questions(), books.duplicates()), (questions, 0));
        let other = Bench::new(CONTEXTS, &server.url, &keys(None));
        assert!(other.run(step).status.success());
        assert!(
            bench.read("out.jsonl") == other.read("out.jsonl"),
            "{step:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_refusal_leaves_what_was_answered_and_an_early_one_no_file() {
    for step in [Step::Generate, Step::Judge] {
        let open = Arc::new(AtomicBool::new(true));
        let door = Arc::clone(&open);
        let server =
            Server::start(
                move |number, seen| match number < 30 && door.load(Ordering::Relaxed) {
                    true => mock::whole(seen),
                    false => reply("401 Unauthorized", &[], b"no such key"),
                },
            )
            .await;
        let bench = Bench::new(CONTEXTS, &server.url, &keys(None));
        let ran = bench.run(step);
        assert_eq!(ran.status.code(), Some(1), "{}", told(&ran));
        assert!(told(&ran).contains("no such key"), "{}", told(&ran));
        assert!(server.requests().len() < 30 + 8 + 1);
        let stopped = reasons(&bench, step, "stopped");
        assert!(stopped >= 30, "{step:?}: {stopped}");
        assert!(bench.lines("out.jsonl") > 10, "{step:?}");
        // What was under way when the refusal came was waited for, and is kept.
        let ledger = bench.manifest()["tables"]["ledger"].clone();
        assert_eq!(
            (&ledger["lost"], &ledger["replies"]),
            (&0.into(), &30.into())
        );

        open.store(false, Ordering::Relaxed);
        let bench = Bench::new(CONTEXTS, &server.url, &keys(None));
        let before = server.requests().len();
        let ran = bench.run(step);
        assert_eq!(ran.status.code(), Some(1), "{}", told(&ran));
        assert!(told(&ran).contains("nothing was written"), "{}", told(&ran));
        assert!(!bench.path("out.jsonl").exists());
        assert!(server.requests().len() - before <= 8);
    }
}

/// A panel of two, with one ledger: who is refused half-way is left out, and the other goes on.
#[tokio::test(flavor = "multi_thread")]
async fn one_member_may_stop_while_another_goes_on() {
    let open = Arc::new(AtomicBool::new(false));
    let door = Arc::clone(&open);
    let other =
        Server::start(
            move |number, seen| match number < 10 || door.load(Ordering::Relaxed) {
                true => mock::whole(seen),
                false => reply("401 Unauthorized", &[], b"no such key"),
            },
        )
        .await;
    let books = Books::default();
    let server = mock::serve(&books, false).await;
    let member = format!(
        "[members.other]\nurl = '{}'\nprotocol = 'openai-chat'\nmodel = 'n'\n\
         [generate]\ngenerators = ['other', 'mock']\nin_flight = 8\n",
        other.url
    );
    let bench = Bench::new(CONTEXTS, &server.url, &member);
    let ran = bench.run(Step::Generate);
    assert_eq!(ran.status.code(), Some(1), "{}", told(&ran));
    assert!(told(&ran).contains("`other`") && !told(&ran).contains("`mock`"));
    assert_eq!(books.questions(), CONTEXTS);
    assert_eq!(
        bench.manifest()["tables"]["ledger"]["replies"],
        10 + CONTEXTS
    );
    let of = |bench: &Bench, name: &str| {
        let rows = bench.generated().into_iter();
        let rows = rows.filter(|row| row.generator == name);
        rows.map(|row| row.context_id).collect::<Vec<_>>()
    };
    let [half, mock] = ["other", "mock"].map(|name| of(&bench, name));
    assert!(!half.is_empty() && half.len() <= 10 && mock.len() > 30);

    // With a key that is good again the rest is asked, and nobody a second time.
    open.store(true, Ordering::Relaxed);
    let refused = other.requests().len();
    let ran = bench.run(Step::Generate);
    assert!(ran.status.success(), "{}", told(&ran));
    assert_eq!(other.requests().len() - refused, CONTEXTS - 10);
    assert_eq!((books.questions(), books.duplicates()), (CONTEXTS, 0));
    assert_eq!(of(&bench, "mock"), mock);
    // They say the same, so their rows stand side by side, in the order of the contexts.
    let rows = bench.generated();
    let names: Vec<&str> = rows.iter().map(|row| &*row.generator).collect();
    assert_eq!(names, ["other", "mock"].repeat(mock.len()));
    let pairs = rows.chunks(2);
    assert!(
        pairs
            .clone()
            .all(|pair| pair[0].rejected == pair[1].rejected)
    );
}

/// A server that refuses every question with 400 leaves an empty file: that is not "all went well".
/// One that is not there is told before anything is written.
#[tokio::test(flavor = "multi_thread")]
async fn questions_without_an_answer_are_told_and_a_server_that_is_not_there_ends_the_step() {
    for step in [Step::Generate, Step::Judge] {
        let server = Server::start(|number, seen| match number {
            0 => mock::whole(seen),
            _ => reply("400 Bad Request", &[], b"too long"),
        })
        .await;
        let bench = Bench::new(5, &server.url, &keys(None));
        let ran = bench.run(step);
        assert_eq!(ran.status.code(), Some(1), "{}", told(&ran));
        let failed = server.requests().len() - 1;
        let sentence = format!("`mock` gave no answer to {failed} questions");
        assert!(told(&ran).contains(&sentence), "{}", told(&ran));
        assert!(bench.path("out.jsonl").exists(), "{step:?}");

        // Port 1 is nobody's.
        let bench = Bench::new(50, "http://127.0.0.1:1", &keys(None));
        bench.retry(1);
        let ran = bench.run(step);
        assert_eq!(ran.status.code(), Some(1), "{}", told(&ran));
        assert!(told(&ran).contains("is it running"), "{}", told(&ran));
        assert!(told(&ran).contains("nothing was written"), "{}", told(&ran));
        assert!(!bench.path("out.jsonl").exists(), "{step:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_needs_prices_and_recipes_are_read_strictly() {
    let whole = "[generate]\ngenerators = ['mock']\n[judge]\npanel = ['mock']\n";
    let budget = "[generate]\ngenerators = ['mock']\nbudget = 1.0\n[judge]\npanel = ['mock']\nbudget = 1.0\n";
    let unknown = "[generate]\ngenerators = ['gpt']\n[judge]\npanel = ['gpt']\n";
    let twice = "[generate]\ngenerators = ['mock', 'mock']\n[judge]\npanel = ['mock', 'mock']\n";
    let misspelt = "[generate]\ngenerators = ['mock']\nbudgte = 1.0\n[judge]\npanel = ['mock']\nbudgte = 1.0\n";
    let cases = [
        (budget.to_owned(), "price_input_per_million"),
        (unknown.to_owned(), "found `gpt`"),
        (twice.to_owned(), "each"),
        (misspelt.to_owned(), "the nearest key is `budget`"),
        (
            format!("conncurrency = 3\n{whole}"),
            "the nearest key is `concurrency`",
        ),
        (
            format!("api_key_env = 'TRUEFILL_NO_SUCH_KEY'\n{whole}"),
            "TRUEFILL_NO_SUCH_KEY",
        ),
        ("[generate".to_owned(), "recipe.toml"),
    ];
    for (keys, expected) in cases {
        let bench = Bench::new(1, "http://127.0.0.1:1", &keys);
        for step in [Step::Generate, Step::Judge] {
            let ran = bench.run(step);
            assert_eq!(ran.status.code(), Some(2), "{keys}: {}", told(&ran));
            assert!(told(&ran).contains(expected), "{keys}: {}", told(&ran));
            assert!(told(&ran).contains("recipe.toml"), "{keys}: {}", told(&ran));
            assert!(!bench.path("out.jsonl").exists());
        }
    }
}

/// Models, addresses, prices, money and prompts stand in the manifest, and no key.
#[tokio::test(flavor = "multi_thread")]
async fn the_manifest_says_who_was_asked_with_what_and_for_how_much() {
    let books = Books::default();
    let server = mock::serve(&books, false).await;
    for step in [Step::Generate, Step::Judge] {
        let bench = Bench::new(4, &server.url, &keys(None));
        let ran = bench.run(step);
        assert!(ran.status.success(), "{}", told(&ran));
        let tables = bench.manifest()["tables"].clone();
        let member = &tables["members"]["mock"];
        assert_eq!(member["model"], "m");
        assert_eq!(member["url"], server.url);
        assert_eq!(member["price_output_per_million"], 1.0);
        assert!(tables["ledger"]["spent"].as_u64() > Some(0));
        let prompts = tables["prompts"].as_array().unwrap();
        assert!(prompts.len() >= 2, "{prompts:?}");
        assert!(
            prompts
                .iter()
                .all(|row| row["sha256"].as_str().unwrap().len() == 64)
        );
        // Not on a terminal: the figures come as a line at the end.
        let line = told(&ran);
        assert!(
            line.contains("4 of 4") && line.contains("spent 0.0"),
            "{line}"
        );
    }
}
