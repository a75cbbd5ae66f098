//! Training, validation and test rows, by repository.

use serde::{Deserialize, Serialize};

use super::recipe::CurateRecipe;
use crate::corpus::stable_hash;

/// What rows are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Learning.
    Train,
    /// Choosing between checkpoints.
    Valid,
    /// Measuring the chosen one.
    Test,
}

impl Split {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Train, Self::Valid, Self::Test];

    /// The name of its folder; training rows have none.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Valid => "valid",
            Self::Test => "test",
        }
    }

    /// The split of all rows of a repository: no repository is in two.
    pub fn of(repo: &str, recipe: &CurateRecipe) -> Self {
        let drawn = stable_hash(recipe.seed, &[b"split", repo.as_bytes()]);
        let drawn = drawn as f64 / u64::MAX as f64;
        if drawn < recipe.test {
            Self::Test
        } else if drawn < recipe.test + recipe.valid {
            Self::Valid
        } else {
            Self::Train
        }
    }

    /// How many rows there may be for each training row.
    pub fn scale(self, recipe: &CurateRecipe) -> f64 {
        let train = 1.0 - recipe.valid - recipe.test;
        match self {
            Self::Train => 1.0,
            Self::Valid => recipe.valid / train,
            Self::Test => recipe.test / train,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_have_their_shares_and_depend_on_the_seed() {
        let recipe = CurateRecipe {
            valid: 0.1,
            test: 0.2,
            ..CurateRecipe::default()
        };
        let other = CurateRecipe {
            seed: 2,
            ..recipe.clone()
        };
        let mut counts = [0; 3];
        let mut moved = 0;
        for repo in 0..10_000 {
            let repo = format!("owner/{repo}");
            let split = Split::of(&repo, &recipe);
            counts[split as usize] += 1;
            moved += usize::from(split != Split::of(&repo, &other));
        }
        assert!((6800..7200).contains(&counts[0]), "{counts:?}");
        assert!((900..1100).contains(&counts[1]), "{counts:?}");
        assert!((1850..2150).contains(&counts[2]), "{counts:?}");
        assert!(moved > 3000);
        assert!((Split::Test.scale(&recipe) - 2.0 / 7.0).abs() < 1e-12);
    }
}
