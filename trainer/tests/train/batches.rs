//! Steps and the learning rate.

use truefill_trainer::train::batches::{BatchPlan, Cursor, StepSize};
use truefill_trainer::train::schedule::{Decay, Schedule, Warmup};

use crate::reference;

fn plan(step: StepSize) -> BatchPlan {
    BatchPlan {
        step,
        tokens_at_once: 512,
        rows_at_once: 6,
        pool: 8,
        seed: 3,
    }
}

/// Lengths as code has them: many short rows and a few long ones.
fn lengths(rows: usize) -> Vec<usize> {
    (0..rows)
        .map(|row| 20 + (row * row * 7919) % 200 + (row % 17) * 20)
        .collect()
}

const SIZES: [StepSize; 3] = [
    StepSize::Rows(16),
    StepSize::Rows(1),
    StepSize::Tokens(2000),
];

#[test]
fn every_row_is_in_an_epoch_once_and_within_the_limits() {
    let lengths = lengths(333);
    for size in SIZES {
        let plan = plan(size);
        let steps = plan.epoch(&lengths, 0);
        let mut seen: Vec<usize> = steps.iter().flatten().flatten().copied().collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..333).collect::<Vec<_>>(), "{size:?}");
        for step in &steps {
            let rows: Vec<usize> = step.concat();
            let tokens: usize = rows.iter().map(|row| lengths[*row]).sum();
            match size {
                StepSize::Rows(most) => assert!(rows.len() <= most),
                StepSize::Tokens(most) => assert!(tokens <= most),
            }
            for batch in step {
                let longest = batch.iter().map(|row| lengths[*row]).max().unwrap();
                assert!(batch.len() == 1 || longest * batch.len() <= plan.tokens_at_once);
                assert!(batch.len() <= plan.rows_at_once);
            }
        }
        let whole = |step: &&Vec<Vec<usize>>| step.concat().len() == 16;
        if size == StepSize::Rows(16) {
            assert_eq!(steps.len(), 21);
            assert_eq!(steps.iter().filter(whole).count(), 20);
        }
    }
}

#[test]
fn epochs_and_seeds_differ_and_come_back() {
    let lengths = lengths(100);
    for size in SIZES {
        let one = plan(size);
        let other = BatchPlan { seed: 4, ..one };
        assert_eq!(one.epoch(&lengths, 1), one.epoch(&lengths, 1));
        assert_ne!(one.epoch(&lengths, 1), one.epoch(&lengths, 2));
        assert_ne!(one.epoch(&lengths, 1), other.epoch(&lengths, 1));
    }
}

/// Positions that are computed, padding counted.
fn positions(steps: &[Vec<Vec<usize>>], lengths: &[usize]) -> usize {
    let batch =
        |batch: &Vec<usize>| batch.len() * batch.iter().map(|row| lengths[*row]).max().unwrap();
    steps.iter().flatten().map(batch).sum()
}

#[test]
fn rows_of_like_length_meet() {
    let lengths = lengths(1000);
    let tokens: usize = lengths.iter().sum();
    let sorted = plan(StepSize::Rows(8));
    let drawn = BatchPlan { pool: 1, ..sorted };
    let padded = positions(&sorted.epoch(&lengths, 0), &lengths) as f64 / tokens as f64;
    let unsorted = positions(&drawn.epoch(&lengths, 0), &lengths) as f64 / tokens as f64;
    assert!(padded < 1.06 && padded < unsorted, "{padded} {unsorted}");
    // Steps are not in the order of their lengths.
    let steps = sorted.epoch(&lengths, 0);
    let longest: Vec<usize> = steps.iter().map(|step| lengths[step[0][0]]).collect();
    let rising = longest.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!(
        (steps.len() / 3..steps.len() * 2 / 3).contains(&rising),
        "{rising}"
    );
}

#[test]
fn a_run_that_goes_on_from_its_cursor_sees_what_is_left() {
    let lengths = lengths(50);
    let plan = plan(StepSize::Rows(7));
    let run = |from: Cursor, steps: usize| {
        let (mut cursor, mut seen) = (from, Vec::new());
        for _ in 0..steps {
            let epoch = plan.epoch(&lengths, cursor.epoch);
            seen.push(epoch[cursor.step].clone());
            cursor = cursor.after(epoch.len());
        }
        (cursor, seen)
    };
    let (end, whole) = run(Cursor::default(), 20);
    for stop in 0..20 {
        let (cursor, mut seen) = run(Cursor::default(), stop);
        let kept = serde_json::to_string(&cursor).unwrap();
        let (resumed, rest) = run(serde_json::from_str(&kept).unwrap(), 20 - stop);
        seen.extend(rest);
        assert_eq!(seen, whole);
        assert_eq!(resumed, end);
    }
    assert_eq!(end, Cursor { epoch: 2, step: 4 });
}

#[test]
fn schedules_are_those_of_transformers() {
    let page = reference::page();
    for row in &page.schedules {
        let decay = match row.schedule.as_str() {
            "linear" => Decay::Linear,
            "cosine" => Decay::Cosine,
            _ => Decay::Constant,
        };
        let schedule = Schedule::new(
            decay,
            Warmup::Steps(row.warmup_steps),
            row.steps,
            row.min_ratio,
        );
        for (step, expected) in row.factors.iter().enumerate().take(row.steps as usize + 1) {
            let found = schedule.factor(step as u64);
            assert!(
                (found - expected).abs() < 1e-12,
                "{schedule:?} at {step}: {expected}, {found}"
            );
        }
    }
    assert_eq!(page.schedules.len(), 5);
}

#[test]
fn warm_up_and_ends_are_where_they_are_said_to_be() {
    let schedule = |decay, warmup, min_ratio| Schedule::new(decay, warmup, 11, min_ratio);
    // 10 % of 11 steps, rounded up.
    let ratio = schedule(Decay::Linear, Warmup::Ratio(0.1), 0.0);
    assert_eq!(ratio, schedule(Decay::Linear, Warmup::Steps(2), 0.0));
    let factors: Vec<f64> = (0..4).map(|step| ratio.factor(step)).collect();
    assert_eq!(factors, [0.0, 0.5, 1.0, 8.0 / 9.0]);
    for decay in [Decay::Linear, Decay::Cosine] {
        let schedule = schedule(decay, Warmup::Steps(0), 0.25);
        assert_eq!(schedule.factor(0), 1.0);
        assert!((schedule.factor(11) - 0.25).abs() < 1e-12);
        assert!((schedule.factor(500) - 0.25).abs() < 1e-12);
    }
    let constant = schedule(Decay::Constant, Warmup::Steps(1), 0.25);
    assert_eq!(
        [0, 1, 500].map(|step| constant.factor(step)),
        [0.0, 1.0, 1.0]
    );
}
