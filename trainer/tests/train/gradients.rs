//! Derivatives against finite differences, and what must hold of every objective.

use truefill_trainer::train::objective::{
    ChosenLogs, ChosenMask, Dpo, Fgit, Figures, Graded, Nll, Normalise, Objective, ObjectiveError,
    Orpo, PromptLogs, Reference, RejectedLogs, RejectedMask, RowLogs, Sft, Weight, WeightForm,
    Window,
};

/// A row with its own memory.
#[derive(Clone, Debug)]
struct Row {
    prompt: Vec<f32>,
    chosen: Vec<f32>,
    rejected: Vec<f32>,
    reference: Reference,
    chosen_marks: Vec<u8>,
    rejected_marks: Vec<u8>,
}

impl Row {
    fn logs(&self) -> RowLogs<'_> {
        RowLogs {
            prompt: Some(PromptLogs(&self.prompt)),
            chosen: ChosenLogs(&self.chosen),
            rejected: RejectedLogs(&self.rejected),
            reference: Some(self.reference),
            chosen_mask: ChosenMask(&self.chosen_marks),
            rejected_mask: RejectedMask(&self.rejected_marks),
        }
    }
}

/// Numbers that look drawn and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) % below
    }

    /// Log-probabilities with few binary digits: steps of 2^-12 are exact in single precision.
    fn logs(&mut self, length: usize) -> Vec<f32> {
        let log = |_| -(self.next(4 * 4096) as f32 + 100.0) / 4096.0;
        (0..length).map(log).collect()
    }

    fn marks(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next(3) as u8).collect()
    }

    fn row(&mut self) -> Row {
        let lengths = [2 + self.next(3), 1 + self.next(7), 1 + self.next(7)];
        let [prompt, chosen, rejected] = lengths.map(|length| length as usize);
        Row {
            prompt: self.logs(prompt),
            chosen: self.logs(chosen),
            rejected: self.logs(rejected),
            reference: Reference {
                chosen: -(self.next(1000) as f64) / 70.0,
                rejected: -(self.next(1000) as f64) / 70.0,
            },
            chosen_marks: self.marks(chosen),
            rejected_marks: self.marks(rejected),
        }
    }
}

fn dynamic(form: WeightForm, detach: bool) -> Weight {
    Weight::Dynamic {
        alpha: 2.5,
        form,
        detach,
    }
}

fn fgits() -> Vec<Fgit> {
    let forms = [WeightForm::F1, WeightForm::F2, WeightForm::OneSided];
    let weights = forms.map(|form| dynamic(form, false));
    let weights = weights.into_iter().chain([Weight::Fixed(2.0)]);
    weights
        .flat_map(|weight| {
            [Normalise::Sample, Normalise::Token].map(|normalise| Fgit { weight, normalise })
        })
        .collect()
}

fn sft(prompt_weight: f64) -> Objective {
    Objective::Sft(Sft { prompt_weight })
}

/// Every objective, form and flag whose derivative is that of its loss.
fn objectives() -> Vec<Objective> {
    let orpos = [Nll::Response, Nll::PromptResponse].map(|nll| Orpo { lambda: 0.4, nll });
    let dpos = [(0.0, 0.0), (5.0, 0.0), (0.0, 0.6), (5.0, 0.6)];
    let dpos = dpos.map(|(dpop, pref_ftx)| Dpo {
        beta: 0.2,
        dpop,
        pref_ftx,
    });
    let mut all = vec![sft(0.0), sft(0.3), sft(1.0)];
    all.extend(orpos.map(Objective::Orpo));
    all.extend(dpos.map(Objective::Dpo));
    all.extend(fgits().into_iter().map(Objective::Fgit));
    let both = |fgit| Objective::FgitOrpo(fgit, orpos[0]);
    all.extend(fgits().into_iter().map(both));
    all
}

fn window(rows: &[Row]) -> Window {
    let mut window = Window::default();
    for row in rows {
        window.add(row.chosen.len(), row.prompt.len());
    }
    window
}

fn grade(objective: &Objective, row: &Row, window: &Window) -> Graded {
    objective.grade(&row.logs(), window).unwrap()
}

