//! From rows to tokens.

use std::collections::BTreeMap;

use truefill_model::fim::{Budget, Layout, PromptParts};
use truefill_trainer::train::example::{Rendered, Settings, Skip};
use truefill_trainer::train::objective::{Needs, Objective, Sft, Window};
use truefill_trainer::train::recut::Holes;

use crate::fim_support::CODE;
use crate::support::{
    FORMATS, bound, everything, example, plain, renderer, row, settings, tokenizer,
};

/// Rows that are cut out of real code.
fn cuts() -> Vec<[String; 3]> {
    let mut cuts = Vec::new();
    for (number, code) in CODE.iter().enumerate() {
        let starts: Vec<usize> = code.char_indices().map(|(at, _)| at).collect();
        for part in 1..6 {
            let at = starts[starts.len() * part / 6];
            let end = starts[starts.len() * part / 6 + 3 + 5 * number];
            cuts.push([&code[..at], &code[at..end], &code[end..]].map(str::to_owned));
        }
    }
    cuts
}

fn parts(cut: &[String; 3]) -> [&str; 3] {
    [&cut[0], &cut[1], &cut[2]]
}

#[test]
fn an_example_is_what_serving_would_prompt_and_then_the_completion() {
    for name in FORMATS {
        let format = bound(name);
        let renderer = plain(name);
        for (number, cut) in cuts().iter().enumerate() {
            let row = row(&number.to_string(), parts(cut), None);
            let found = example(&renderer, &row, 0);
            let room = 96 - found.chosen.len();
            let budget = Budget {
                total: room.min(64),
                suffix_share: 0.35,
                chunk_share: 0.0,
            };
            let request = PromptParts {
                prefix: &cut[0],
                suffix: &cut[2],
                path: Some("src/total.py"),
                ..PromptParts::default()
            };
            let expected = format.render_training(&request, &cut[1], &budget).unwrap();
            let [sequence] = found.sequences(false).try_into().unwrap();
            assert_eq!(sequence.tokens, expected.tokens, "{name}");
            assert_eq!(sequence.targets, expected.supervised, "{name}");
            // The end token is learned.
            let last = sequence.tokens[sequence.targets.clone()].last();
            assert_eq!(last.copied(), format.end_token(), "{name}");
            assert_eq!(found.sequences(true)[0].targets, 1..expected.tokens.len());
        }
    }
}

#[test]
fn no_sequence_is_too_long_and_no_sentinel_is_lost() {
    for name in FORMATS {
        let format = bound(name);
        for max_tokens in [40, 64, 96] {
            let settings = Settings {
                max_tokens,
                context_tokens: 64,
                ..settings(everything())
            };
            let renderer = renderer(name, &[], settings);
            for (number, cut) in cuts().iter().enumerate() {
                let wrong = format!("{}wrong", cut[1]);
                let row = row(&number.to_string(), parts(cut), Some(&wrong));
                let rendered = renderer.render(&row, 0).unwrap();
                let longest = 1 + tokenizer(name).encode(&wrong).unwrap().len();
                let Rendered::Whole(found) = rendered else {
                    assert_eq!(rendered, Rendered::Skipped(Skip::TooLong));
                    assert!(
                        longest + 32 > max_tokens,
                        "{name}: {longest} of {max_tokens}"
                    );
                    continue;
                };
                let shown = tokenizer(name).decode(&found.prompt);
                let empty = format.render(
                    &PromptParts::default(),
                    &Budget {
                        total: 16,
                        suffix_share: 0.3,
                        chunk_share: 0.0,
                    },
                );
                for sentinel in empty.unwrap().tokens {
                    assert!(found.prompt.contains(&sentinel), "{name}: {shown}");
                }
                for sequence in found.sequences(false) {
                    assert!(sequence.tokens.len() <= max_tokens, "{name}");
                }
                assert_eq!(found.chosen.len(), found.chosen_marks.len());
                assert_eq!(found.rejected.len(), found.rejected_marks.len());
                assert_eq!(found.positions(), 2 * (found.prompt.len() + longest));
            }
        }
    }
}

