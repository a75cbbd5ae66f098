//! What is drawn.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_repository_and_no_context_is_in_two_splits(
        seed in any::<u64>(),
        repos in 1usize..40,
        files in 1usize..4,
        valid in 0.0f64..0.5,
        test in 0.0f64..0.45,
    ) {
        let recipe = CurateRecipe { seed, valid, test, ..CurateRecipe::default() };
        let found = curated(&contexts(repos, files), &HallucinationType::ALL, &recipe);
        let mut split_of: BTreeMap<String, &str> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for split in ["", "valid", "test"] {
            for row in found.sft(split) {
                prop_assert!(seen.insert(row.context_id.clone()));
                let known = split_of.entry(row.repo).or_insert(split);
                prop_assert_eq!(*known, split);
            }
            for pair in found.pairs(split) {
                let known = split_of.get(&pair.chosen.repo).copied();
                prop_assert_eq!(known, Some(split));
            }
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_files_and_another_gives_others() {
    let rows = contexts(30, 3);
    let hashes = |seed| {
        let recipe = CurateRecipe {
            seed,
            ..CurateRecipe::default()
        };
        let outputs = curated(&rows, &HallucinationType::ALL, &recipe)
            .manifest
            .outputs;
        outputs
            .into_iter()
            .map(|file| file.sha256)
            .collect::<Vec<_>>()
    };
    assert_eq!(hashes(1), hashes(1));
    assert_ne!(hashes(1), hashes(2));
}
