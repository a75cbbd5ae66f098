//! The run's report: its figures over the steps, as one page that needs nothing else.

use std::fmt::Write as _;

use super::metrics::Row;
use crate::chart::{escape, short, ticks};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 62.0;
const BOTTOM: f64 = 24.0;
const COLOURS: [&str; 3] = ["#1f6feb", "#d1242f", "#1a7f37"];

/// Points of a line at most: more are not seen.
const POINTS: usize = 1000;

/// Charts by title with the columns that they show.
const CHARTS: &[(&str, &[&str])] = &[
    ("Loss (nats)", &["loss"]),
    (
        "Held-out rows: exact match and edit similarity",
        &["eval_exact_match", "eval_edit_similarity"],
    ),
    (
        "Held-out rows: completions that end by themselves, and that go on too long",
        &["eval_end_rate", "eval_over_generation"],
    ),
    (
        "Log-probability of the chosen and of the rejected completion (nats)",
        &["chosen_log_prob", "rejected_log_prob"],
    ),
    (
        "Held-out rows: log-probability of the chosen and of the rejected completion (nats)",
        &["eval_chosen_log_prob", "eval_rejected_log_prob"],
    ),
    ("Margin of rewards", &["margin"]),
    ("Log-probability of the end token (nats)", &["end_log_prob"]),
    ("FGit's weight", &["weight"]),
    ("Norm of the gradients", &["gradient_norm"]),
    ("Learning rate", &["learning_rate"]),
    ("Tokens a second", &["tokens_per_second"]),
];

/// The page. `facts` stand in front, name and value.
pub fn page(title: &str, facts: &[(&str, String)], rows: &[Row]) -> String {
    let title = escape(title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\n<style>body\
         {{font:14px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem;color:#1f2328;\
         background:#fff}}h1{{font-size:1.4rem}}h2{{font-size:1rem;margin:1.6rem 0 .2rem}}table{{border-collapse:\
         collapse}}td{{padding:.1rem 1rem .1rem 0;vertical-align:top}}text{{font:11px system-ui,sans-serif;fill:#59636e}}\
         </style>\n<h1>{title}</h1>\n<table>\n"
    );
    for (name, value) in facts {
        let _ = writeln!(out, "<tr><td>{}<td>{}", escape(name), escape(value));
    }
    out.push_str("</table>\n");
    for (title, columns) in CHARTS {
        let lines: Vec<(&str, Vec<(f64, f64)>)> = columns
            .iter()
            .map(|column| (*column, points(rows, column)))
            .filter(|(_, points)| points.len() > 1)
            .collect();
        if !lines.is_empty() {
            let _ = write!(out, "<h2>{title}</h2>\n{}", chart(&lines));
        }
    }
    out + "</html>\n"
}

/// A column over the steps; neighbours are averaged where there are too many.
fn points(rows: &[Row], column: &str) -> Vec<(f64, f64)> {
    let of = |row: &Row| Some((*row.get("step")?, *row.get(column)?));
    let all: Vec<(f64, f64)> = rows.iter().filter_map(of).collect();
    let at_once = all.len().div_ceil(POINTS).max(1);
    let mean = |part: &[(f64, f64)]| {
        let sum = part
            .iter()
            .fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
        (sum.0 / part.len() as f64, sum.1 / part.len() as f64)
    };
    all.chunks(at_once).map(mean).collect()
}

fn chart(lines: &[(&str, Vec<(f64, f64)>)]) -> String {
    let all = || lines.iter().flat_map(|(_, points)| points);
    let range = |values: &mut dyn Iterator<Item = f64>| {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        (low, if high > low { high } else { low + 1.0 })
    };
    let (x, y) = (
        range(&mut all().map(|(x, _)| *x)),
        range(&mut all().map(|(_, y)| *y)),
    );
    let right = |value: f64| LEFT + (value - x.0) / (x.1 - x.0) * (WIDTH - LEFT - 8.0);
    let up = |value: f64| 8.0 + (y.1 - value) / (y.1 - y.0) * (HEIGHT - BOTTOM - 8.0);
    let mut out = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n");
    for value in ticks(y.0, y.1, 4) {
        let _ = writeln!(
            out,
            "<path d=\"M{LEFT} {0:.1}H{WIDTH}\" stroke=\"#d1d9e0\"/><text x=\"{1}\" y=\"{2:.1}\" \
             text-anchor=\"end\">{3}</text>",
            up(value),
            LEFT - 6.0,
            up(value) + 4.0,
            short(value)
        );
    }
    for value in [x.0, (x.0 + x.1) / 2.0, x.1] {
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            right(value).min(WIDTH - 16.0),
            HEIGHT - 6.0,
            value.round()
        );
    }
    for ((name, points), colour) in lines.iter().zip(COLOURS) {
        let path: Vec<String> = points
            .iter()
            .map(|(x, y)| format!("{:.1},{:.1}", right(*x), up(*y)))
            .collect();
        let _ = writeln!(
            out,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" points=\"{}\"><title>{name}\
             </title></polyline>",
            path.join(" ")
        );
    }
    out.push_str("</svg>\n");
    if lines.len() > 1 {
        for ((name, _), colour) in lines.iter().zip(COLOURS) {
            let _ = write!(
                out,
                "<span style=\"color:{colour}\">■</span> {name} &nbsp; "
            );
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_the_charts_of_the_columns_that_are_there_and_nothing_of_the_text_runs() {
        let row = |step: u64| -> Row {
            let loss = 3.0 / (step as f64 + 1.0);
            [
                ("step", step as f64),
                ("loss", loss),
                ("gradient_norm", 1.0),
            ]
            .into()
        };
        let rows: Vec<Row> = (1..=5000).map(row).collect();
        let page = page("<run>", &[("data", "a & b".into())], &rows);
        assert!(page.contains("&lt;run&gt;") && page.contains("a &amp; b"));
        assert!(page.contains("Loss (nats)") && page.contains("Norm of the gradients"));
        assert!(!page.contains("FGit") && !page.contains("NaN"));
        let line = page
            .split("points=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        let count = line.expect("a line").split(' ').count();
        assert!((500..=POINTS).contains(&count), "{count}");
    }
}
