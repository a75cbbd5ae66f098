//! Tables that are printed, put into manifests as JSON and into datasheets as Markdown.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Map, Value, json};

use crate::stats::{Clustered, Share};

/// Tables by their names, in the order in which they are shown.
pub type Tables = Vec<(String, Table)>;

/// Tables as a manifest has them.
#[must_use]
pub fn by_name(tables: &[(String, Table)]) -> BTreeMap<String, Value> {
    let named = tables.iter();
    named
        .map(|(name, table)| (name.clone(), table.to_json()))
        .collect()
}

/// Writes tables as text, or as one JSON object.
///
/// # Errors
/// Where `out` cannot be written.
pub fn print(tables: &[(String, Table)], json: bool, out: &mut dyn Write) -> std::io::Result<()> {
    if json {
        return writeln!(out, "{}", json!(by_name(tables)));
    }
    tables
        .iter()
        .try_for_each(|(_, table)| writeln!(out, "{}", table.to_text()))
}

/// A cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A name.
    Text(String),
    /// A number of things.
    Count(u64),
    /// A figure, with so many decimals.
    Number(f64, usize),
    /// A share of a sample, with its denominator and interval; nothing of nothing.
    Share(Share, Option<[f64; 2]>),
    /// A part of all that there is, with its denominator.
    Part(Share),
    /// There is nothing to say.
    Nothing,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Cell {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<&Clustered> for Cell {
    fn from(clustered: &Clustered) -> Self {
        Self::Share(clustered.share(), clustered.interval())
    }
}

impl Cell {
    /// `value` with `decimals`, or nothing.
    pub fn number(value: Option<f64>, decimals: usize) -> Self {
        value.map_or(Self::Nothing, |value| Self::Number(value, decimals))
    }

    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Count(count) => grouped(*count),
            Self::Number(value, decimals) => format!("{value:.decimals$}"),
            Self::Share(share, interval) => match (share.value(), interval) {
                (Some(value), Some(interval)) => {
                    let [value, low, high] = [value, interval[0], interval[1]].map(|it| it * 100.0);
                    let Share { part, of } = share;
                    format!("{value:.1} % ({part}/{of}; {low:.1}–{high:.1})")
                }
                _ => "–".to_owned(),
            },
            Self::Part(share) => match share.value() {
                Some(value) => format!("{:.1} % ({}/{})", value * 100.0, share.part, share.of),
                None => "–".to_owned(),
            },
            Self::Nothing => "–".to_owned(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Count(count) => json!(count),
            Self::Number(value, _) => json!(value),
            Self::Share(share, interval) => json!({
                "part": share.part, "of": share.of,
                "share": share.value(), "interval": interval,
            }),
            Self::Part(share) => json!({
                "part": share.part, "of": share.of, "share": share.value(),
            }),
            Self::Nothing => Value::Null,
        }
    }
}

/// A table: a title, columns, rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// What it shows, in one line.
    pub title: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// One cell for each column.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table.
    pub fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        Self {
            title: title.into(),
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl Into<Vec<Cell>>) {
        self.rows.push(cells.into());
    }

    /// For a terminal.
    pub fn to_text(&self) -> String {
        let lines = self.lines();
        let widths = widths(&lines);
        let mut out = format!("{}\n", self.title);
        for cells in &lines {
            out.push_str(padded(cells, &widths, "  ").trim_end());
            out.push('\n');
        }
        out
    }

    /// For a Markdown file, without the title.
    pub fn to_markdown(&self) -> String {
        let lines = self.lines();
        let widths = widths(&lines);
        let mut out = String::new();
        for (number, cells) in lines.iter().enumerate() {
            let escaped: Vec<String> = cells.iter().map(|cell| in_a_line(cell)).collect();
            out.push_str(&format!("| {} |\n", padded(&escaped, &widths, " | ")));
            if number == 0 {
                let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
                out.push_str(&format!("| {} |\n", rule.join(" | ")));
            }
        }
        out
    }

    /// For a manifest: one object a row.
    pub fn to_json(&self) -> Value {
        let object = |row: &Vec<Cell>| {
            let fields = self.columns.iter().zip(row);
            Value::Object(
                fields
                    .map(|(name, cell)| (name.clone(), cell.json()))
                    .collect::<Map<_, _>>(),
            )
        };
        Value::Array(self.rows.iter().map(object).collect())
    }

    fn lines(&self) -> Vec<Vec<String>> {
        let header = self.columns.clone();
        let rows = self.rows.iter();
        std::iter::once(header)
            .chain(rows.map(|row| row.iter().map(Cell::text).collect()))
            .collect()
    }
}

fn widths(lines: &[Vec<String>]) -> Vec<usize> {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    (0..columns).map(width).collect()
}

fn padded(cells: &[String], widths: &[usize], between: &str) -> String {
    let cells = cells.iter().zip(widths);
    cells
        .map(|(cell, width)| format!("{cell:<width$}"))
        .collect::<Vec<_>>()
        .join(between)
}

/// A number with commas between its thousands.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A cell's text in a row of Markdown, which is one line.
fn in_a_line(cell: &str) -> String {
    cell.replace('|', "\\|").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_table_has_three_forms() {
        let mut table = Table::new("Judges", &["judge", "rows", "accepted"]);
        table.row([
            "a|b".into(),
            1234.into(),
            Cell::Share(Share { part: 1, of: 2 }, Some([0.25, 0.75])),
        ]);
        table.row(["c".into(), 7.into(), Cell::Nothing]);
        insta::assert_snapshot!(table.to_text(), @r"
        Judges
        judge  rows   accepted
        a|b    1,234  50.0 % (1/2; 25.0–75.0)
        c      7      –
        ");
        assert!(table.to_markdown().contains("| a\\|b"));
        assert_eq!(in_a_line("a|b\nc"), "a\\|b c");
        assert_eq!(table.to_json()[0]["rows"], 1234);
        assert_eq!(table.to_json()[0]["accepted"]["of"], 2);
        assert!(table.to_json()[1]["accepted"].is_null());
    }

    #[test]
    fn thousands_are_grouped() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(count), text);
        }
    }
}
