//! Evaluations that nobody made, of two suites.

use std::collections::BTreeMap;
use std::path::Path;

use crate::eval::backend::{Completion, Likelihood, Stop, Timing};
use crate::eval::decoding::Decoding;
use crate::eval::figures::{Bootstrap, Figure, Metric, RowFigures, Variant, summarise};
use crate::eval::measure::{RowResult, Run};
use crate::eval::output::{self, Evaluated, MeasuredRow, ModelInfo, Speed};
use crate::eval::suite::Form;
use crate::report::study::{Folder, Study};

/// Characters that would be markup, were they not text.
pub const HOSTILE: &str = "</script><img src=x onerror=alert(1)> | `a` & \"b\"\u{1b}[0m";

const KINDS: [&str; 3] = ["import", "method", "parameter"];
const LANGUAGES: [&str; 2] = ["go", "python"];

/// Whether a checkpoint has a row right.
pub type Right<'r> = &'r dyn Fn(usize) -> bool;

/// What is written where a row is wrong, and how near that is to the rejected completion.
fn wrong(at: usize, golden: &str, rejected: &str) -> (String, f64) {
    match at {
        0..=2 => (format!("{golden}\n{HOSTILE}"), 0.0),
        _ if at.is_multiple_of(4) => (rejected.to_owned(), 1.0),
        _ => (format!("value_{at} = cell({at})\nmore()"), 0.5),
    }
}

/// Row `at` of `pairs`.
fn pair(at: usize, right: bool) -> MeasuredRow {
    let golden = format!("value_{at} = call({at})");
    let made_up = if at == 0 { HOSTILE } else { "made_up()" };
    let rejected = format!("value_{at} = {made_up}");
    let (text, aligned) = match right {
        true => (golden.clone(), 0.0),
        false => wrong(at, &golden, &rejected),
    };
    let share = f64::from(u8::from(right));
    let first = share.max(f64::from(u8::from(at < 3)));
    let values = [
        (Figure::whole(Metric::ExactMatch), share),
        (Figure::new(Metric::ExactMatch, Variant::FirstLines), first),
        (Figure::whole(Metric::ExactMatchStrip), share),
        (Figure::whole(Metric::EditSimilarity), 0.5 + share / 2.0),
        (
            Figure::whole(Metric::EditSimilarityLevenshtein),
            0.25 + share * 0.75,
        ),
        (Figure::whole(Metric::HallucinationAligned), aligned),
        (
            Figure::new(Metric::HallucinationAligned, Variant::FirstLines),
            aligned,
        ),
        (Figure::whole(Metric::OverGeneration), 1.0 - share),
        (Figure::whole(Metric::Preference), share),
        (Figure::whole(Metric::PreferencePerToken), share),
    ];
    let figures = RowFigures {
        id: format!("row-{at:02}"),
        kind: KINDS[at % 3].into(),
        language: LANGUAGES[at % 2].into(),
        cluster: format!("repo-{}", at / 2),
        values: values.into(),
    };
    MeasuredRow {
        rejected: Some(rejected),
        ..row(at, figures, golden, text, right)
    }
}

/// Row `at` of `infilling`, which has tests and no rejected completions.
fn infill(at: usize, right: bool) -> MeasuredRow {
    let golden = format!("return {at}");
    let text = match right {
        true => golden.clone(),
        false => format!("return {at} + 1"),
    };
    let share = f64::from(u8::from(right));
    let values = [
        (Figure::whole(Metric::ExactMatch), share),
        (Figure::new(Metric::ExactMatch, Variant::FirstLines), share),
        (Figure::whole(Metric::EditSimilarity), 0.75 + share / 4.0),
        (Figure::whole(Metric::Pass), share),
    ];
    let figures = RowFigures {
        id: format!("problem-{at:02}"),
        kind: ["single-line", "multi-line"][at % 2].into(),
        language: "python".into(),
        cluster: format!("problem-{at}"),
        values: values.into(),
    };
    let run = if right { Run::Passed } else { Run::Failed };
    let mut row = row(at, figures, golden, text, right);
    row.result.runs = [(Variant::Whole, run)].into();
    row
}