type Part = fn(&mut Row) -> &mut Vec<f32>;

/// Holds the derivatives by one part of a row to central differences.
fn compare(objective: &Objective, row: &Row, window: &Window, part: Part, slopes: &[f64]) {
    const STEP: f32 = 1.0 / 4096.0;
    let length = part(&mut row.clone()).len();
    for at in 0..length {
        let loss = |step: f32| {
            let mut moved = row.clone();
            part(&mut moved)[at] += step;
            grade(objective, &moved, window).loss
        };
        let expected = (loss(STEP) - loss(-STEP)) / (2.0 * f64::from(STEP));
        let found = slopes.get(at).copied().unwrap_or_default();
        assert!(
            (found - expected).abs() < 1e-5,
            "{objective:?} at {at} of {row:?}: expected {expected}, found {found}"
        );
    }
}

#[test]
fn derivatives_are_finite_differences() {
    let mut numbers = Numbers(3);
    for _ in 0..20 {
        let row = numbers.row();
        let window = window(&[row.clone(), numbers.row()]);
        for objective in objectives() {
            let graded = grade(&objective, &row, &window);
            let parts: [(Part, &[f64]); 3] = [
                (|row| &mut row.prompt, &graded.prompt),
                (|row| &mut row.chosen, &graded.chosen),
                (|row| &mut row.rejected, &graded.rejected),
            ];
            for (part, slopes) in parts {
                compare(&objective, &row, &window, part, slopes);
            }
        }
    }
}

#[test]
fn a_detached_weight_is_a_constant_in_the_derivative() {
    let row = Numbers(9).row();
    let window = window(std::slice::from_ref(&row));
    for form in [WeightForm::F1, WeightForm::F2, WeightForm::OneSided] {
        let fgit = |weight| {
            Objective::Fgit(Fgit {
                weight,
                normalise: Normalise::Sample,
            })
        };
        let detached = grade(&fgit(dynamic(form, true)), &row, &window);
        let attached = grade(&fgit(dynamic(form, false)), &row, &window);
        let fixed = grade(&fgit(Weight::Fixed(detached.figures.weight)), &row, &window);
        assert_eq!(detached.loss, attached.loss);
        assert_eq!(detached.chosen, fixed.chosen);
        assert!(detached.rejected.iter().all(|slope| *slope == 0.0));
    }
}

#[test]
fn a_window_is_the_same_however_it_is_split() {
    let mut numbers = Numbers(5);
    let rows: Vec<Row> = (0..8).map(|_| numbers.row()).collect();
    let window = window(&rows);
    for objective in objectives() {
        let losses = |size: usize| -> (f64, Vec<f64>) {
            let (mut loss, mut slopes) = (0.0, Vec::new());
            for micro in rows.chunks(size) {
                let mut figures = Figures::default();
                for row in micro {
                    let graded = grade(&objective, row, &window);
                    figures.add(&graded.figures);
                    slopes.extend(graded.chosen.into_iter().chain(graded.rejected));
                }
                loss += figures.loss;
            }
            (loss, slopes)
        };
        let (whole, split) = (losses(8), losses(1));
        assert!((whole.0 - split.0).abs() < 1e-12, "{objective:?}");
        assert_eq!(whole.1, split.1, "{objective:?}");
        assert!((losses(3).0 - whole.0).abs() < 1e-12, "{objective:?}");
    }
}

/// One marked token on each side, with these probabilities.
fn single(chosen: f64, rejected: f64) -> Row {
    Row {
        prompt: Vec::new(),
        chosen: vec![chosen.ln() as f32],
        rejected: vec![rejected.ln() as f32],
        reference: Reference {
            chosen: 0.0,
            rejected: 0.0,
        },
        chosen_marks: vec![2],
        rejected_marks: vec![2],
    }
}

/// The derivative by the golden token's probability.
fn by_probability(form: WeightForm, detach: bool, chosen: f64, rejected: f64) -> f64 {
    let row = single(chosen, rejected);
    let weight = Weight::Dynamic {
        alpha: 2.0,
        form,
        detach,
    };
    let fgit = Objective::Fgit(Fgit {
        weight,
        normalise: Normalise::Sample,
    });
    grade(&fgit, &row, &window(std::slice::from_ref(&row))).chosen[0] / chosen
}

