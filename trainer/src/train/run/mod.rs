//! A run of training: from a checkpoint and rows to a better checkpoint, in steps that can be
//! interrupted anywhere.
//!
//! What a run knows lies in its folder: `states/` (parameters, optimiser, place), `best/`, the
//! figures of every step in `metrics.csv` and for TensorBoard, plots in `report.html`. A run that was
//! stopped or killed goes on from its last whole state and, on the CPU, comes to the same bits as one
//! that was not: rows, their variation and their order depend on seed, epoch and step alone.

pub mod command;
mod continued;
mod course;
mod deliver;
mod engine;
mod figures;
mod folder;
mod job;
mod keeping;
mod measure;
mod metrics;
mod plot;
mod reference;
mod state;
mod step;
mod watch;

pub use job::{Ended, Job, Outcome};

#[cfg(test)]
mod tests;