fn row(at: usize, figures: RowFigures, golden: String, text: String, right: bool) -> MeasuredRow {
    let likelihood = |log_probability| Likelihood {
        log_probability,
        tokens: 4,
    };
    MeasuredRow {
        figures,
        before: format!("def f{at}():\n    "),
        golden,
        rejected: None,
        behind: "\n    return value\n".into(),
        result: RowResult {
            completion: Completion {
                text,
                stop: if right { Stop::End } else { Stop::Limit },
                tokens: Some(9),
                prompt_tokens: Some(40),
                shortened: false,
            },
            golden: Some(likelihood(-1.0)),
            rejected: Some(likelihood(-2.0)),
            runs: BTreeMap::new(),
        },
    }
}

fn timing(at: usize) -> Timing {
    Timing {
        first_ms: 10.0 + at as f64,
        ms: 50.0 + at as f64,
        width: 8,
    }
}

/// A folder with `pairs`: 48 rows.
pub fn evaluation(folder: &Path, name: &str, data: &str, right: Right<'_>) {
    let rows = (0..48).map(|at| pair(at, right(at))).collect();
    write(folder, "pairs", name, data, rows);
}

/// The same with `infilling`: 12 rows.
pub fn infilling(folder: &Path, name: &str, data: &str, right: Right<'_>) {
    let rows = (0..12).map(|at| infill(at, right(at))).collect();
    write(folder, "infilling", name, data, rows);
}

fn write(folder: &Path, suite: &str, name: &str, data: &str, rows: Vec<MeasuredRow>) {
    let rows_file = output::write_rows(folder, suite, &rows).expect("written");
    let figures: Vec<RowFigures> = rows.iter().map(|row| row.figures.clone()).collect();
    let bootstrap = Bootstrap::default();
    let timings: Vec<Timing> = (0..rows.len()).map(timing).collect();
    let evaluated = Evaluated {
        version: output::VERSION,
        program: "0.1.0".into(),
        suite: suite.into(),
        model: ModelInfo {
            name: name.into(),
            id: None,
            identity: format!("engine-1 {name}"),
            parent: None,
            device: Some("cpu".into()),
        },
        decoding: Decoding::default(),
        form: Form::Complete,
        programs: (suite == "infilling").then(|| "python-2 CPython 3.11.2".into()),
        files: vec![format!("{suite}.jsonl").into()],
        data_sha256: data.into(),
        rows_in_files: rows.len() as u64 + 2,
        rows: rows.len() as u64,
        failed: [("row-99".to_owned(), HOSTILE.to_owned())].into(),
        shortened: 0,
        groups: summarise(&figures, bootstrap),
        bootstrap,
        runs: BTreeMap::new(),
        speed: Speed::of(&timings),
        notes: vec!["made up".into()],
        rows_file,
    };
    output::write(folder, &evaluated).expect("written");
}

/// Two checkpoints with both suites. Of `pairs` the base is right in one of three, the other one in most of two
/// of three.
pub fn study(folder: &Path, data: [&str; 2]) -> Study {
    let [base, tuned] = ["base", "tuned-10k"].map(|name| folder.join(name));
    evaluation(&base, "base|<b>", data[0], &|at| at % 3 == 1);
    evaluation(&tuned, "tuned", data[1], &|at| at % 3 != 0 && at % 7 != 1);
    infilling(&base, "base|<b>", "d3", &|at| at % 4 == 0);
    infilling(&tuned, "tuned", "d3", &|at| at % 4 != 3);
    let named = |name: &str, path: &Path| format!("{name}={}", path.display());
    let folders = [named("a", &base), named("tuned-10k", &tuned)];
    let folders = folders.map(|text| {
        // The name that hostile text is in is the model's, which nobody chose here.
        let mut folder: Folder = text.parse().expect("a folder");
        folder.name = folder.name.filter(|name| name != "a");
        folder
    });
    Study::read(&folders, 1).expect("figures")
}
