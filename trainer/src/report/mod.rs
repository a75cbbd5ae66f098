//! Evaluations as a page for people: one checkpoint, or several beside the first.
//!
//! `study` reads folders and compares rows, `tables`, `charts`, `failures` and `provenance` say what stands
//! on the page, `page` puts it into templates: HTML and its twin in Markdown. Templates escape what they
//! are given; a chart is the one text that is put in as it is, and escapes for itself.

mod charts;
mod command;
mod diff;
mod failures;
mod grid;
mod page;
mod provenance;
mod study;
mod tables;
#[cfg(test)]
mod tests;
mod text;

pub use command::{Args, run};
