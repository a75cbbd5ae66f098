//! Bare parsing of the same files in the same run, to compare with: tree-sitter and nothing else.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use serde::Serialize;
use tree_sitter::Parser;
use truefill_syntax::Language;

use super::source::stream::{Code, Event};

thread_local! {
    static PARSERS: RefCell<HashMap<Language, Parser>> = RefCell::new(HashMap::new());
}

/// Parses a batch's files and forgets them, on all threads, while nobody passes `gate`; the time that
/// it took.
pub fn alone(events: &[Event], gate: &Mutex<()>) -> Duration {
    let _alone = gate.lock().unwrap_or_else(PoisonError::into_inner);
    let started = Instant::now();
    events.par_iter().for_each(|event| {
        if let Event::Code(Code {
            language,
            body: Ok(body),
            ..
        }) = event
        {
            parse(*language, body);
        }
    });
    started.elapsed()
}

fn parse(language: Language, bytes: &[u8]) {
    PARSERS.with_borrow_mut(|parsers| {
        let parser = parsers.entry(language).or_insert_with(|| {
            let mut parser = Parser::new();
            // The grammar is compiled in; without it the file counts as parsed in no time.
            let _ = parser.set_language(&language.grammar());
            parser
        });
        std::hint::black_box(parser.parse(bytes, None));
    });
}

/// How fast a run was. Not part of the manifest: the same inputs give the same manifest.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Rates {
    /// Seconds of the first reading, without bare parsing.
    pub first_seconds: f64,
    /// Bytes that were surveyed.
    pub first_bytes: u64,
    /// Seconds of the second reading, without bare parsing.
    pub second_seconds: f64,
    /// Bytes of the files that were parsed and mined in this run.
    pub second_bytes: u64,
    /// Seconds of sampling and writing the output.
    pub write_seconds: f64,
    /// What bare parsing took; with `--bench`.
    pub bare: Option<BareRates>,
    /// The process's highest memory so far, where the system says it.
    pub peak_bytes: Option<u64>,
}

/// Bare parsing, beside a run of the same files.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BareRates {
    /// Seconds for all files that the run read: those of [`Rates::first_bytes`] that no path or
    /// size refused.
    pub read_seconds: f64,
    /// Seconds for the files that stayed: [`Rates::second_bytes`].
    pub kept_seconds: f64,
    /// The whole run (both readings and the output) against bare parsing of all files that it read:
    /// their time for its. At least 0.5 is wanted.
    pub ratio: f64,
    /// The second reading alone, which parses and cuts, against bare parsing of its own files.
    pub ratio_second: f64,
}

impl Rates {
    /// Fills in what follows from the rest; `bare` has the times of both readings' files.
    pub fn finish(mut self, bare: Option<[Duration; 2]>) -> Self {
        self.peak_bytes = peak();
        let whole = self.first_seconds + self.second_seconds + self.write_seconds;
        self.bare = bare
            .map(|bare| bare.map(|it| it.as_secs_f64()))
            .map(|[read, kept]| BareRates {
                read_seconds: read,
                kept_seconds: kept,
                ratio: read / whole.max(f64::MIN_POSITIVE),
                ratio_second: kept / self.second_seconds.max(f64::MIN_POSITIVE),
            });
        self
    }
}

/// The process's highest resident memory, as Linux counts it.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes * 1024)
}
