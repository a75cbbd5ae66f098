//! Where figures come from: models, data, decoding, and how intervals were made.

use super::grid::{Cell, Column, Grid, Key, Row};
use super::study::{Measured, Study, SuiteStudy};
use super::text::shown;
use crate::eval::figures::Variant;
use crate::eval::measure::Run;
use crate::eval::output::{Evaluated, Speed};
use crate::eval::suite::Form;

/// What is said of an evaluation.
type Fact = fn(&Evaluated) -> String;

/// A line of the table each.
const FACTS: &[(&str, Fact)] = &[
    ("model", |it| it.model.name.clone()),
    ("id in the store", |it| {
        it.model.id.clone().unwrap_or_default()
    }),
    ("kind of device", |it| {
        it.model.device.clone().unwrap_or_default()
    }),
    ("identity", |it| it.model.identity.clone()),
    ("trained from", |it| {
        it.model.parent.clone().unwrap_or_default()
    }),
    ("FIM format", format),
    ("layout", layout),
    ("decoding", decoding),
    ("tasks are put as", form),
    ("rows completed at a time", width),
    ("data", data),
    ("SHA-256 of the data", |it| it.data_sha256.clone()),
    ("rows in the files", |it| it.rows_in_files.to_string()),
    ("rows measured", |it| it.rows.to_string()),
    ("rows left out by a limit", left_out),
    ("rows that could not be completed", |it| {
        it.failed.len().to_string()
    }),
    ("prompts that lack a part of the file", |it| {
        it.shortened.to_string()
    }),
    ("programs", programs),
    ("programs were run by", |it| {
        it.programs.clone().unwrap_or_default()
    }),
    ("program version", |it| it.program.clone()),
    ("format of the files", |it| it.version.to_string()),
    ("seed of the sampling", |it| it.decoding.seed.to_string()),
    ("seed and draws of the intervals", draws),
    ("SHA-256 of the rows", |it| it.rows_file.sha256.clone()),
    ("first token, not reproducible", |it| {
        speed(it, |speed| speed.first_ms)
    }),
    ("whole completion, not reproducible", |it| {
        speed(it, |speed| speed.ms)
    }),
];

/// A table for each suite.
pub fn grids(study: &Study) -> Vec<Grid> {
    study
        .suites
        .iter()
        .map(|suite| grid(study, suite))
        .collect()
}

fn grid(study: &Study, suite: &SuiteStudy) -> Grid {
    let cell = |measured: &Option<Measured>, of: &Fact| {
        let found = measured.as_ref().map(|it| of(&it.evaluated));
        match found.filter(|text| !text.is_empty()) {
            Some(text) => Cell::text(shown(&text)),
            None => Cell::nothing(),
        }
    };
    let row = |(name, of): &(&str, Fact)| Row {
        keys: vec![Key::one(*name)],
        cells: suite.measured.iter().map(|it| cell(it, of)).collect(),
    };
    Grid {
        title: suite.title.clone(),
        lead: String::new(),
        keys: vec!["what".into()],
        columns: study.names.iter().map(Column::plain).collect(),
        rows: FACTS.iter().map(row).collect(),
    }
}

fn format(of: &Evaluated) -> String {
    let format = of.decoding.format.clone();
    format.unwrap_or_else(|| "the checkpoint's".to_owned())
}

fn layout(of: &Evaluated) -> String {
    match of.decoding.layout {
        Some(layout) => format!("{layout:?}").to_lowercase(),
        None => "the one it is served with".to_owned(),
    }
}

fn form(of: &Evaluated) -> String {
    let form = match of.form {
        Form::Complete => "code to complete",
        Form::Instruct => "tasks in words",
    };
    form.to_owned()
}

fn width(of: &Evaluated) -> String {
    let most = of.speed.as_ref().map(|speed| speed.width.to_string());
    most.unwrap_or_default()
}

fn data(of: &Evaluated) -> String {
    let files = of.files.iter().map(|path| path.display().to_string());
    files.collect::<Vec<_>>().join(", ")
}

