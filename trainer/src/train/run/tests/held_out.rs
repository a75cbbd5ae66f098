//! Held-out rows: which are measured, what their figures are, and which measurement is the best.

use serde_json::{Value, json};
use truefill_model::checkpoint::Checkpoint;
use truefill_model::decoder::{Decoder, Precision};

use super::super::state::Place;
use super::*;
use crate::train::data::read;
use crate::train::example::{Example, Rendered};

fn line(id: &str, golden: &str, rejected: Option<&str>) -> Value {
    json!({
        "context_id": id, "repo": format!("p/{id}"), "path": "b.py", "prefix": "seen = ",
        "golden": golden, "suffix": "\n", "rejected": rejected,
    })
}

/// A recipe with these rows held out.
fn with_rows(folder: &Path, lines: &[Value]) -> TrainRecipe {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let path = folder.join("held-out.jsonl");
    std::fs::write(&path, text).expect("written");
    recipe(folder, &format!("[train.eval]\ndata = [{path:?}]\n"))
}

#[test]
fn rows_that_are_not_measured_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let long = "so much ".repeat(60);
    let format = format();
    let end = format
        .tokenizer()
        .decode(&[format.end_token().expect("one")]);
    let whole = [line("a", "f(x)", None), line("b", "g(x)", Some("h(x)"))];
    let others = [line("c", &long, None), line("d", &end, None)];
    let recipe = with_rows(folder.path(), &[&whole[..], &others].concat());
    let rows = HeldOutRows::open(&recipe, &format, &Device::Cpu).expect("opens");
    let told = rows.sentence().expect("some");
    assert_eq!(
        told,
        "2 of 4 held-out rows are measured; of the 2 that were drawn beside them 1 spell a control \
         token, 1 are too long, 0 cannot be spelled"
    );
    for lines in [&others[..], &[]] {
        let recipe = with_rows(folder.path(), lines);
        let output = folder.path().join("run");
        let error = try_run(&recipe, &output).expect_err("refused").to_string();
        assert!(
            error.contains("held-out.jsonl") && error.contains("found none"),
            "{error}"
        );
        assert!(!output.exists(), "nothing was begun");
    }
    let none = super::recipe(folder.path(), "");
    let rows = HeldOutRows::open(&none, &format, &Device::Cpu).expect("opens");
    assert_eq!(rows.sentence(), None);
}

/// Of a completion, token by token through the engine that serves.
fn log_probability(decoder: &Decoder, example: &Example, completion: &[TokenId]) -> f64 {
    let tokens = [&example.prompt, completion].concat();
    let rows: Vec<usize> = (example.prompt.len() - 1..tokens.len() - 1).collect();
    let mut cache = decoder.cache(tokens.len()).expect("room");
    let logits = decoder.forward(&mut cache, &tokens, &rows, &|| false);
    let logits = logits.expect("computed");
    let vocabulary = logits.len() / rows.len();
    let of_token = |(row, token): (&[f32], &TokenId)| {
        let sum: f64 = row.iter().map(|logit| f64::from(*logit).exp()).sum();
        f64::from(row[token.0 as usize]) - sum.ln()
    };
    logits
        .chunks(vocabulary)
        .zip(completion)
        .map(of_token)
        .sum()
}

#[test]
fn probabilities_of_held_out_rows_are_those_of_the_logits() {
    let folder = tempfile::tempdir().expect("a folder");
    let lines = [
        line("a", "alpha(x)", Some("alpha_all(x)")),
        line("b", "f(x)", None),
        line("c", "beta.gamma(delta)", Some("beta(x)")),
    ];
    let recipe = with_rows(folder.path(), &lines);
    let format = format();
    let rows = HeldOutRows::open(&recipe, &format, &Device::Cpu).expect("opens");
    let mut decoder = load(&recipe, &recipe.renderer(&format).expect("renders"));
    let measured = rows.measure(&mut decoder, 0, &|| false);
    let measured = measured.expect("measures").expect("was not stopped");

    let opened = Checkpoint::open(&model()).expect("opens");
    let config = opened.config.clone();
    let exact = Decoder::on_cpu(config, &*opened.weights, Precision::Exact, 128).expect("loads");
    let (mut chosen, mut rejected, mut margin, mut right) = (0.0, 0.0, 0.0, 0.0);
    for row in read(&recipe.eval.data[0], recipe.rows).expect("read") {
        let pair = row.rejected.is_some();
        let renderer = recipe.held_out_renderer(&format, pair).expect("renders");
        let Rendered::Whole(example) = renderer.render(&row, 0).expect("renders") else {
            panic!("too long");
        };
        let golden = log_probability(&exact, &example, &example.chosen);
        chosen += golden / 3.0;
        if pair {
            let wrong = log_probability(&exact, &example, &example.rejected);
            rejected += wrong / 2.0;
            margin += (golden - wrong) / 2.0;
            right += f64::from(u8::from(golden > wrong)) / 2.0;
        }
    }
    assert_eq!((measured.rows, measured.pairs), (3, 2));
    for (name, found, expected) in [
        ("chosen", measured.chosen_log_prob, chosen),
        ("rejected", measured.rejected_log_prob, rejected),
        ("margin", measured.margin, margin),
        ("accuracy", measured.preference_accuracy, right),
    ] {
        assert!(
            (found - expected).abs() < 1e-3,
            "{name}: {found} {expected}"
        );
    }
    assert!(margin.abs() > 1.0, "{margin}");
}

/// Completions that are right count, and only between equals how likely the golden ones are.
#[test]
fn the_best_measurement_and_patience_go_by_exact_match() {
    let mut place = Place::default();
    let measured = [
        (0.5, -9.0),
        (0.5, -8.0),
        (0.25, -1.0),
        (0.5, -8.5),
        (0.75, -20.0),
    ];
    let mut found = Vec::new();
    for (step, (exact_match, chosen_log_prob)) in measured.into_iter().enumerate() {
        let measured = Measured {
            step: step as u64,
            exact_match,
            chosen_log_prob,
            ..Measured::default()
        };
        let better = place.see(&measured);
        if better {
            place.best = Some(measured);
        }
        found.push((better, place.stale));
    }
    let expected = [(true, 0), (true, 1), (false, 2), (false, 3), (true, 0)];
    assert_eq!(found, expected);
    assert_eq!(place.measured, Some(4));
}
