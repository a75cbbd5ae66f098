//! Telling that a run has gone wrong before it has eaten the night.

use serde::{Deserialize, Serialize};

/// Weight of the past in the smoothed figure.
const MEMORY: f64 = 0.95;

/// Steps whose average says too little to be a least.
const YOUNG: u64 = 20;

/// Steps before which nothing is called divergence.
const FIRST: u64 = 50;

/// What a token of the golden completions costs, over the steps. The loss itself would not do: where it
/// is a sum over a row's tokens, it follows the length of a step's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    steps: u64,
    /// The smoothed figure, times what all steps so far weigh in it.
    sum: f64,
    least: Option<f64>,
    /// The last step at which the figure was nearer to its least than half of what it may rise: the
    /// states up to it are sound.
    sound: u64,
}

impl Watch {
    /// Takes what a token cost in a step, in nats; a sentence where it diverges: where the smoothed
    /// figure is more than `most` above its least. `most` of 0 watches nothing.
    pub fn see(&mut self, nats: f64, most: f64) -> Option<String> {
        self.steps += 1;
        self.sum = MEMORY * self.sum + (1.0 - MEMORY) * nats;
        let counted = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let smooth = self.sum / (1.0 - MEMORY.powi(counted));
        if self.steps < YOUNG {
            self.sound = self.steps;
            return None;
        }
        let least = self.least.map_or(smooth, |least| least.min(smooth));
        self.least = Some(least);
        if most == 0.0 || smooth <= least + most / 2.0 {
            self.sound = self.steps;
        }
        let diverges = most > 0.0 && self.steps > FIRST && smooth > least + most;
        diverges.then(|| {
            format!(
                "training diverges: smoothed over about 20 steps, a token of the golden completions \
                 costs {smooth:.3} nats, after {least:.3}; lower `lr` or lengthen the warm-up, and go \
                 on with `--with-changes`; `max_rise` is what it may rise"
            )
        })
    }

    /// The last step whose state is sound.
    pub fn sound(&self) -> u64 {
        self.sound
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
            let nats = 3.0 - f64::from(step) * 0.004 + trembling;
            assert_eq!(watch.see(nats, 2.0), None);
        }
        assert_eq!(watch.sound(), 500);
        let (mut unwatched, mut told) = (watch, None);
        for step in 0..200 {
            told = told.or(watch.see(3.0 + f64::from(step), 2.0));
            assert!(watch.sound() < 510);
            assert_eq!(unwatched.see(3.0 + f64::from(step), 0.0), None);
        }
        let told = told.expect("diverges");
        assert!(told.contains("lower `lr`"), "{told}");
        // The first steps of a model that knows nothing may do as they like.
        let mut young = Watch::default();
        assert!((0..FIRST).all(|step| young.see(step as f64, 2.0).is_none()));
    }

    /// A lucky first step is no least that all others are held to.
    #[test]
    fn the_first_steps_set_no_mark() {
        let mut watch = Watch::default();
        let nats = |step: u64| if step < 3 { 0.1 } else { 3.0 };
        assert!((0..400).all(|step| watch.see(nats(step), 2.0).is_none()));
    }
}
