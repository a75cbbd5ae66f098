//! Rotary position tables, always in `f32`: in half precision neighbouring positions past 256
//! round to the same angle.

use crate::config::{ModelConfig, RopeScaling};

/// Cosines and sines for every position that a cache can hold.
pub struct RopeTables {
    half: usize,
    positions: usize,
    /// `[positions, half]`.
    cos: Vec<f32>,
    /// `[positions, half]`.
    sin: Vec<f32>,
}

impl RopeTables {
    /// Tables for positions `0..positions`.
    pub fn new(config: &ModelConfig, positions: usize) -> Self {
        let frequencies = frequencies(config);
        let mut cos = Vec::with_capacity(positions * frequencies.len());
        let mut sin = Vec::with_capacity(positions * frequencies.len());
        for position in 0..positions {
            for frequency in &frequencies {
                let angle = position as f32 * frequency;
                cos.push(angle.cos());
                sin.push(angle.sin());
            }
        }
        Self {
            half: frequencies.len(),
            positions,
            cos,
            sin,
        }
    }

    /// Positions in the tables.
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// Half the head size.
    pub fn half(&self) -> usize {
        self.half
    }

    /// Cosines and sines of one position, `[head_dim / 2]` each.
    pub fn at(&self, position: usize) -> (&[f32], &[f32]) {
        let start = position * self.half;
        (
            &self.cos[start..start + self.half],
            &self.sin[start..start + self.half],
        )
    }

    /// Cosines and sines of a range of positions, `[range, head_dim / 2]` each.
    pub fn rows(&self, range: std::ops::Range<usize>) -> (&[f32], &[f32]) {
        let elements = range.start * self.half..range.end * self.half;
        (&self.cos[elements.clone()], &self.sin[elements])
    }
}

/// Radians that each pair of a head turns by a position: `base^(-2i / head_dim)`, scaled.
fn frequencies(config: &ModelConfig) -> Vec<f32> {
    let dim = config.head_dim as f32;
    let pairs = (0..config.head_dim).step_by(2);
    let plain = pairs.map(|i| 1.0 / config.rope_base.powf(i as f32 / dim));
    match &config.rope_scaling {
        RopeScaling::None => plain.collect(),
        RopeScaling::Linear { factor } => plain.map(|frequency| frequency / factor).collect(),
        RopeScaling::Llama3 {
            factor,
            low_frequency,
            high_frequency,
            original_positions,
        } => plain
            .map(|frequency| {
                llama3(
                    frequency,
                    *factor,
                    *low_frequency,
                    *high_frequency,
                    *original_positions,
                )
            })
            .collect(),
        RopeScaling::Factors(factors) => plain
            .zip(factors)
            .map(|(frequency, factor)| frequency / factor)
            .collect(),
    }
}

/// By what each frequency is divided, `[head_dim / 2]`: how GGUF files hold any scaling.
pub(crate) fn factors(config: &ModelConfig) -> Vec<f32> {
    let plain = ModelConfig {
        rope_scaling: RopeScaling::None,
        ..config.clone()
    };
    let scaled = frequencies(config);
    let plain = frequencies(&plain).into_iter();
    plain
        .zip(scaled)
        .map(|(plain, scaled)| plain / scaled)
        .collect()
}

/// Llama 3.1's scaling: long wavelengths are stretched by `factor`, short ones kept, and those
/// between `original_positions / high` and `original_positions / low` blended.
fn llama3(frequency: f32, factor: f32, low: f32, high: f32, original_positions: f32) -> f32 {
    let wavelength = 2.0 * std::f32::consts::PI / frequency;
    if wavelength < original_positions / high {
        return frequency;
    }
    if wavelength > original_positions / low {
        return frequency / factor;
    }
    let smooth = (original_positions / wavelength - low) / (high - low);
    (1.0 - smooth) * frequency / factor + smooth * frequency
}
