//! The figures of every step: a CSV for people and programs, event files for TensorBoard.
//!
//! The CSV is what counts. A run that goes on cuts it back to its state's step and writes the event
//! file again from it, so that both are those of one run without interruption.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use super::folder::RunFolder;
use crate::rows::write_whole;

/// The columns in front of all others; the others are looked up by name.
const COLUMNS: &[&str] = &[
    "step",
    "epoch",
    "seconds",
    "learning_rate",
    "gradient_norm",
    "tokens",
    "tokens_per_second",
    "loss",
    "chosen_log_prob",
    "chosen_token_log_prob",
    "end_log_prob",
    "rejected_log_prob",
    "margin",
    "reward_accuracy",
    "chosen_drift",
    "weight",
    "clamped",
    "unmarked",
    "eval_rows",
    "eval_exact_match",
    "eval_edit_similarity",
    "eval_end_rate",
    "eval_over_generation",
    "eval_chosen_log_prob",
    "eval_rejected_log_prob",
    "eval_margin",
    "eval_preference_accuracy",
];

/// Figures by the names of their columns.
pub type Row = BTreeMap<&'static str, f64>;

/// Writes the figures.
pub struct Metrics {
    csv: Tail,
    events: Tail,
    rows: Vec<Row>,
}

/// A file that grows row by row, and never by half a one.
struct Tail {
    path: PathBuf,
    file: File,
    /// Its bytes as far as they are whole rows.
    whole: u64,
    /// The rows in it.
    rows: usize,
}

impl Tail {
    fn begin(path: PathBuf, text: &[u8], rows: usize) -> Result<Self> {
        let shown = || path.display().to_string();
        write_whole(&path, text).with_context(shown)?;
        let file = File::options()
            .append(true)
            .open(&path)
            .with_context(shown)?;
        Ok(Self {
            whole: text.len() as u64,
            path,
            file,
            rows,
        })
    }

    /// Appends the rows that it lacks. What a full disk let through of one is taken back.
    fn catch_up(&mut self, rows: &[Row], bytes: impl Fn(&Row) -> Vec<u8>) -> Result<()> {
        for row in &rows[self.rows..] {
            let bytes = bytes(row);
            if let Err(error) = self.file.write_all(&bytes) {
                let _ = self.file.set_len(self.whole);
                return Err(error).with_context(|| self.path.display().to_string());
            }
            self.whole += bytes.len() as u64;
            self.rows += 1;
        }
        Ok(())
    }
}

impl Metrics {
    /// Goes on behind `step`, with the measurements up to that of the step `measured`: what stands
    /// after them in the file was not kept by a state.
    ///
    /// # Errors
    /// What the file system says, and a file that is not this program's.
    pub fn open(folder: &RunFolder, step: u64, measured: Option<u64>) -> Result<Self> {
        let csv = folder.join("metrics.csv");
        let rows = match csv.exists() {
            true => read(&csv, step, measured)?,
            false => Vec::new(),
        };
        let mut text = COLUMNS.join(",") + "\n";
        rows.iter().for_each(|row| text += &line(row));
        let mut events = Vec::new();
        events.extend(event::record(&event::header()));
        rows.iter().for_each(|row| events.extend(event::of(row)));
        let path = folder.join("events.out.tfevents.0.truefill");
        Ok(Self {
            csv: Tail::begin(csv, text.as_bytes(), rows.len())?,
            events: Tail::begin(path, &events, rows.len())?,
            rows,
        })
    }

    /// Appends a step's figures. Where a file takes none, they are kept, and written with the next.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&mut self, row: Row) -> Result<()> {
        debug_assert!(row.keys().all(|name| COLUMNS.contains(name)));
        self.rows.push(row);
        let csv = self.csv.catch_up(&self.rows, |row| line(row).into_bytes());
        csv.and(self.events.catch_up(&self.rows, event::of))
    }

    /// All rows so far.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }
}

fn line(row: &Row) -> String {
    let cells = COLUMNS.iter().map(|name| match row.get(name) {
        Some(value) => format!("{value}"),
        None => String::new(),
    });
    cells.collect::<Vec<_>>().join(",") + "\n"
}

