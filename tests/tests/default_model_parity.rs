//! The default model against the reference implementation: token ids, greedy continuations
//! in `f32`, and how far the serving arithmetic is from that.
//!
//! `crates/model/tests/data/parity/README.md` says how the reference was made.

use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;
use sha2::{Digest, Sha256};
use truefill_model::adapter::Adapter;
use truefill_model::checkpoint::Checkpoint;
use truefill_model::decoder::{Decoder, Precision};
use truefill_model::fim::{Budget, FimFormat, PromptParts, SUFFIX_SHARE};
use truefill_model::tokens::TokenId;
use truefill_tests::default_model;

/// Largest difference of a logit of the first step; the logits are about 20 large.
const LOGIT_TOLERANCE: f32 = 1e-3;

fn reference() -> &'static Value {
    static READ: OnceLock<Value> = OnceLock::new();
    READ.get_or_init(|| {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../crates/model/tests/data/parity/default.json"
        );
        let json = std::fs::read(path).expect("the reference can be read");
        serde_json::from_slice(&json).expect("the reference is JSON")
    })
}

fn checkpoint() -> &'static Checkpoint {
    static OPENED: OnceLock<Checkpoint> = OnceLock::new();
    OPENED.get_or_init(|| {
        let path = default_model();
        let found = sha256(path);
        let shown = path.display();
        assert_eq!(
            found,
            reference()["sha256"],
            "`{shown}` is another file than the reference's"
        );
        Checkpoint::open(path).expect("the default model opens")
    })
}

fn sha256(path: &Path) -> String {
    let bytes = std::fs::read(path).expect("the default model can be read");
    hex::encode(Sha256::digest(bytes))
}

fn decoder(precision: Precision) -> Decoder {
    let Checkpoint {
        config, weights, ..
    } = checkpoint();
    Decoder::on_cpu(config.clone(), &**weights, precision, 1024).expect("the weights load")
}

fn exact() -> &'static Decoder {
    static LOADED: OnceLock<Decoder> = OnceLock::new();
    LOADED.get_or_init(|| decoder(Precision::Exact))
}

fn ids(value: &Value) -> Vec<TokenId> {
    serde_json::from_value(value.clone()).expect("a list of ids")
}

fn rows<'a>(name: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let rows = reference()[name].as_array().expect("a list");
    rows.iter()
        .map(|row| (row["text"].as_str().expect("a text"), row))
}

/// The index of the largest value, the first where several are.
fn largest(logits: &[f32]) -> usize {
    let pick = |best: usize, next: usize| {
        if logits[next] > logits[best] {
            next
        } else {
            best
        }
    };
    (0..logits.len())
        .reduce(pick)
        .expect("a vocabulary is not empty")
}

#[test]
fn token_ids_equal_the_reference() {
    let tokenizer = checkpoint()
        .tokenizer()
        .expect("the file holds its tokenizer");
    let mut compared = 0;
    for (text, row) in rows("snippets").chain(rows("prompts")) {
        let found = tokenizer.encode(text).expect("every text can be spelt");
        assert_eq!(found, ids(&row["ids"]), "{text:?}");
        let bytes = found
            .iter()
            .flat_map(|id| tokenizer.token_bytes(*id).expect("known"));
        assert!(
            bytes.copied().eq(text.bytes()),
            "{text:?} does not come back"
        );
        assert!(
            !found.iter().any(|id| tokenizer.is_special(*id)),
            "{text:?}"
        );
        compared += 1;
    }
    assert_eq!(compared, 210);
}

/// Positions of the prompt's end that are looked at too.
const BEFORE: usize = 32;

/// Logits over the end of a prompt and its reference continuation, in one pass: the rows of
/// the last position are those after the continuation's last token.
fn logits(decoder: &Decoder, row: &Value) -> Vec<f32> {
    logits_of(decoder, &ids(&row["ids"]), &ids(&row["continuation"]))
}

fn logits_of(decoder: &Decoder, prompt: &[TokenId], continuation: &[TokenId]) -> Vec<f32> {
    let tokens = [prompt, continuation].concat();
    let wanted: Vec<usize> = (prompt.len().saturating_sub(BEFORE)..tokens.len()).collect();
    let mut cache = decoder.cache(tokens.len()).expect("a cache");
    decoder
        .forward(&mut cache, &tokens, &wanted, &|| false)
        .expect("logits")
}

/// The exact logits for each prompt, computed once for all tests.
fn exact_logits() -> &'static [Vec<f32>] {
    static COMPUTED: OnceLock<Vec<Vec<f32>>> = OnceLock::new();
    COMPUTED.get_or_init(|| {
        rows("prompts")
            .map(|(_, row)| logits(exact(), row))
            .collect()
    })
}

/// Where each token of the continuation is the likeliest after all tokens before it, greedy
/// generation writes just that continuation; one pass shows it for all steps.
#[test]
fn greedy_continuations_equal_the_reference() {
    let width = exact().config().vocabulary;
    for ((text, row), logits) in rows("prompts").zip(exact_logits()) {
        let expected = ids(&row["continuation"]);
        let steps = logits.len() / width - 1 - expected.len();
        let mut steps = logits
            .chunks(width)
            .skip(steps)
            .take(expected.len())
            .peekable();
        check_top(text, &row["first_top5"], steps.peek().expect("32 steps"));
        let found: Vec<TokenId> = steps
            .map(|logits| TokenId(largest(logits) as u32))
            .collect();
        assert_eq!(found, expected, "after {text:?}");
        let tokenizer = checkpoint()
            .tokenizer()
            .expect("the file holds its tokenizer");
        assert_eq!(
            tokenizer.decode(&found),
            row["continuation_text"],
            "after {text:?}"
        );
    }
}

