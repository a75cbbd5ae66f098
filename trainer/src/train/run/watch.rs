//! Telling that a run has gone wrong before it has eaten the night.

use serde::{Deserialize, Serialize};

/// Weight of the past in the smoothed loss.
const MEMORY: f64 = 0.95;

/// Steps before which nothing is called divergence.
const FIRST: u64 = 50;

/// What the smoothed loss may rise above its least, in nats, and as a share of it.
const RISE: (f64, f64) = (2.0, 1.0);

/// The loss over the steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    steps: u64,
    smooth: f64,
    least: Option<f64>,
}

impl Watch {
    /// Takes a step's loss; a sentence where it diverges.
    pub fn see(&mut self, loss: f64) -> Option<String> {
        self.steps += 1;
        self.smooth = match self.steps {
            1 => loss,
            _ => MEMORY * self.smooth + (1.0 - MEMORY) * loss,
        };
        let least = self
            .least
            .map_or(self.smooth, |least| least.min(self.smooth));
        self.least = Some(least);
        let limit = least + RISE.0.max(RISE.1 * least.abs());
        (self.steps > FIRST && self.smooth > limit).then(|| {
            format!(
                "the loss diverges: smoothed over about 20 steps it is {:.3}, after {least:.3}; lower \
                 `lr`, or lengthen the warm-up",
                self.smooth
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_falls_or_trembles_does_not_diverge_and_what_climbs_does() {
        let mut watch = Watch::default();
        for step in 0..500 {
            let trembling = f64::from(step % 7) * 0.5;
            assert_eq!(watch.see(3.0 - f64::from(step) * 0.004 + trembling), None);
        }
        let mut told = None;
        for step in 0..200 {
            told = told.or(watch.see(3.0 + f64::from(step)));
        }
        let told = told.expect("diverges");
        assert!(told.contains("lower `lr`"), "{told}");
        // The first steps of a model that knows nothing may do as they like.
        let mut young = Watch::default();
        assert!((0..FIRST).all(|step| young.see(step as f64).is_none()));
    }
}
