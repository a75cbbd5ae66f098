//! From margins to easy, medium and hard.
//!
//! Each scorer has a vote: by the terciles of its own margins, so that a scorer whose margins are
//! all larger says nothing else than the others. The row has the median vote.

use crate::rows::Difficulty;
use crate::stats::nearest_rank;

/// Votes that a difficulty needs.
pub const FEWEST_SCORERS: usize = 3;

/// A scorer's terciles, in nats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    lower: f32,
    upper: f32,
}

impl Thresholds {
    /// Of all margins of a scorer, which are sorted on the way; nothing of nothing.
    pub fn of(margins: &mut [f32]) -> Option<Self> {
        margins.sort_unstable_by(f32::total_cmp);
        Some(Self {
            lower: nearest_rank(margins, 1, 3)?,
            upper: nearest_rank(margins, 2, 3)?,
        })
    }

    /// The scorer's vote: the least third of the margins is hard.
    pub fn vote(&self, margin: f32) -> Difficulty {
        if margin <= self.lower {
            Difficulty::Hard
        } else if margin <= self.upper {
            Difficulty::Medium
        } else {
            Difficulty::Easy
        }
    }
}

/// The median of at least three votes; where two are in the middle and differ, the easier one of
/// neighbours, medium between easy and hard.
pub fn difficulty(mut votes: Vec<Difficulty>) -> Option<Difficulty> {
    if votes.len() < FEWEST_SCORERS {
        return None;
    }
    votes.sort_unstable();
    let (low, high) = (votes[(votes.len() - 1) / 2], votes[votes.len() / 2]);
    Some(match (low, high) {
        (Difficulty::Easy, Difficulty::Hard) => Difficulty::Medium,
        _ => low,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Margin;
    use Difficulty::{Easy, Hard, Medium};

    #[test]
    fn terciles_split_into_thirds() {
        let mut margins: Vec<f32> = (1..=9).rev().map(|value| value as f32).collect();
        let thresholds = Thresholds::of(&mut margins).expect("some");
        let votes: Vec<Difficulty> = margins
            .iter()
            .map(|margin| thresholds.vote(*margin))
            .collect();
        assert_eq!(
            votes,
            [Hard, Hard, Hard, Medium, Medium, Medium, Easy, Easy, Easy]
        );
        assert_eq!(Thresholds::of(&mut []), None);
    }

    /// What a scorer takes for far less likely than the golden completion is easy to tell.
    #[test]
    fn an_unlikely_negative_is_easy() {
        let margin = |rejected: f64| {
            let scorer = "a".to_owned();
            Margin {
                scorer,
                golden: -2.0,
                rejected,
            }
            .value() as f32
        };
        let mut margins = [-20.0, -1.0, -5.0].map(margin);
        let thresholds = Thresholds::of(&mut margins).expect("some");
        let votes = [-20.0, -5.0, -1.0].map(|rejected| thresholds.vote(margin(rejected)));
        assert_eq!(votes, [Easy, Medium, Hard]);
    }

    #[test]
    fn the_median_vote_counts() {
        let table: [(&[Difficulty], Option<Difficulty>); 6] = [
            (&[Easy, Hard, Hard], Some(Hard)),
            (&[Hard, Easy, Medium], Some(Medium)),
            (&[Easy, Easy, Hard], Some(Easy)),
            (&[Easy, Easy, Hard, Hard], Some(Medium)),
            (&[Medium, Medium, Hard, Hard], Some(Medium)),
            (&[Easy, Hard], None),
        ];
        for (votes, expected) in table {
            assert_eq!(difficulty(votes.to_vec()), expected, "{votes:?}");
        }
    }
}
