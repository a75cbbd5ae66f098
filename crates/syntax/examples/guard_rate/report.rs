//! Options, counts and tables.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Serialize;
use truefill_syntax::{Evidence, Finding, Hole, HoleKind, Language, NameKind};

use crate::quantile;

pub struct Options {
    pub folders: Vec<PathBuf>,
    pub seed: u64,
    pub files: usize,
    pub holes: usize,
    pub language: Option<Language>,
    pub json: bool,
    pub evidence: bool,
    pub show: bool,
    pub best_of: u64,
}

impl Options {
    pub fn parse(arguments: impl Iterator<Item = String>) -> Self {
        let mut options = Self {
            folders: Vec::new(),
            seed: 1,
            files: 40,
            holes: 2,
            language: None,
            json: false,
            evidence: false,
            show: false,
            best_of: 1,
        };
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            let mut number = || arguments.next().and_then(|text| text.parse().ok());
            match argument.as_str() {
                "--seed" => options.seed = number().unwrap_or(1),
                "--files" => options.files = number().map_or(40, |number: u64| number as usize),
                "--holes" => options.holes = number().map_or(2, |number: u64| number as usize),
                "--best-of" => options.best_of = number().unwrap_or(1).max(1),
                "--language" => {
                    options.language = arguments.next().and_then(|name| name.parse().ok());
                }
                "--json" => options.json = true,
                "--evidence" => options.evidence = true,
                "--show" => options.show = true,
                _ => options.folders.push(PathBuf::from(argument)),
            }
        }
        options
    }
}

/// Classes of file sizes, in KiB.
const SIZES: [usize; 3] = [10, 40, 100];

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Share {
    pub hits: u64,
    pub total: u64,
}

impl Share {
    fn add(&mut self, hit: bool) {
        self.total += 1;
        self.hits += u64::from(hit);
    }

    /// The share and its Wilson 95 % interval, in percent.
    fn wilson(self) -> (f64, f64, f64) {
        if self.total == 0 {
            return (0.0, 0.0, 100.0);
        }
        let (n, z) = (self.total as f64, 1.96_f64);
        let p = self.hits as f64 / n;
        let centre = p + z * z / (2.0 * n);
        let spread = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + z * z / n;
        (
            100.0 * p,
            (100.0 * (centre - spread) / scale).max(0.0),
            100.0 * (centre + spread) / scale,
        )
    }

    fn show(self) -> String {
        let (share, low, high) = self.wilson();
        format!(
            "{:>5}/{:<5} {share:5.1} % [{low:4.1}, {high:5.1}]",
            self.hits, self.total
        )
    }
}

#[derive(Default)]
pub struct Figures {
    goldens: BTreeMap<(Language, HoleKind), Share>,
    mutations: BTreeMap<(Language, NameKind), Share>,
    evidence: BTreeMap<(Language, Evidence), [u64; 2]>,
    /// By the size of the file, in classes.
    times: BTreeMap<usize, Vec<Duration>>,
    files: usize,
    bytes: usize,
}

impl Figures {
    pub fn indexed(&mut self, files: usize, bytes: usize) {
        self.files += files;
        self.bytes += bytes;
    }

    pub fn took(&mut self, bytes: usize, time: Duration) {
        let class = SIZES.partition_point(|size| bytes > *size << 10);
        self.times.entry(class).or_default().push(time);
    }

    pub fn golden(
        &mut self,
        options: &Options,
        language: Language,
        hole: &Hole,
        path: &Path,
        golden: &str,
        found: &[Finding],
    ) {
        let blocking = found.iter().find(|finding| finding.blocks);
        self.goldens
            .entry((language, hole.kind))
            .or_default()
            .add(blocking.is_some());
        for finding in found {
            self.evidence
                .entry((language, finding.evidence))
                .or_default()[0] += 1;
        }
        if let (true, Some(finding)) = (options.show, blocking) {
            println!(
                "{language} {:?} {} {:?} `{}`: {}",
                finding.evidence,
                path.display(),
                hole.kind,
                finding.name,
                golden
                    .lines()
                    .find(|line| line.contains(&finding.name))
                    .unwrap_or("")
                    .trim()
            );
        }
    }

