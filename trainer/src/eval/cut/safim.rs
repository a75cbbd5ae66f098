//! SAFIM's post-processing: `truncate_control`, `truncate_api_call` and `truncate_line_until_block`, in
//! the repository's `prompt_utils.py`. For base models it uses one of them for each kind of hole
//! and nothing else; its `extract_code` and `truncate_fewshot` are for chat models.

use std::time::Duration;

use tree_sitter::Tree;
use truefill_syntax::{Language, parse_within};

use crate::eval::text::{lines, lines_with_ends, strip};

/// What one parse may take. The benchmark has no limit; this one keeps a hostile text from holding up
/// an evaluation.
const PARSE_LIMIT: Duration = Duration::from_secs(10);

/// Events that Python's `pass` stands for in a walk: into the statement and its keyword, and out again.
const PASS_EVENTS: usize = 4;

/// A completion of what controls a loop or a branch. Python: the first line that is not blank, without
/// its end. Other languages: up to the bracket that closes one that was opened before the hole.
#[must_use]
pub fn control(language: Language, completion: &str) -> &str {
    if language == Language::Python {
        let mut lines = lines(completion);
        return lines
            .find(|line| !strip(line).is_empty())
            .unwrap_or_default();
    }
    let mut depth = 0_usize;
    for (at, c) in completion.char_indices() {
        match (c, depth) {
            ('(', _) => depth += 1,
            (')', 0) => return &completion[..at],
            (')', _) => depth -= 1,
            _ => {}
        }
    }
    completion
}

/// A completion of a call: up to the first bracket that closes all that were opened, which belongs to it.
#[must_use]
pub fn api_call(completion: &str) -> &str {
    let mut depth = 0_usize;
    for (at, c) in completion.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth <= 1 => return &completion[..=at],
            ')' => depth -= 1,
            _ => {}
        }
    }
    completion
}

/// A completion of a block: its first lines, as many as leave the program around the hole as it is, and
/// none where no number does.
///
/// `prefix` and `suffix` are what stands around the hole of the program that is run (`eval_prompt`), not
/// of the prompt. The program with the hole empty (with `pass` in Python) and the program with the
/// completion are parsed and walked; the completion must add to the first walk in one place and
/// take nothing away. Syntax trees of another release of a grammar may judge otherwise.
///
/// `None` where the program does not parse with the hole empty, where the benchmark's own code stops, or
/// where a text is too long to be parsed.
#[must_use]
pub fn block<'a>(
    language: Language,
    prefix: &str,
    suffix: &str,
    completion: &'a str,
) -> Option<&'a str> {
    let python = language == Language::Python;
    let empty = if python { "pass" } else { "" };
    let empty = format!("{prefix}{empty}{suffix}");
    let tree = parse_within(language, &empty, None, PARSE_LIMIT)?;
    let empty = Walk::of(&tree, &empty);
    let placeholder = if python { PASS_EVENTS } else { 0 };
    let mut kept = completion;
    for line in lines_with_ends(completion).rev() {
        let filled = format!("{prefix}{kept}{suffix}");
        let tree = parse_within(language, &filled, None, PARSE_LIMIT)?;
        let filled = Walk::of(&tree, &filled);
        if filled.errors == 0 {
            if empty.errors > 0 {
                return None;
            }
            if filled.adds_to(&empty, placeholder) {
                return Some(kept);
            }
        }
        kept = &kept[..kept.len() - line.len()];
    }
    Some(kept)
}

/// A program's syntax tree in the order of a walk: each node as it is entered and as it is left.
struct Walk<'t> {
    events: Vec<(bool, &'t str)>,
    /// Nodes of what could not be parsed, a lone `;` aside.
    errors: usize,
}

impl<'t> Walk<'t> {
    fn of(tree: &'t Tree, text: &str) -> Self {
        let mut walk = Self {
            events: Vec::new(),
            errors: 0,
        };
        let mut cursor = tree.walk();
        loop {
            let node = cursor.node();
            walk.events.push((true, node.kind()));
            if node.is_error() {
                walk.errors += usize::from(&text[node.byte_range()] != ";");
            } else if cursor.goto_first_child() {
                continue;
            }
            walk.events.push((false, node.kind()));
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() {
                    return walk;
                }
                walk.events.push((false, cursor.node().kind()));
            }
        }
    }

    /// Whether the other walk, `left_out` events aside, is this one's start and end. Both are counted as
    /// far as they match, so that what was added may not repeat what stands around it.
    fn adds_to(&self, other: &Self, left_out: usize) -> bool {
        if other.events.len() > self.events.len() {
            return false;
        }
        let pairs = self.events.iter().zip(&other.events);
        let start = pairs.take_while(|(a, b)| a == b).count();
        let pairs = self.events.iter().rev().zip(other.events.iter().rev());
        let end = pairs.take_while(|(a, b)| a == b).count();
        start + end + left_out == other.events.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::eval::reference;

    #[derive(Deserialize)]
    struct Row {
        language: Language,
        prefix: String,
        suffix: String,
        completion: String,
        control: String,
        api_call: String,
        block: Option<String>,
    }

    #[test]
    fn completions_end_where_safim_ends_them() {
        let rows: Vec<Row> = reference::rows("safim.jsonl");
        assert!(rows.len() >= 100);
        let (mut lengths, mut otherwise) = (BTreeSet::new(), Vec::new());
        for row in rows {
            let Row {
                language,
                completion,
                ..
            } = &row;
            assert_eq!(
                control(*language, completion),
                row.control,
                "{language} {completion:?}"
            );
            assert_eq!(api_call(completion), row.api_call, "{completion:?}");
            let found = block(*language, &row.prefix, &row.suffix, completion);
            if found != row.block.as_deref() {
                otherwise.push((*language, completion.clone()));
            }
            lengths.insert(found.map(|kept| (kept.is_empty(), kept.len() == completion.len())));
        }
        // The same grammar on another release of the parser, which adds the missing `;` where the dump's
        // reports an error.
        assert_eq!(otherwise, [(Language::CSharp, "no call".to_owned())]);
        // Nothing, a part, the whole and no judgement have all been seen.
        assert!(lengths.len() >= 4, "{lengths:?}");
    }

    #[test]
    fn what_cannot_be_parsed_is_not_judged() {
        assert_eq!(block(Language::Java, &" ".repeat(2 << 20), "", "a"), None);
        assert_eq!(block(Language::Java, "", "", ""), Some(""));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_cut_is_a_start(text in "[a(){};=é\"\r\n ]{0,30}") {
            prop_assert!(text.starts_with(api_call(&text)));
            for language in [Language::Java, Language::Python, Language::Cpp, Language::CSharp] {
                prop_assert!(text.contains(control(language, &text)));
                let kept = block(language, "", "", &text);
                prop_assert!(kept.is_none_or(|kept| text.starts_with(kept)));
            }
        }
    }
}