fn left_out(of: &Evaluated) -> String {
    let seen = of.rows + of.failed.len() as u64;
    of.rows_in_files.saturating_sub(seen).to_string()
}

fn draws(of: &Evaluated) -> String {
    format!("{}, {} draws", of.bootstrap.seed, of.bootstrap.draws)
}

fn decoding(of: &Evaluated) -> String {
    let how = &of.decoding;
    let most = match how.max_tokens {
        Some(tokens) => tokens.to_string(),
        None => format!(
            "{} in a hole, {} of a program",
            how.most_tokens(true),
            how.most_tokens(false)
        ),
    };
    let sampling = match how.temperature {
        0.0 => "greedy".to_owned(),
        temperature => format!("temperature {temperature}, top-p {}", how.top_p),
    };
    format!(
        "{sampling}; tokens of a prompt at most: {}, of a completion: {most}",
        how.context_tokens
    )
}

fn programs(of: &Evaluated) -> String {
    let named = |(variant, runs): (&Variant, &std::collections::BTreeMap<Run, u64>)| {
        let counts = runs.iter().map(|(run, rows)| {
            let what = match run {
                Run::Passed => "passed",
                Run::Failed => "failed",
                Run::TimedOut => "timed out",
            };
            format!("{rows} {what}")
        });
        let of = match variant.mark() {
            "" => "whole",
            mark => mark,
        };
        format!("{of}: {}", counts.collect::<Vec<_>>().join(", "))
    };
    of.runs.iter().map(named).collect::<Vec<_>>().join("; ")
}

fn speed(of: &Evaluated, which: fn(&Speed) -> [f64; 2]) -> String {
    let Some(speed) = &of.speed else {
        return String::new();
    };
    let [median, p95] = which(speed);
    format!("median {median:.0} ms, 95th percentile {p95:.0} ms")
}

/// What is to be known of a suite's figures, with those that say it.
pub fn notes(study: &Study) -> Vec<String> {
    let mut notes = Vec::new();
    for suite in &study.suites {
        let mut said: Vec<&String> = Vec::new();
        for (name, measured) in study.names.iter().zip(&suite.measured) {
            let title = &suite.title;
            let Some(measured) = measured else {
                notes.push(format!("{title}: `{name}` has no figures of it."));
                continue;
            };
            let evaluated = &measured.evaluated;
            for note in &evaluated.notes {
                if !said.contains(&note) {
                    said.push(note);
                    notes.push(format!("{title}: {note}"));
                }
            }
            if let Some((row, problem)) = evaluated.failed.iter().next() {
                notes.push(format!(
                    "{title}: {} rows that `{name}` could not complete are in no figure; the first is `{row}`: \
                     {problem}",
                    evaluated.failed.len()
                ));
            }
        }
    }
    notes.iter().map(|note| shown(note)).collect()
}

/// How intervals and marks are made.
pub fn method(study: &Study) -> Vec<String> {
    let mut said = vec![
        "Intervals are for rows of other clusters (repositories, problems): clusters are drawn with \
         replacement, and no interval is narrower than Student's, by leaving out one cluster after the other. \
         One cluster says nothing of others. Where (next to) no row differs from the others, a share of rows of \
         a kind that was not seen is allowed for: as many as none in the effective number of rows does not rule \
         out (Clopper and Pearson; a correlation of 0.05 inside a cluster is assumed). A change is told apart \
         only where chance alone would seldom give all clusters that changed the same sign (Fisher's sign test)."
            .to_owned(),
    ];
    if study.compares() {
        said.push(format!(
            "Gains are of pairs: the same rows with both checkpoints, {} draws with seed {}. ▲ is better and \
             ▼ is worse than the base; ≈ is not told apart: rows of other clusters may show the opposite. Among \
             types, among languages and among their cells the confidence is raised by their number \
             (Bonferroni), so a gain may not be marked though its own 95 % interval leaves out 0. Suites, \
             figures and checkpoints are not counted.",
            study.bootstrap.draws, study.bootstrap.seed
        ));
    }
    said.push(
        "How long completions took hangs on the machine and on what else it did; nothing else here changes \
         when it is measured again."
            .to_owned(),
    );
    said
}
