//! Losses and gradients against TRL's, transformers' and torch's own, on dumped logits
//! (`scripts/reference/dump_objectives.py`).

use std::collections::HashMap;
use std::path::PathBuf;

use candle_core::{DType, Device, Tensor};
use serde::Deserialize;
use truefill_trainer::train::objective::{
    ChosenLogs, ChosenMask, Graded, Objective, PromptLogs, Reference, RejectedLogs, RejectedMask,
    RowLogs, Window,
};

#[derive(Deserialize)]
pub struct Page {
    vocabulary: usize,
    prompts: Vec<usize>,
    chosen: Vec<usize>,
    rejected: Vec<usize>,
    cases: Vec<Case>,
    pub schedules: Vec<Schedule>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    objective: Objective,
    loss: f64,
}

#[derive(Deserialize)]
pub struct Schedule {
    pub schedule: String,
    pub warmup_steps: u64,
    pub steps: u64,
    pub min_ratio: f64,
    pub factors: Vec<f64>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/objectives")
}

pub fn page() -> Page {
    let text = std::fs::read_to_string(folder().join("cases.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

struct Dump {
    page: Page,
    tensors: HashMap<String, Tensor>,
}

/// One side of the pairs: logits of all positions, and what they are to predict.
struct Side {
    ids: Vec<Vec<u32>>,
    logits: Vec<Vec<Vec<f64>>>,
    marks: Vec<Vec<u8>>,
}

impl Dump {
    fn read() -> Self {
        let path = folder().join("pairs.safetensors");
        let tensors = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
        Self {
            page: page(),
            tensors,
        }
    }

    fn cube(&self, name: &str) -> Vec<Vec<Vec<f64>>> {
        let tensor = self.tensors[name].to_dtype(DType::F64).unwrap();
        tensor.to_vec3().unwrap()
    }

    fn side(&self, name: &str, lengths: &[usize]) -> Side {
        let ids = self.tensors[&format!("{name}.ids")].to_dtype(DType::U32);
        let marks = self.tensors[&format!("{name}.marks")].to_dtype(DType::U8);
        let marks: Vec<u8> = marks.unwrap().to_vec1().unwrap();
        let mut rest = marks.as_slice();
        let marks = lengths.iter().map(|length| {
            let (row, after) = rest.split_at(*length);
            rest = after;
            row.to_vec()
        });
        Side {
            marks: marks.collect(),
            ids: ids.unwrap().to_vec2().unwrap(),
            logits: self.cube(&format!("{name}.logits")),
        }
    }
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
    let share = |logit: &f64| (logit - largest).exp() / total;
    logits.iter().map(share).collect()
}

impl Side {
    /// Log-probabilities of the tokens at `places`.
    fn logs(&self, row: usize, places: std::ops::Range<usize>) -> Vec<f32> {
        let log = |at: usize| {
            let shares = softmax(&self.logits[row][at - 1]);
            shares[self.ids[row][at] as usize].ln() as f32
        };
        places.map(log).collect()
    }

    /// The gradient by logits that derivatives by log-probabilities come to: `g·(1[v] − softmax)`.
    fn gradient(&self, row: usize, first: usize, slopes: &[f64], into: &mut [Vec<f64>]) {
        for (at, slope) in (first..).zip(slopes) {
            let shares = softmax(&self.logits[row][at - 1]);
            let target = self.ids[row][at] as usize;
            for (token, share) in shares.iter().enumerate() {
                let hit = f64::from(u8::from(token == target));
                into[at - 1][token] += slope * (hit - share);
            }
        }
    }
}

fn near(found: &[Vec<f64>], expected: &[Vec<f64>], what: &str) {
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        for (token, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert!(
                (found - expected).abs() < 1e-5,
                "{what}, position {at}, token {token}: expected {expected}, found {found}"
            );
        }
    }
}

fn grade_row(
    dump: &Dump,
    objective: &Objective,
    [chosen, rejected]: [&Side; 2],
    row: usize,
    window: &Window,
) -> Graded {
    let page = &dump.page;
    let prompt = page.prompts[row];
    let reference: Vec<Vec<f64>> = dump.tensors["reference"]
        .to_dtype(DType::F64)
        .unwrap()
        .to_vec2()
        .unwrap();
    let logs = [
        chosen.logs(row, 1..prompt),
        chosen.logs(row, prompt..prompt + page.chosen[row]),
        rejected.logs(row, prompt..prompt + page.rejected[row]),
    ];
    let row = RowLogs {
        prompt: Some(PromptLogs(&logs[0])),
        chosen: ChosenLogs(&logs[1]),
        rejected: RejectedLogs(&logs[2]),
        reference: Some(Reference {
            chosen: reference[row][0],
            rejected: reference[row][1],
        }),
        chosen_mask: ChosenMask(&chosen.marks[row]),
        rejected_mask: RejectedMask(&rejected.marks[row]),
    };
    objective.grade(&row, window).unwrap()
}

#[test]
fn losses_and_gradients_are_those_of_the_established_libraries() {
    let dump = Dump::read();
    let page = &dump.page;
    let chosen = dump.side("chosen", &page.chosen);
    let rejected = dump.side("rejected", &page.rejected);
    assert_eq!(chosen.logits[0][0].len(), page.vocabulary);
    let mut window = Window::default();
    for (prompt, tokens) in page.prompts.iter().zip(&page.chosen) {
        window.add(*tokens, prompt - 1);
    }
    for case in &page.cases {
        let mut loss = 0.0;
        let expected =
            ["chosen", "rejected"].map(|side| dump.cube(&format!("{}.{side}", case.name)));
        for (row, &prompt) in page.prompts.iter().enumerate() {
            let graded = grade_row(&dump, &case.objective, [&chosen, &rejected], row, &window);
            loss += graded.loss;
            let name = format!("{}, row {row}", case.name);
            let zeros = |side: &Side| vec![vec![0.0; page.vocabulary]; side.logits[row].len()];
            let (mut by_chosen, mut by_rejected) = (zeros(&chosen), zeros(&rejected));
            chosen.gradient(row, 1, &graded.prompt, &mut by_chosen);
            chosen.gradient(row, prompt, &graded.chosen, &mut by_chosen);
            rejected.gradient(row, prompt, &graded.rejected, &mut by_rejected);
            near(&by_chosen, &expected[0][row], &format!("{name}, chosen"));
            near(
                &by_rejected,
                &expected[1][row],
                &format!("{name}, rejected"),
            );
        }
        let difference = (loss - case.loss).abs();
        assert!(
            difference < 1e-5 * case.loss.abs().max(1.0),
            "{}: expected a loss of {}, found {loss}",
            case.name,
            case.loss
        );
    }
    assert_eq!(page.cases.len(), 13);
}