#[test]
fn layouts_have_their_shares_and_come_back() {
    let shares = [
        (Layout::Spm, 3.0),
        (Layout::PsmLine, 1.0),
        (Layout::Psm, 0.0),
    ];
    let renderer = renderer("starcoder2", &shares, settings(Needs::default()));
    let mut counts: BTreeMap<Layout, usize> = BTreeMap::new();
    let mut changed = 0;
    for id in 0..400 {
        let row = row(&id.to_string(), ["a = ", "b", "\n"], None);
        let found = example(&renderer, &row, 0);
        assert_eq!(found, example(&renderer, &row, 0));
        *counts.entry(found.layout.unwrap()).or_default() += 1;
        changed += usize::from(example(&renderer, &row, 1).layout != found.layout);
    }
    assert!((270..330).contains(&counts[&Layout::Spm]), "{counts:?}");
    assert_eq!(counts.len(), 2);
    assert!(changed > 80, "{changed}");
}

/// The text that an example is of, without its sentinels: as the layout `psm` has it in order.
fn moved(rate: f64, needs: Needs, rejected: Option<&str>, epoch: u64) -> Vec<usize> {
    let settings = Settings {
        resplit: rate,
        ..settings(needs)
    };
    let renderer = renderer("qwen2.5-coder", &[(Layout::PsmLine, 1.0)], settings);
    let golden = "total(überaus, 日本)";
    let ids = 0..200;
    ids.map(|id| {
        let row = row(&id.to_string(), ["x = 1\ny = ", golden, "\n"], rejected);
        let found = example(&renderer, &row, epoch);
        let tokenizer = renderer.tokenizer();
        let (chosen, prompt) = (
            tokenizer.decode(&found.chosen),
            tokenizer.decode(&found.prompt),
        );
        assert_eq!(chosen, format!("{}<|endoftext|>", &golden[found.moved..]));
        let line = prompt.split("<|fim_middle|>").nth(1).unwrap();
        assert_eq!(line, format!("y = {}", &golden[..found.moved]));
        if let Some(rejected) = rejected.filter(|_| needs.rejected) {
            let expected = format!("{}<|endoftext|>", &rejected[found.moved..]);
            assert_eq!(tokenizer.decode(&found.rejected), expected);
        }
        found.moved
    })
    .collect()
}

#[test]
fn holes_begin_at_any_character_and_end_where_they_did() {
    let none = moved(0.0, Needs::default(), None, 0);
    assert!(none.iter().all(|moved| *moved == 0));
    let half = moved(0.5, Needs::default(), None, 0);
    let still = half.iter().filter(|moved| **moved == 0).count();
    assert!((75..125).contains(&still), "{still}");
    let all = moved(1.0, Needs::default(), None, 0);
    let places: std::collections::BTreeSet<usize> = all.iter().copied().collect();
    // 18 characters, so 17 places that leave one.
    assert_eq!(places.len(), 17, "{places:?}");
    assert_ne!(all, moved(1.0, Needs::default(), None, 1));
}

#[test]
fn a_row_that_is_rendered_in_one_epoch_is_rendered_in_all() {
    let settings = Settings {
        resplit: 0.5,
        ..settings(everything())
    };
    let renderer = renderer("qwen2.5-coder", &[], settings);
    let (mut kept, mut moved) = (0, 0);
    for words in 50..80 {
        // Around the length that leaves no room for a prompt.
        let golden = "é".repeat(words) + "a";
        for id in 0..20 {
            let row = row(
                &id.to_string(),
                ["x = ", &golden, "\n"],
                Some(&golden.replace('a', "b")),
            );
            let [one, two] = [0, 1].map(|epoch| renderer.render(&row, epoch).unwrap());
            let is_whole = |found: &Rendered| matches!(found, Rendered::Whole(_));
            assert_eq!(is_whole(&one), is_whole(&two), "{words}: {id}");
            if let Rendered::Whole(example) = two {
                kept += 1;
                moved += usize::from(example.moved > 0);
            }
        }
    }
    assert!(kept > 0 && kept < 600, "{kept}");
    assert!(moved > 0);
}

