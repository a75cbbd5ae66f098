use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use crate::frame::{Frame, parse_frame};

/// A hive with its frames by number.
pub struct Hive {
    frames: BTreeMap<u32, Frame>,
    capacity: usize,
}

impl Hive {
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            frames: BTreeMap::new(),
            capacity,
        }
    }

    pub fn load(path: &Path, capacity: usize) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).context("the hive's file")?;
        let document: Value = serde_json::from_str(&text)?;
        let mut hive = Self::with_capacity(capacity);
        for entry in document["frames"].as_array().into_iter().flatten() {
            let frame = parse_frame(entry)?;
            hive.insert(frame)?;
        }
        Ok(hive)
    }

    pub fn insert(&mut self, frame: Frame) -> anyhow::Result<()> {
        if self.frames.len() >= self.capacity {
            anyhow::bail!("the hive is full");
        }
        self.frames.insert(frame.number, frame);
        Ok(())
    }

    pub fn honey(&self) -> f64 {
        self.frames.values().map(|frame| frame.honey()).sum()
    }

    pub fn heaviest(&self) -> Option<&Frame> {
        let mut heaviest: Option<&Frame> = None;
        for frame in self.frames.values() {
            if heaviest.is_none_or(|best| best.honey() < frame.honey()) {
                heaviest = Some(frame);
            }
        }
        heaviest
    }
}