#[test]
fn f1_lowers_a_golden_token_that_is_the_less_likely_one() {
    let net = by_probability(WeightForm::F1, false, 0.01, 0.02);
    let detached = by_probability(WeightForm::F1, true, 0.01, 0.02);
    assert!((net - 38.0).abs() < 0.5, "{net}");
    assert!((detached + 166.7).abs() < 0.5, "{detached}");
    let one_sided = by_probability(WeightForm::OneSided, false, 0.01, 0.02);
    assert!((one_sided + 200.0).abs() < 0.5, "{one_sided}");
    // The smooth form does so, too, where both are very unlikely.
    assert!(by_probability(WeightForm::F2, false, 0.01, 0.02) < 0.0);
    assert!(by_probability(WeightForm::F2, false, 1e-4, 2e-4) > 0.0);
    assert!(by_probability(WeightForm::F2, true, 1e-4, 2e-4) < 0.0);
    // Where the golden token is the likelier one, the two are the same and push the right way.
    let (one, other) = [WeightForm::F1, WeightForm::OneSided]
        .map(|form| by_probability(form, false, 0.02, 0.01))
        .into();
    assert_eq!(one, other);
    assert!(one < by_probability(WeightForm::F1, true, 0.02, 0.01));
}

#[test]
fn weights_go_from_alpha_to_one() {
    let weight = |form, chosen: f64, rejected: f64| {
        let row = single(chosen, rejected);
        let fgit = Objective::Fgit(Fgit {
            weight: dynamic(form, false),
            normalise: Normalise::Sample,
        });
        let graded = grade(&fgit, &row, &window(std::slice::from_ref(&row)));
        graded.figures.weight
    };
    for form in [WeightForm::F1, WeightForm::F2, WeightForm::OneSided] {
        assert!((weight(form, 0.3, 0.3) - 2.5).abs() < 1e-9, "{form:?}");
        assert!(weight(form, 0.9, 1e-9) < 1.0 + 1e-6, "{form:?}");
        // Probabilities that no double holds are still compared.
        assert!((weight(form, 1e-30, 1e-30) - 2.5).abs() < 1e-9, "{form:?}");
    }
    assert!((weight(WeightForm::F1, 1e-9, 0.9) - 1.0).abs() < 1e-6);
    assert!((weight(WeightForm::OneSided, 1e-9, 0.9) - 2.5).abs() < 1e-9);
    assert!((weight(WeightForm::F1, 0.2, 0.1) - 2.0).abs() < 1e-6);
    assert!((weight(WeightForm::F2, 0.2, 0.1) - (1.0 + 1.5 * 8.0 / 9.0)).abs() < 1e-6);
}

/// With a weight of 1, prompts and completions are one text, of which each token counts the same.
#[test]
fn a_prompt_of_weight_1_is_learned_as_its_completion() {
    let mut numbers = Numbers(12);
    let row = numbers.row();
    let window = window(&[row.clone(), numbers.row()]);
    let whole = grade(&sft(1.0), &row, &window);
    let all = (window.chosen_tokens + window.prompt_tokens) as f64;
    let logs = row.prompt.iter().chain(&row.chosen);
    let sum: f64 = logs.map(|log| f64::from(*log)).sum();
    assert!((whole.loss + sum / all).abs() < 1e-12);
    assert!(
        whole
            .prompt
            .iter()
            .chain(&whole.chosen)
            .all(|slope| *slope == -1.0 / all)
    );
    assert!(grade(&sft(0.0), &row, &window).prompt.is_empty());
}

