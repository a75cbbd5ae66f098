use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use truefill_journal::UnixMicros;

use super::*;

/// A simulated experiment: users who differ, documents of theirs that differ, and half hours in them,
/// each assigned to an arm; requests in one half hour are alike.
struct World {
    random: ChaCha8Rng,
    users: Vec<f64>,
    lift: f64,
}

impl World {
    fn new(seed: u64, lift: f64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        // How much of what is suggested a user keeps: between a third and three times the mean.
        let users = (0..6)
            .map(|_| (random.random::<f64>() * 2.2 - 1.1).exp())
            .collect();
        Self {
            random,
            users,
            lift,
        }
    }

    /// The requests of a day.
    fn day(&mut self, day: u32, requests: &mut Vec<Request>) {
        for user in 0..self.users.len() {
            for block in 0..6 {
                let candidate = self.random.random::<f64>() < 0.5;
                // A half hour of its own kind: a new file, a hard one.
                let mood = (self.random.random::<f64>() * 1.6 - 0.8).exp();
                let lift = if candidate { 1.0 + self.lift } else { 1.0 };
                let asked = 2 + (self.random.random::<f64>() * 10.0) as u32;
                for _ in 0..asked {
                    let accept = (0.25 * self.users[user] * mood * lift).min(0.9);
                    let taken = self.random.random::<f64>() < accept;
                    let kept = if taken {
                        4 + (self.random.random::<f64>() * 40.0) as u64
                    } else {
                        0
                    };
                    requests.push(request(day, user, block, candidate, kept));
                }
            }
        }
    }
}

fn request(day: u32, user: usize, block: u32, candidate: bool, kept: u64) -> Request {
    let arm = if candidate { "candidate" } else { "base" };
    Request {
        at: UnixMicros(i64::from(day) * 86_400_000_000),
        arm: arm.to_owned(),
        checkpoint: format!("{arm}-1"),
        language: "rust".to_owned(),
        trigger: "automatic".to_owned(),
        unit: Some(format!("{day} {user} {block}")),
        shares: [("base".to_owned(), 0.5), ("candidate".to_owned(), 0.5)].into(),
        comparison: Some("1".to_owned()),
        eligible: 1,
        silence: None,
        total_us: Some(100_000),
        served: true,
        shown: true,
        accepted: kept > 0,
        accepted_chars: kept,
        kept_chars: kept,
    }
}

/// On which day of twenty an experiment that is looked at daily says that there is a difference.
fn decided(seed: u64, lift: f64) -> Option<u32> {
    let mut world = World::new(seed, lift);
    let mut requests = Vec::new();
    (0..20).find(|day| {
        world.day(*day, &mut requests);
        let found = compare(&requests, Some("base")).expect("two arms");
        let difference = &found.differences[0];
        difference
            .interval
            .is_some_and(|[low, high]| low > 0.0 || high < 0.0)
    })
}

/// A thousand comparisons of a checkpoint with itself, looked at daily for twenty days: false
/// positives stay below the nominal 5 % and its standard error. Some of ten percent are found.
#[test]
fn looking_daily_costs_no_false_positives() {
    let wrong = (0..1000)
        .filter(|seed| decided(*seed, 0.0).is_some())
        .count();
    assert!(wrong <= 62, "{wrong} of 1000 at a nominal 5 %");
    let found = |lift| {
        (0..100)
            .filter(|seed| decided(5000 + *seed, lift).is_some())
            .count()
    };
    let (small, large) = (found(0.1), found(0.3));
    println!("false positives {wrong} of 1000; power in 20 days: 10 %: {small} %, 30 %: {large} %");
    assert!(
        large >= 40,
        "a difference of 30 % was found in {large} of 100"
    );
    assert!(large > small);
}

#[test]
fn few_units_have_no_interval() {
    let mut requests = Vec::new();
    World::new(1, 0.0).day(0, &mut requests);
    let found = compare(&requests, None).expect("two arms");
    let difference = &found.differences[0];
    assert_eq!((difference.interval, difference.confidence), (None, None));
    assert!(difference.units[0] < difference.units[1]);
    assert_eq!(
        found.arms[0].name, "base",
        "of equal shares the first by name"
    );
}

#[test]
fn what_is_compared_is_the_newest_assignment() {
    let mut requests = Vec::new();
    let mut world = World::new(1, 0.0);
    world.day(0, &mut requests);
    // Only the candidate's checkpoint was another one: the baseline's rows of then are no controls either.
    for old in &mut requests {
        if old.arm == "candidate" {
            old.checkpoint = "candidate-0".to_owned();
        }
        old.comparison = Some("0".to_owned());
    }
    let before = requests.len() as u64;
    world.day(1, &mut requests);
    let old = request(0, 0, 0, true, 5);
    requests.insert(
        0,
        Request {
            shares: [("base".to_owned(), 0.9), ("candidate".to_owned(), 0.1)].into(),
            ..old
        },
    );
    let found = compare(&requests, Some("base")).expect("two arms");
    let all: u64 = found.arms.iter().map(|arm| arm.counts.requested).sum();
    let newest = requests.iter().filter(|it| it.at.0 > 0).count() as u64;
    assert_eq!(all, newest);
    assert_eq!(found.left_out, before + 1);
    assert_eq!(found.arms[1].checkpoint, "candidate-1");
    assert!(!found.ratio.is_off());
    assert_eq!(
        compare(&requests[..1], None).map(|it| it.arms.len()),
        Some(2)
    );
    assert_eq!(compare(&[], None), None);
}

#[test]
fn the_figures_are_those_of_the_rows() {
    let mut requests = Vec::new();
    for block in 0..80 {
        let candidate = block % 2 == 0;
        for turn in 0..10 {
            let kept = if candidate { 6 } else { 5 } + u64::from(turn % 2 == 0);
            requests.push(request(block / 8, 0, block, candidate, kept));
        }
    }
    let found = compare(&requests, Some("base")).expect("two arms");
    let figures: Vec<_> = found
        .arms
        .iter()
        .map(|arm| (arm.units, arm.kept_per_request))
        .collect();
    assert_eq!(figures, [(40, Some(5.5)), (40, Some(6.5))]);
    let difference = &found.differences[0];
    assert_eq!(difference.difference, 1.0);
    assert_eq!(difference.days_left, None, "it is told apart");
    // Units do not differ among themselves: the interval is the difference.
    assert!(
        difference
            .interval
            .is_some_and(|[low, high]| low > 0.99 && high < 1.01)
    );
    assert_eq!(found.days, 9.0);
}
