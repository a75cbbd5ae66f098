//! Training, validation and test rows, by repository or by file.

use serde::{Deserialize, Serialize};

use super::recipe::{CurateRecipe, SplitBy};
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

    /// The split of all rows of a repository, or of a file of it: none is in two.
    pub fn of(repo: &str, path: &str, recipe: &CurateRecipe) -> Self {
        let whole = [b"split".as_slice(), repo.as_bytes(), path.as_bytes()];
        let parts = match recipe.split_by {
            SplitBy::Repository => &whole[..2],
            SplitBy::File => &whole,
        };
        let drawn = stable_hash(recipe.seed, parts);
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
            let split = Split::of(&repo, "a", &recipe);
            counts[split as usize] += 1;
            moved += usize::from(split != Split::of(&repo, "a", &other));
            assert_eq!(split, Split::of(&repo, "b", &recipe));
        }
        assert!((6800..7200).contains(&counts[0]), "{counts:?}");
        assert!((900..1100).contains(&counts[1]), "{counts:?}");
        assert!((1850..2150).contains(&counts[2]), "{counts:?}");
        assert!(moved > 3000);
        let by_file = CurateRecipe {
            split_by: SplitBy::File,
            ..recipe.clone()
        };
        let splits = (0..1000).map(|file| Split::of("one", &format!("{file}.py"), &by_file));
        let tested = splits.filter(|split| *split == Split::Test).count();
        assert!((150..250).contains(&tested), "{tested}");
        assert!((Split::Test.scale(&recipe) - 2.0 / 7.0).abs() < 1e-12);
    }
}