#[test]
fn token_by_token_the_continuation_is_the_same() {
    let (text, row) = rows("prompts").next().expect("ten prompts");
    let (prompt, expected) = (ids(&row["ids"]), ids(&row["continuation"]));
    let mut cache = exact()
        .cache(prompt.len() + expected.len())
        .expect("a cache");
    let (mut found, mut next) = (Vec::<TokenId>::new(), prompt);
    while found.len() < expected.len() {
        let logits = exact().forward(&mut cache, &next, &[next.len() - 1], &|| false);
        next = vec![TokenId(largest(&logits.expect("logits")) as u32)];
        found.extend(&next);
    }
    assert_eq!(found, expected, "after {text:?}");
}

fn check_top(text: &str, expected: &Value, logits: &[f32]) {
    let expected: Vec<(usize, f32)> = serde_json::from_value(expected.clone()).expect("pairs");
    assert_eq!(largest(logits), expected[0].0, "after {text:?}");
    for (id, logit) in expected {
        let gap = (logits[id] - logit).abs();
        assert!(
            gap <= LOGIT_TOLERANCE,
            "logit of {id} is off by {gap} after {text:?}"
        );
    }
}

/// What the serving arithmetic changes, over all positions of the prompts and continuations.
#[derive(Debug, Default)]
struct Change {
    positions: usize,
    /// Sum of the Kullback-Leibler divergences from the exact distribution, in nats.
    divergence: f64,
    /// Positions at which the exact logits leave no doubt, and those that agree there.
    clear: usize,
    agree: usize,
}

impl Change {
    fn add(&mut self, exact: &[f32], serving: &[f32]) {
        self.positions += 1;
        self.divergence += divergence(exact, serving);
        let best = largest(exact);
        let others = exact.iter().enumerate().filter(|(id, _)| *id != best);
        let second = others.fold(f32::MIN, |second, (_, logit)| second.max(*logit));
        if exact[best] - second > CLEAR_MARGIN {
            self.clear += 1;
            self.agree += usize::from(largest(serving) == best);
        }
    }
}

impl Change {
    /// Logits of several positions, `width` of each.
    fn add_rows(&mut self, width: usize, exact: &[f32], serving: &[f32]) {
        for (exact, serving) in exact.chunks(width).zip(serving.chunks(width)) {
            self.add(exact, serving);
        }
    }

    fn is_little(&self) {
        let mean = self.divergence / self.positions as f64;
        assert!(self.positions > 500 && self.clear > 350, "{self:?}");
        assert!(mean < 0.02, "a divergence of {mean} nats: {self:?}");
        assert!(self.agree * 100 >= self.clear * 99, "{self:?}");
    }
}

/// A lead over the runner-up that rounding should not overturn.
const CLEAR_MARGIN: f32 = 0.5;

fn divergence(exact: &[f32], serving: &[f32]) -> f64 {
    let (p, q) = (log_softmax(exact), log_softmax(serving));
    p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum()
}

fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let top = f64::from(logits[largest(logits)]);
    let sum: f64 = logits
        .iter()
        .map(|logit| (f64::from(*logit) - top).exp())
        .sum();
    logits
        .iter()
        .map(|logit| f64::from(*logit) - top - sum.ln())
        .collect()
}

/// Measured with AVX-512 on 593 positions: 0.0034 nats on average, and the same likeliest
/// token at all 465 positions without doubt. Other instruction sets sum in another order and
/// round activations alike, so the bounds leave room for noise, not for a wrong scale.
#[test]
fn the_serving_arithmetic_changes_little() {
    let serving = decoder(Precision::Serving);
    let mut change = Change::default();
    let width = serving.config().vocabulary;
    for ((_, row), exact) in rows("prompts").zip(exact_logits()) {
        change.add_rows(width, exact, &logits(&serving, row));
    }
    change.is_little();
}

/// The same with the default adapter beside the base, on prompts as they are served and what was written there.
#[test]
fn with_the_default_adapter_the_serving_arithmetic_changes_little() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/default");
    let adapter = Adapter::read(Path::new(folder), &checkpoint().config).expect("the adapter");
    let on = |base: &Decoder| base.adapted(&adapter).expect("it fits").expect("a CPU");
    let (exact, serving) = (on(exact()), on(&decoder(Precision::Serving)));
    let tokenizer = checkpoint().tokenizer().expect("a tokenizer");
    let format = FimFormat::builtin("truefill-spm").expect("it is built in");
    let format = format.bind(tokenizer).expect("its tokens are there");
    let budget = Budget {
        total: 256,
        suffix_share: SUFFIX_SHARE,
        chunk_share: 0.0,
    };
    let rows = include_str!("../../demo/rows/held-out.jsonl");
    let mut change = Change::default();
    for row in rows.lines().take(16) {
        let row: Value = serde_json::from_str(row).expect("a row");
        let text = |key: &str| row[key].as_str().expect("a text");
        let parts = PromptParts {
            prefix: text("prefix"),
            suffix: text("suffix"),
            path: Some(text("path")),
            ..PromptParts::default()
        };
        let prompt = format.render(&parts, &budget).expect("a prompt");
        let golden = tokenizer.encode(text("golden")).expect("tokens");
        let logits = |decoder| logits_of(decoder, &prompt.tokens, &golden);
        change.add_rows(
            exact.config().vocabulary,
            &logits(&exact),
            &logits(&serving),
        );
    }
    change.is_little();
}
