//! Faults and kills: the same rows as without them, and nothing paid twice but what was under way.

use crate::mock::{self, Books};
use crate::process::{Bench, Step};
use crate::support::{mix, until};

const KILLS: usize = 50;
const PRICES: &str = "price_input_per_million = 1.0\nprice_output_per_million = 1.0\n\
     [generate]\ngenerators = ['mock']\nin_flight = 8\nbudget = 100.0\n\
     [judge]\npanel = ['mock']\nbudget = 100.0\n";

/// What a run gave.
struct Ran {
    rows: Vec<u8>,
    files: Vec<String>,
    counts: serde_json::Value,
}

fn result(bench: &Bench) -> Ran {
    Ran {
        rows: bench.read("out.jsonl"),
        files: bench.files(),
        counts: bench.manifest()["counts"].clone(),
    }
}

async fn undisturbed(step: Step, contexts: usize, questions: usize) -> Ran {
    let books = Books::default();
    let server = mock::serve(&books, false).await;
    let bench = Bench::new(contexts, &server.url, PRICES);
    let mut child = bench.start(step);
    until(|| child.ended()).await;
    assert_eq!(
        (books.questions(), books.requests()),
        (questions, questions)
    );
    result(&bench)
}

/// One in five replies is a fault, and the process is killed at points that are drawn, until a run
/// ends or `most` kills hit one. Gives the kills.
async fn disturbed(step: Step, contexts: usize, questions: usize, most: usize) -> (Ran, usize) {
    let books = Books::default();
    let server = mock::serve(&books, true).await;
    let bench = Bench::new(contexts, &server.url, PRICES);
    let (mut hits, mut under_way) = (0, 0);
    while hits < most {
        let mut child = bench.start(step);
        // Somewhere in the next stretch of the run.
        let stretch = (questions / KILLS) as u64;
        let target = books.requests() + 1 + (mix(b"kill", most - hits) % stretch) as usize;
        let mut ended = false;
        until(|| {
            ended = child.ended();
            ended || books.requests() >= target
        })
        .await;
        drop(child);
        if ended {
            break;
        }
        // It may have ended between the look and the kill.
        hits += usize::from(!bench.path("out.jsonl").exists());
        under_way += bench.under_way();
    }
    let mut child = bench.start(step);
    until(|| child.ended()).await;
    let requests = books.requests();
    assert!(
        requests > questions * 11 / 10,
        "{requests} requests: no faults"
    );
    assert_eq!(books.questions(), questions);
    let duplicates = books.duplicates();
    assert!(
        duplicates <= under_way,
        "{duplicates} paid twice, {under_way} under way"
    );
    (result(&bench), hits)
}

/// As many runs as it takes until all kills hit one that was under way.
async fn compare(step: Step, contexts: usize, questions: usize) {
    let whole = undisturbed(step, contexts, questions).await;
    assert!(whole.rows.len() > 100_000, "{} bytes", whole.rows.len());
    let mut kills = 0;
    while kills < KILLS {
        let (found, hits) = disturbed(step, contexts, questions, KILLS - kills).await;
        assert!(hits > 0, "a run that no kill hits");
        assert!(found.rows == whole.rows, "{step:?}: other rows");
        assert_eq!(found.counts, whole.counts);
        assert_eq!(found.files, whole.files, "something is left of killed runs");
        kills += hits;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn generate_gives_the_same_rows_through_faults_and_kills() {
    compare(Step::Generate, 1000, 1000).await;
}

/// A golden completion and a negative of each context.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn judge_gives_the_same_rows_through_faults_and_kills() {
    compare(Step::Judge, 500, 1000).await;
}
