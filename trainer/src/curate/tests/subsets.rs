//! Subsets of growing size, and by the fool rate.

use std::collections::{BTreeMap, BTreeSet};

use truefill_syntax::Language;

use super::*;
use crate::corpus::stable_hash;

#[test]
fn sizes_nest_and_keep_the_mix() {
    let recipe = CurateRecipe {
        sizes: vec![16, 40, 999],
        ..all_for_training()
    };
    let found = curated(&contexts(20, 4), &HallucinationType::ALL, &recipe);
    let ids = |file| -> BTreeSet<String> {
        found
            .sft(file)
            .into_iter()
            .map(|row| row.context_id)
            .collect()
    };
    let [small, middle, all] = [ids("subsets/size-16"), ids("subsets/size-40"), ids("")];
    assert_eq!((small.len(), middle.len(), all.len()), (16, 40, 80));
    assert!(small.is_subset(&middle) && middle.is_subset(&all));
    assert!(!found.folder.path().join("out/subsets/size-999").exists());
    let missing = "subset of 999 rows not written: rows that are missing";
    assert_eq!(found.manifest.counts[missing], 919);
    let methods = found.sft("subsets/size-16");
    let methods = methods
        .iter()
        .filter(|row| row.kind == HallucinationType::Method);
    assert_eq!(methods.count(), 4);
}

/// Each judge is fooled by two in three, each in a way of its own, and one answer in ten is missing.
fn drawn(negative: &Negative) -> Vec<Verdict> {
    let judge = |judge: u64| {
        let key = stable_hash(judge, &[negative.id().as_bytes()]);
        (!key.is_multiple_of(10)).then(|| u8::from(!(key / 10).is_multiple_of(3)))
    };
    blind(negative, (0..3).map(judge))
}

/// Each blind verdict with the contrary preference of the same judge, and with one on the golden
/// completion.
fn with_other_kinds(negative: &Negative) -> Vec<Verdict> {
    let blind = drawn(negative);
    let contrary = |verdict: &Verdict| Verdict {
        kind: VerdictKind::Preference,
        first: Some(Subject::Golden),
        verdict: Some(1 - verdict.verdict.unwrap_or(0)),
        missing: None,
        ..verdict.clone()
    };
    let golden = |verdict: &Verdict| Verdict {
        row: negative.context_id.clone(),
        subject: Subject::Golden,
        ..verdict.clone()
    };
    let others = blind.iter().map(contrary).chain(blind.iter().map(golden));
    others.chain(blind.iter().cloned()).collect()
}

#[test]
fn preferences_and_verdicts_on_golden_completions_move_no_band() {
    let kinds = &HallucinationType::ALL;
    let contexts = contexts(8, 8);
    let plain = judged(&contexts, kinds, &all_for_training(), drawn);
    let mixed = judged(&contexts, kinds, &all_for_training(), with_other_kinds);
    for band in ["easy", "medium", "hard"] {
        let folder = format!("subsets/band-{band}");
        assert!(!plain.pairs(&folder).is_empty(), "{band}");
        assert_eq!(plain.pairs(&folder), mixed.pairs(&folder), "{band}");
    }
    assert_eq!(
        plain.manifest.tables["fool_rate"],
        mixed.manifest.tables["fool_rate"]
    );
    let mut counts = mixed.manifest.counts;
    let others = counts.remove("verdicts on golden completions, or not blind");
    // Two generators, four types, three judges, two kinds.
    assert_eq!(others, Some(contexts.len() as u64 * 2 * 4 * 3 * 2));
    assert_eq!(counts, plain.manifest.counts);
}

#[test]
fn bands_have_equally_many_rows_of_each_language_and_type() {
    for pairs_per_context in [1, 3] {
        let recipe = CurateRecipe {
            pairs_per_context,
            ..all_for_training()
        };
        let found = judged(&contexts(40, 12), &HallucinationType::ALL, &recipe, drawn);
        let band = |name: &str| {
            let folder = format!("subsets/band-{name}");
            let mut buckets: BTreeMap<(Language, HallucinationType), usize> = BTreeMap::new();
            let mut rates = BTreeSet::new();
            for pair in found.pairs(&folder) {
                *buckets
                    .entry((pair.chosen.language, pair.chosen.kind))
                    .or_default() += 1;
                rates.insert((pair.fool_rate.expect("judged") * 3.0).round() as u8);
            }
            assert_eq!(found.sft(&folder).len(), found.pairs(&folder).len());
            (buckets, rates)
        };
        let (easy, medium, hard) = (band("easy"), band("medium"), band("hard"));
        assert_eq!(easy.0.len(), 8, "two languages, four types: {easy:?}");
        assert_eq!(easy.0, medium.0);
        assert_eq!(easy.0, hard.0);
        assert_eq!(easy.1, BTreeSet::from([0, 1]));
        assert_eq!(medium.1, BTreeSet::from([2]));
        assert_eq!(hard.1, BTreeSet::from([3]));
        let rows: usize = easy.0.values().sum();
        let counted = found.manifest.counts["rows of each band's subset"];
        assert_eq!(counted, rows as u64);
    }
}

#[test]
fn a_row_without_all_verdicts_is_in_no_band() {
    let all_or_two = |negative: &Negative| {
        let third = (negative.generator == "g").then_some(1);
        blind(negative, [Some(1), Some(1), third])
    };
    let found = judged(
        &contexts(4, 4),
        &[HallucinationType::Method],
        &all_for_training(),
        all_or_two,
    );
    let table = found.manifest.tables["fool_rate"].to_string();
    assert!(
        table.contains("2 / 2") && table.contains("3 / 3"),
        "{table}"
    );
    assert_eq!(table.matches("hard").count(), 1, "{table}");
}
