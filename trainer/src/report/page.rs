//! A study as a page: HTML and its twin in Markdown.

use std::borrow::Cow;

use anyhow::Result;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Output, State, Value};
use serde::Serialize;

use super::charts::{self, Chart, FoolRate, Named, Sizes, coloured};
use super::failures::{self, Failures};
use super::grid::Grid;
use super::study::Study;
use super::tables::{self, Headline};
use super::{provenance, text};
use crate::chart::escape;

/// What is on a page beside the study.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Rows to read of each suite at most.
    pub failures: usize,
    /// Rows that checkpoints were trained on, by their names.
    pub sizes: Vec<(String, u64)>,
    /// What the training data consisted of.
    pub fool_rate: Option<FoolRate>,
}

/// A page.
#[derive(Debug, Serialize)]
pub struct Page {
    title: String,
    program: &'static str,
    checkpoints: Vec<Named>,
    compares: bool,
    warnings: Vec<String>,
    headline: Vec<Headline>,
    cross: Vec<Grid>,
    parts: Vec<Grid>,
    charts: Vec<Chart>,
    failures: Vec<Failures>,
    provenance: Vec<Grid>,
    method: Vec<String>,
    notes: Vec<String>,
}

impl Page {
    /// Of a study.
    #[must_use]
    pub fn new(study: &Study, options: &Options) -> Self {
        let sizes = Sizes::of(&study.names, &options.sizes);
        let suites = || study.suites.iter();
        Self {
            title: title(study),
            program: env!("CARGO_PKG_VERSION"),
            checkpoints: coloured(&study.names),
            compares: study.compares(),
            warnings: study.warnings(),
            headline: tables::headline(study),
            cross: tables::cross_benchmark(study),
            parts: suites()
                .flat_map(|suite| tables::parts(study, suite))
                .collect(),
            charts: charts::of(study, &sizes, options.fool_rate.as_ref()),
            failures: suites()
                .filter_map(|suite| failures::of_suite(study, suite, options.failures))
                .collect(),
            provenance: provenance::grids(study),
            method: provenance::method(study),
            notes: provenance::notes(study),
        }
    }

    /// For a browser.
    ///
    /// # Errors
    /// Where a template asks for what is not there.
    pub fn html(&self) -> Result<String> {
        self.render("report.html")
    }

    /// For a text editor or a forge.
    ///
    /// # Errors
    /// Where a template asks for what is not there.
    pub fn markdown(&self) -> Result<String> {
        self.render("report.md")
    }

    fn render(&self, name: &str) -> Result<String> {
        Ok(environment()?.get_template(name)?.render(Serde(self))?)
    }
}

fn title(study: &Study) -> String {
    match &*study.names {
        [one] => format!("{one}: measured"),
        [base, others @ ..] => format!("{} against {base}", others.join(", ")),
        [] => "Nothing was measured".to_owned(),
    }
}

const MARKDOWN: AutoEscape = AutoEscape::Custom(Cow::Borrowed("markdown"));

fn environment() -> Result<Environment<'static>> {
    let mut environment = Environment::new();
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true);
    environment.set_syntax(syntax.build()?);
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|name| match name.ends_with(".md") {
        true => MARKDOWN,
        false => AutoEscape::Html,
    });
    environment.set_formatter(escaped);
    environment.add_filter("fenced", |text: &str, kind: Option<&str>| {
        Value::from_safe_string(text::fenced(text, kind.unwrap_or_default()))
    });
    let style = Value::from_safe_string(include_str!("report.css").to_owned());
    environment.add_global("style", style);
    environment.add_template("report.html", include_str!("report.html"))?;
    environment.add_template("report.md", include_str!("report.md"))?;
    Ok(environment)
}

/// What is put into a template is text, in both forms.
fn escaped(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), minijinja::Error> {
    let found = value.to_string();
    let found = match *state.auto_escape() == MARKDOWN {
        _ if value.is_safe() => found,
        true => text::markdown(&found),
        false => escape(&found),
    };
    Ok(out.write_str(&found)?)
}