    pub fn mutated(
        &mut self,
        language: Language,
        kind: NameKind,
        invented: &str,
        found: &[Finding],
    ) {
        let named = found.iter().find(|finding| finding.name == invented);
        let caught = named.is_some_and(|finding| finding.blocks);
        self.mutations
            .entry((language, kind))
            .or_default()
            .add(caught);
        if let Some(finding) = named {
            self.evidence
                .entry((language, finding.evidence))
                .or_default()[1] += 1;
        }
    }

    pub fn print(mut self, options: &Options) {
        if options.json {
            println!("{}", self.json());
            return;
        }
        table("real completions that are blocked", &self.goldens);
        table("invented names that are found", &self.mutations);
        if options.evidence {
            println!("\nunresolved names by evidence: in real completions, in invented ones");
            for ((language, evidence), [real, invented]) in &self.evidence {
                println!(
                    "  {:<11} {:<22} {real:>6} {invented:>6}",
                    language.name(),
                    format!("{evidence:?}")
                );
            }
        }
        let per_file = self.bytes / self.files.max(1);
        println!("\nindex: {} files, {per_file} bytes a file", self.files);
        println!("a judgement, by the size of the file:");
        for (class, times) in &mut self.times {
            let size = SIZES
                .get(*class)
                .map_or_else(|| "beyond".to_owned(), |size| format!("up to {size} KiB"));
            let [half, most] = [0.5, 0.99].map(|share| quantile(times, share));
            println!(
                "  {size:<14} {half:>8.1?} p50 {most:>8.1?} p99 {:>7} measured",
                times.len()
            );
        }
    }

    fn json(&mut self) -> serde_json::Value {
        let rows = |name: String, share: Share| {
            let (rate, low, high) = share.wilson();
            serde_json::json!({"of": name, "hits": share.hits, "total": share.total,
                "percent": rate, "low": low, "high": high})
        };
        let goldens: Vec<_> = self
            .goldens
            .iter()
            .map(|((language, kind), share)| rows(format!("{language}/{kind:?}"), *share))
            .collect();
        let mut times: Vec<Duration> = self.times.values().flatten().copied().collect();
        let mutations: Vec<_> = self
            .mutations
            .iter()
            .map(|((language, kind), share)| rows(format!("{language}/{kind:?}"), *share))
            .collect();
        serde_json::json!({
            "goldens": goldens, "goldens_total": rows("all".to_owned(), total(&self.goldens)),
            "mutations": mutations, "mutations_total": rows("all".to_owned(), total(&self.mutations)),
            "index_bytes_per_file": self.bytes / self.files.max(1),
            "judge_p50_us": quantile(&mut times, 0.5).as_micros() as u64,
            "judge_p99_us": quantile(&mut times, 0.99).as_micros() as u64,
        })
    }
}

fn total<K>(shares: &BTreeMap<K, Share>) -> Share {
    shares.values().fold(Share::default(), |sum, share| Share {
        hits: sum.hits + share.hits,
        total: sum.total + share.total,
    })
}

fn table<K: std::fmt::Debug + Ord + Copy>(title: &str, shares: &BTreeMap<(Language, K), Share>) {
    println!("\n{title}");
    let mut languages: BTreeMap<Language, Share> = BTreeMap::new();
    for ((language, kind), share) in shares {
        println!(
            "  {:<11} {:<12} {}",
            language.name(),
            format!("{kind:?}"),
            share.show()
        );
        let sum = languages.entry(*language).or_default();
        sum.hits += share.hits;
        sum.total += share.total;
    }
    for (language, share) in &languages {
        println!("  {:<11} {:<12} {}", language.name(), "all", share.show());
    }
    println!("  {:<11} {:<12} {}", "all", "", total(&languages).show());
}
