//! Options, counts and tables.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use truefill_syntax::Language;

use crate::cuts::Kind;

pub struct Options {
    pub folders: Vec<PathBuf>,
    pub seed: u64,
    pub files: usize,
    pub places: usize,
    pub language: Option<Language>,
    pub show: bool,
}

impl Options {
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut options = Self {
            folders: Vec::new(),
            seed: 1,
            files: 40,
            places: 3,
            language: None,
            show: false,
        };
        while let Some(argument) = arguments.next() {
            let mut number = |usual: usize| {
                let text = arguments.next();
                text.and_then(|text| text.parse().ok()).unwrap_or(usual)
            };
            match argument.as_str() {
                "--seed" => options.seed = number(1) as u64,
                "--files" => options.files = number(40),
                "--places" => options.places = number(3),
                "--language" => {
                    options.language = arguments.next().and_then(|name| name.parse().ok());
                }
                "--show" => options.show = true,
                _ => options.folders.push(PathBuf::from(argument)),
            }
        }
        options
    }
}

/// Where a text was cut, against where it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Exact,
    Early,
    Late,
}

impl Outcome {
    /// `kept` and `golden` are bytes of `written`. Behind `golden` a part of `also` may be kept, and
    /// a comment on the same line.
    pub fn of(kept: usize, golden: usize, also: &str, comment: &str, written: &str) -> Self {
        if kept < golden {
            return Self::Early;
        }
        let more = &written[golden..kept];
        let remark = more.trim_start().starts_with(comment) && !more.contains('\n');
        match remark || also.starts_with(more) {
            true => Self::Exact,
            false => Self::Late,
        }
    }
}

#[derive(Default)]
pub struct Figures {
    ends: BTreeMap<(Language, Kind), [u64; 3]>,
    /// Right and all, by whether the user asked.
    shapes: BTreeMap<(Language, Kind), [[u64; 2]; 2]>,
    times: [Vec<Duration>; 2],
}

impl Figures {
    pub fn ended(&mut self, language: Language, kind: Kind, outcome: Outcome) {
        self.ends.entry((language, kind)).or_default()[outcome as usize] += 1;
    }

    pub fn shaped(&mut self, language: Language, kind: Kind, invoked: bool, right: bool) {
        let counts = self.shapes.entry((language, kind)).or_default();
        let [hits, total] = &mut counts[usize::from(invoked)];
        *hits += u64::from(right);
        *total += 1;
    }

    pub fn took(&mut self, bytes: usize, time: Duration) {
        self.times[usize::from(bytes > 40 << 10)].push(time);
    }

    pub fn print(mut self) {
        println!("where a completion ends: exact, early, late");
        let mut sums: BTreeMap<Kind, [u64; 3]> = BTreeMap::new();
        for ((language, kind), counts) in &self.ends {
            println!(
                "  {:<11} {:<10} {}",
                language.name(),
                format!("{kind:?}"),
                ends(counts)
            );
            let sum = sums.entry(*kind).or_default();
            (0..3).for_each(|at| sum[at] += counts[at]);
        }
        for (kind, counts) in &sums {
            println!(
                "  {:<11} {:<10} {}",
                "all",
                format!("{kind:?}"),
                ends(counts)
            );
        }
        println!("\none line or a block as in the file: by itself, when asked for");
        let mut sums: BTreeMap<Kind, [[u64; 2]; 2]> = BTreeMap::new();
        for ((language, kind), counts) in &self.shapes {
            println!(
                "  {:<11} {:<10} {}",
                language.name(),
                format!("{kind:?}"),
                shares(counts)
            );
            let sum = sums.entry(*kind).or_default();
            for (sum, count) in sum.iter_mut().flatten().zip(counts.iter().flatten()) {
                *sum += count;
            }
        }
        for (kind, counts) in &sums {
            println!(
                "  {:<11} {:<10} {}",
                "all",
                format!("{kind:?}"),
                shares(counts)
            );
        }
        println!("\na decision on the shape:");
        for (size, times) in ["up to 40 KiB", "beyond"].iter().zip(&mut self.times) {
            times.sort_unstable();
            let at = |share: f64| {
                let at = (times.len() as f64 * share) as usize;
                times.get(at).copied().unwrap_or_default()
            };
            let (half, most) = (at(0.5), at(0.99));
            println!(
                "  {size:<14} {half:>8.1?} p50 {most:>8.1?} p99 {:>7}",
                times.len()
            );
        }
    }
}

fn percent(part: u64, all: u64) -> f64 {
    100.0 * part as f64 / all.max(1) as f64
}

fn ends(counts: &[u64; 3]) -> String {
    let all = counts.iter().sum();
    let [exact, early, late] = counts.map(|count| percent(count, all));
    format!("{exact:5.1} % {early:5.1} % {late:5.1} %  of {all}")
}

fn shares(counts: &[[u64; 2]; 2]) -> String {
    let [itself, asked] = counts.map(|[hits, all]| percent(hits, all));
    format!("{itself:5.1} % {asked:5.1} %  of {}", counts[0][1])
}