/// The rows up to `step`, measurements up to `measured`. A last line that a kill cut off is left out.
fn read(csv: &std::path::Path, step: u64, measured: Option<u64>) -> Result<Vec<Row>> {
    let shown = csv.display();
    let text = std::fs::read_to_string(csv).with_context(|| shown.to_string())?;
    let mut lines = text.split_inclusive('\n');
    let head = lines.next().unwrap_or_default().trim_end();
    ensure!(
        head == COLUMNS.join(","),
        "{shown}: expected the columns of this version, found others; move the file away"
    );
    let mut rows = Vec::new();
    for line in lines.filter(|line| line.ends_with('\n')) {
        let cells = line.trim_end().split(',');
        let named = COLUMNS.iter().zip(cells);
        let row: Row = named
            .filter_map(|(name, cell)| Some((*name, cell.parse().ok()?)))
            .collect();
        let kept = match row.contains_key("eval_rows") {
            true => measured,
            false => Some(step),
        };
        let at = row.get("step").copied();
        if at.zip(kept).is_some_and(|(at, kept)| at <= kept as f64) {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// TensorBoard's event files: protocol buffers (`tensorflow.Event`) in TFRecord framing.
mod event {
    use super::Row;

    /// A record: length, its checksum, data, their checksum.
    pub fn record(data: &[u8]) -> Vec<u8> {
        let length = (data.len() as u64).to_le_bytes();
        let mut out = length.to_vec();
        out.extend(masked(&length).to_le_bytes());
        out.extend(data);
        out.extend(masked(data).to_le_bytes());
        out
    }

    fn masked(data: &[u8]) -> u32 {
        crc32c::crc32c(data)
            .rotate_right(15)
            .wrapping_add(0xa282_ead8)
    }

    /// `Event { file_version: "brain.Event:2" }`.
    pub fn header() -> Vec<u8> {
        let mut out = Vec::new();
        bytes(&mut out, 3, b"brain.Event:2");
        out
    }

    /// One record with all figures of a row.
    pub fn of(row: &Row) -> Vec<u8> {
        let mut summary = Vec::new();
        for (name, value) in row {
            if matches!(*name, "step" | "seconds") {
                continue;
            }
            let group = if name.starts_with("eval_") {
                "eval"
            } else {
                "train"
            };
            let tag = format!("{group}/{}", name.trim_start_matches("eval_"));
            let mut item = Vec::new();
            bytes(&mut item, 1, tag.as_bytes());
            item.push(2 << 3 | 5);
            item.extend((*value as f32).to_le_bytes());
            bytes(&mut summary, 1, &item);
        }
        let mut event = vec![1 << 3 | 1];
        event.extend(
            row.get("seconds")
                .copied()
                .unwrap_or_default()
                .to_le_bytes(),
        );
        event.push(2 << 3);
        varint(
            &mut event,
            row.get("step").copied().unwrap_or_default() as u64,
        );
        bytes(&mut event, 5, &summary);
        record(&event)
    }

    /// A length-delimited field.
    fn bytes(out: &mut Vec<u8>, field: u8, data: &[u8]) {
        out.push(field << 3 | 2);
        varint(out, data.len() as u64);
        out.extend(data);
    }

    fn varint(out: &mut Vec<u8>, mut value: u64) {
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes that TensorBoard's own writer makes of the same events.
    #[test]
    fn event_files_are_tensorboards() {
        let header = event::record(&event::header());
        assert_eq!(
            hex::encode(header),
            "0f000000000000006d532b091a0d627261696e2e4576656e743a32fc985129"
        );
        let row = Row::from([("step", 300.0), ("seconds", 1.5), ("loss", 0.25)]);
        assert_eq!(
            hex::encode(event::of(&row)),
            "2100000000000000017becf609000000000000f83f10ac022a130a110a0a747261696e2f6c6f7373150000803e\
             6557981f"
        );
    }

    /// What could not be written is not lost, and leaves no half of a row.
    #[test]
    fn a_file_that_refuses_a_row_has_it_later() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("metrics.csv");
        let rows = [1.0, 2.0, 3.0].map(|step| Row::from([("step", step)]));
        let bytes = |row: &Row| line(row).into_bytes();
        let mut tail = Tail::begin(path.clone(), b"head\n", 0).expect("begins");
        tail.catch_up(&rows[..1], bytes).expect("written");
        let writable = std::mem::replace(&mut tail.file, File::open(&path).expect("to read"));
        let error = tail.catch_up(&rows[..2], bytes).expect_err("refused");
        assert!(format!("{error:#}").contains("metrics.csv"), "{error:#}");
        tail.file = writable;
        tail.catch_up(&rows, bytes).expect("written");
        let text = std::fs::read_to_string(&path).expect("reads");
        let expected: String = rows.iter().map(line).collect();
        assert_eq!(text, format!("head\n{expected}"));
    }

    #[test]
    fn a_file_is_cut_back_to_the_states_step_and_a_half_line_is_dropped() {
        let row = |line: &str| {
            let empty = ",".repeat(COLUMNS.len() - 2);
            format!("{line}{empty}\n")
        };
        let folder = tempfile::tempdir().expect("a folder");
        let csv = folder.path().join("metrics.csv");
        let head = COLUMNS.join(",") + "\n";
        let text = head.clone() + &row("1,0") + &row("2,0") + &row("3,1") + "4,1,17";
        std::fs::write(&csv, text).expect("written");
        let rows = read(&csv, 2, None).expect("reads");
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[1], Row::from([("step", 2.0), ("epoch", 0.0)]));
        assert_eq!(read(&csv, 9, None).expect("reads").len(), 3);
        // A measurement that no state knows of is made again.
        let mut cells = vec![String::new(); COLUMNS.len()];
        cells[0] = "2".into();
        let at = COLUMNS.iter().position(|name| *name == "eval_rows");
        cells[at.expect("a column")] = "6".into();
        let text = head + &row("2,0") + &cells.join(",") + "\n";
        std::fs::write(&csv, text).expect("written");
        assert_eq!(read(&csv, 2, None).expect("reads").len(), 1);
        assert_eq!(read(&csv, 2, Some(2)).expect("reads").len(), 2);
        std::fs::write(&csv, "a,b\n1,2\n").expect("written");
        let error = read(&csv, 9, None).expect_err("refused").to_string();
        assert!(
            error.contains("metrics.csv: expected the columns"),
            "{error}"
        );
    }
}
