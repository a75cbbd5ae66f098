//! A thousand comparisons of a checkpoint with itself, looked at daily, by the command that a team runs.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use truefill_tests::truefill;

const DAYS: i64 = 10;

/// Users who differ, half hours of theirs that differ, requests in one half hour that are alike.
struct World {
    random: ChaCha8Rng,
    users: Vec<f64>,
    lift: f64,
    rows: u64,
}

impl World {
    fn new(seed: u64, lift: f64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let users = (0..6).map(|_| (random.random::<f64>() * 2.2 - 1.1).exp());
        let users = users.collect();
        Self {
            random,
            users,
            lift,
            rows: 0,
        }
    }

    /// The lines of a day's export.
    fn day(&mut self, day: i64) -> String {
        let mut lines = String::new();
        for user in 0..self.users.len() {
            for block in 0..6 {
                let candidate = self.random.random::<f64>() < 0.5;
                let mood = (self.random.random::<f64>() * 1.6 - 0.8).exp();
                let lift = if candidate { 1.0 + self.lift } else { 1.0 };
                let accept = (0.25 * self.users[user] * mood * lift).min(0.9);
                let requests = 1 + (self.random.random::<f64>() * 4.0) as u32;
                for _ in 0..requests {
                    let kept = (self.random.random::<f64>() < accept)
                        .then(|| 4 + (self.random.random::<f64>() * 40.0) as u32);
                    let line = self.line(day, &format!("{day}-{user}-{block}"), candidate, kept);
                    writeln!(lines, "{line}").unwrap();
                }
            }
        }
        lines
    }

    fn line(&mut self, day: i64, unit: &str, candidate: bool, kept: Option<u32>) -> Value {
        self.rows += 1;
        let arm = if candidate { "candidate" } else { "base" };
        let at = day * 86_400_000_000 + i64::try_from(self.rows).unwrap();
        let event =
            |event: &str| json!({ "event": event, "sequence": 0, "at": at, "inferred": false });
        let mut outcomes = vec![event("served")];
        if let Some(kept) = kept {
            let mut accepted = event("accepted");
            accepted["chars"] = json!(kept + 2);
            let mut sample = event("kept");
            (sample["chars"], sample["after_s"]) = (json!(kept), json!(360));
            outcomes.extend([accepted, sample]);
        }
        json!({
            "version": 2, "id": format!("{:026}", self.rows), "at": at, "session": "s",
            "document": "d", "path_policy": "open", "language": "rust",
            "checkpoint": format!("{arm}-1"), "arm": arm, "unit": unit, "generation": 1,
            "shares": { "base": 0.5, "candidate": 0.5 }, "format": "f", "format_version": 1,
            "trigger": "automatic", "stages": { "total": 90_000 }, "outcomes": outcomes,
        })
    }
}

/// The last look at an experiment, which ends as soon as the command tells the arms apart.
fn decided(home: &Path, seed: u64, lift: f64) -> (bool, Value) {
    let mut world = World::new(seed, lift);
    let file = home.join(format!("{seed}-{lift}.jsonl"));
    let mut lines = String::new();
    let mut last = Value::Null;
    for day in 0..DAYS {
        lines.push_str(&world.day(day));
        std::fs::write(&file, &lines).unwrap();
        let told = truefill(home, &["stats", "--json", file.to_str().unwrap()]);
        last = serde_json::from_str(&told).unwrap();
        let interval = &last["comparison"]["differences"][0]["interval"];
        let bound = |at: usize| interval[at].as_f64();
        if bound(0).is_some_and(|low| low > 0.0) || bound(1).is_some_and(|high| high < 0.0) {
            return (true, last);
        }
    }
    (false, last)
}

/// How many of so many experiments are decided, by all processors.
fn count(experiments: u64, first: u64, lift: f64) -> usize {
    let threads = std::thread::available_parallelism().map_or(1, |it| it.get() as u64);
    let found = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let found = &found;
            scope.spawn(move || {
                let home = tempfile::tempdir().unwrap();
                for seed in (first..first + experiments).filter(|seed| seed % threads == thread) {
                    let (told, _) = decided(home.path(), seed, lift);
                    found.fetch_add(usize::from(told), Ordering::Relaxed);
                }
            });
        }
    });
    found.into_inner()
}

#[test]
fn a_checkpoint_is_seldom_better_than_itself() {
    let wrong = count(1000, 0, 0.0);
    // The nominal 5 % and its standard error over a thousand.
    assert!(
        wrong <= 62,
        "{wrong} of 1000 A/A comparisons were told apart"
    );
    let (ten, half) = (count(40, 9000, 0.1), count(40, 9000, 0.5));
    eprintln!(
        "false positives {wrong} of 1000; power in {DAYS} days: 10 %: {ten} of 40, 50 %: {half} of 40"
    );
    assert!(
        half > ten && half >= 10,
        "a difference of 50 % was found in {half} of 40"
    );
}

#[test]
fn the_sentence_is_what_the_figures_say() {
    let home = tempfile::tempdir().unwrap();
    let (told, report) = decided(home.path(), 77, 3.0);
    assert!(told);
    let verdict = report["verdict"][0].as_str().unwrap();
    assert!(
        verdict.starts_with("`candidate` is better than `base`"),
        "{verdict}"
    );
    let difference = report["comparison"]["differences"][0]["difference"]
        .as_f64()
        .unwrap();
    assert!(
        verdict.contains(&format!("{difference:+.2} kept characters")),
        "{verdict}"
    );
    let arms = report["comparison"]["arms"].as_array().unwrap();
    let requests: u64 = arms
        .iter()
        .map(|arm| arm["counts"]["requested"].as_u64().unwrap())
        .sum();
    assert_eq!(Some(requests), report["all"]["requested"].as_u64());
}