#[test]
fn fgit_without_weights_is_sft() {
    let mut numbers = Numbers(11);
    let row = numbers.row();
    let window = window(&[row.clone(), numbers.row()]);
    let sft = grade(&sft(0.0), &row, &window);
    let mut unmarked = row.clone();
    unmarked.chosen_marks.fill(0);
    for (row, weight) in [
        (&row, Weight::Fixed(1.0)),
        (&unmarked, dynamic(WeightForm::F1, false)),
        (&unmarked, Weight::Fixed(7.0)),
    ] {
        let normalise = Normalise::Token;
        let fgit = grade(&Objective::Fgit(Fgit { weight, normalise }), row, &window);
        assert!((fgit.loss - sft.loss).abs() < 1e-12);
        assert_eq!(fgit.chosen, sft.chosen);
        assert_eq!(fgit.figures.weight, 1.0);
        let counted = u64::from(row.chosen_marks.iter().all(|mark| *mark == 0));
        assert_eq!(fgit.figures.degenerate.unmarked, counted);
    }
}

#[test]
fn orpo_is_finite_where_a_completion_is_certain() {
    let mut row = Numbers(2).row();
    row.chosen.fill(0.0);
    let window = window(std::slice::from_ref(&row));
    let graded = grade(&Objective::Orpo(Orpo::default()), &row, &window);
    assert!(graded.loss.is_finite());
    assert_eq!(graded.figures.degenerate.clamped, 1);
    // The likelihood still has its derivative, the odds have none.
    let share = -1.0 / row.chosen.len() as f64;
    assert!(graded.chosen.iter().all(|slope| *slope == share));
    row.rejected.fill(-1e-7);
    let graded = grade(&Objective::Orpo(Orpo::default()), &row, &window);
    assert_eq!(graded.figures.degenerate.clamped, 2);
    assert!(graded.rejected.iter().all(|slope| *slope == 0.0));
}

#[test]
fn figures_are_averages_over_their_own_rows() {
    let mut one = single(0.5, 0.25);
    one.chosen.insert(0, 0.25f32.ln());
    one.chosen_marks = vec![0, 1];
    let two = single(0.25, 0.5);
    let window = window(&[one.clone(), two.clone()]);
    let mut figures = Figures::default();
    for row in [&one, &two] {
        let fgit = Objective::Fgit(Fgit::default());
        figures.add(&grade(&fgit, row, &window).figures);
    }
    let averages: std::collections::BTreeMap<_, _> = figures.averages().into_iter().collect();
    let close = |name: &str, expected: f64| {
        assert!(
            (averages[name] - expected).abs() < 1e-6,
            "{name}: {averages:?}"
        );
    };
    close("reward_accuracy", 0.5);
    close("end_log_prob", (0.5f64.ln() + 0.25f64.ln()) / 2.0);
    close("chosen_log_prob", (0.125f64.ln() + 0.25f64.ln()) / 2.0);
    close(
        "chosen_token_log_prob",
        (0.125f64.ln() + 0.25f64.ln()) / 3.0,
    );
    close(
        "margin",
        (0.125f64.ln() / 2.0 - 0.25f64.ln() + 0.25f64.ln() - 0.5f64.ln()) / 2.0,
    );
    close("weight", (1.0 + 2.0 / 3.0 + 2.0) / 2.0);
}

#[test]
fn what_is_missing_is_named() {
    let row = Numbers(1).row();
    let window = window(std::slice::from_ref(&row));
    let dpo = Objective::Dpo(Dpo::default());
    let without = RowLogs {
        reference: None,
        ..row.logs()
    };
    let error = dpo.grade(&without, &window).unwrap_err().to_string();
    assert!(
        error.contains("`dpo` needs log-probabilities under the reference"),
        "{error}"
    );
    let fgit = Objective::Fgit(Fgit::default());
    let short = RowLogs {
        chosen_mask: ChosenMask(&[]),
        ..row.logs()
    };
    let expected = ObjectiveError::Mask {
        side: "chosen",
        tokens: row.chosen.len(),
        marks: 0,
    };
    assert_eq!(fgit.grade(&short, &window).unwrap_err(), expected);
    let broken = RowLogs {
        chosen: ChosenLogs(&[f32::NAN]),
        ..row.logs()
    };
    let error = sft(0.0).grade(&broken, &window).unwrap_err();
    assert!(
        error.to_string().contains("found NaN of a chosen token"),
        "{error}"
    );
}