#[test]
fn both_sides_of_a_pair_lose_the_same_characters() {
    let places = moved(1.0, everything(), Some("total(übrig, 日本)"), 0);
    // `total(üb` is common.
    assert!(
        places.iter().all(|place| (1..=9).contains(place)),
        "{places:?}"
    );
    // The wrong one is where the golden one begins: it keeps a character.
    let places = moved(1.0, everything(), Some("to"), 0);
    assert!(places.iter().all(|place| *place == 1), "{places:?}");
    let places = moved(1.0, everything(), Some("other"), 0);
    assert!(places.iter().all(|place| *place == 0), "{places:?}");
}

#[test]
fn what_a_reference_was_asked_about_is_the_same_in_every_epoch() {
    let needs = Needs {
        reference: true,
        ..everything()
    };
    let rejected = Some("total(übrig, 日本)");
    assert_eq!(
        moved(1.0, needs, rejected, 0),
        moved(1.0, needs, rejected, 3)
    );
}

#[test]
fn what_an_objective_does_not_need_is_not_there() {
    let row = row("a", ["f(", "a, b", ")\n"], Some("a, c"));
    let of = |needs: Needs| example(&renderer("qwen2.5-coder", &[], settings(needs)), &row, 0);
    let sft = of(Objective::Sft(Sft::default()).needs());
    assert!(sft.rejected.is_empty() && sft.chosen_marks.is_empty());
    assert_eq!(sft.sequences(false).len(), 1);
    let fixed = of(Needs {
        mask: true,
        ..Needs::default()
    });
    assert!(fixed.rejected.is_empty() && fixed.rejected_marks.is_empty());
    assert_eq!(fixed.chosen_marks.len(), fixed.chosen.len());
    let whole = of(everything());
    let mut window = Window::default();
    whole.count(&mut window);
    let expected = Window {
        rows: 1,
        chosen_tokens: whole.chosen.len() as u64,
        prompt_tokens: whole.prompt.len() as u64 - 1,
    };
    assert_eq!(window, expected);
    assert_ne!(whole.key(), sft.key());
}

/// Holes that are cut anew take nothing away from the text, and their places hang on the epoch.
#[test]
fn holes_are_cut_anew_in_the_same_text() {
    let settings = Settings {
        holes: Holes {
            own: 0.2,
            lines: 0.4,
            span: 0.4,
            ..Holes::default()
        },
        ..settings(Needs::default())
    };
    let renderer = renderer("qwen2.5-coder", &[(Layout::Psm, 1.0)], settings);
    let parts = ["x = 1\ny = ", "total(x)", "\nz = y\n"];
    let (mut changed, mut lines) = (0, 0);
    for id in 0..100 {
        let row = row(&id.to_string(), parts, None);
        let [found, next] = [0, 1].map(|epoch| example(&renderer, &row, epoch));
        let tokenizer = renderer.tokenizer();
        let chosen = tokenizer.decode(&found.chosen);
        let chosen = chosen.strip_suffix("<|endoftext|>").unwrap();
        let prompt = tokenizer.decode(&found.prompt);
        let (_, around) = prompt.split_once("<|fim_prefix|>").unwrap();
        let (prefix, suffix) = around.split_once("<|fim_suffix|>").unwrap();
        let suffix = suffix.strip_suffix("<|fim_middle|>").unwrap();
        assert_eq!(format!("{prefix}{chosen}{suffix}"), parts.concat());
        changed += usize::from(next != found);
        lines += usize::from(prefix.ends_with('\n') && chosen.ends_with('\n'));
    }
    assert!(changed > 60, "{changed}");
    assert!((15..80).contains(&lines), "{lines}");
}
