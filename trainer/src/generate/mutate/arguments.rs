//! One more argument than the function takes.

use tree_sitter::Node;
use truefill_syntax::{Draw, Language, NameUse};

use super::names::Pool;
use crate::contract::{ARGUMENT_LISTS, Parsed};
use crate::generate::generator::{Proposal, Refusal};
use crate::generate::scene::Scene;
use crate::generate::vocabulary::Words;

/// Names that options have in code of every kind, for files whose own names give none.
const OPTIONS: &[&str] = &[
    "strict_mode",
    "max_depth",
    "include_all",
    "use_cache",
    "batch_limit",
    "retry_count",
    "force_reload",
    "output_format",
];

pub(super) fn propose(scene: &Scene, words: &Words) -> Result<Proposal, Refusal> {
    let golden = &scene.golden;
    let mut draw = scene.draw("parameter");
    let mut lists = lists(golden);
    while !lists.is_empty() {
        let list = lists.swap_remove(draw.below(lists.len()));
        let Some(argument) = argument(golden, words, &mut draw) else {
            continue;
        };
        if let Some((at, text)) = insertion(golden, list, &argument) {
            let hole = &golden.hole;
            let (before, after) = (&golden.text[hole.start..at], &golden.text[at..hole.end]);
            return Ok(Proposal::in_hole([before, &text, after].concat()));
        }
    }
    Err(Refusal::NoSite)
}

/// Lists of arguments that lie in the hole, brackets included; where the hole is the inside of a
/// list, that list.
fn lists(golden: &Parsed) -> Vec<Node<'_>> {
    let hole = &golden.hole;
    let mut found = Vec::new();
    let mut cursor = golden.tree.walk();
    loop {
        let node = cursor.node();
        let touches = node.start_byte() <= hole.end && node.end_byte() >= hole.start;
        if touches && ARGUMENT_LISTS.contains(&node.kind()) && !node.has_error() {
            let inside = node.start_byte() >= hole.start && node.end_byte() <= hole.end;
            let around = node.start_byte() + 1 == hole.start && node.end_byte() == hole.end + 1;
            if inside || around {
                found.push(node);
            }
        }
        if touches && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return found;
            }
        }
    }
}

/// An argument that is new by its keyword, or by its name where calls have none.
fn argument(golden: &Parsed, words: &Words, draw: &mut Draw) -> Option<String> {
    let uses = [NameUse::Keyword, NameUse::Variable];
    let pool = Pool::new(golden, words, &uses);
    let model = style(golden.language, OPTIONS[draw.below(OPTIONS.len())]);
    let name = pool.invent(&model, draw)?;
    let language = golden.language;
    let value = value(language, draw);
    Some(match language {
        Language::Python => format!("{name}={value}"),
        Language::CSharp | Language::Php | Language::Ruby => format!("{name}: {value}"),
        _ => name,
    })
}

/// An option's name as the language writes them.
fn style(language: Language, option: &str) -> String {
    if matches!(
        language,
        Language::Python | Language::Ruby | Language::Rust | Language::Cpp
    ) {
        return option.to_owned();
    }
    let mut name = String::new();
    for (at, word) in option.split('_').enumerate() {
        let (head, tail) = word.split_at(1);
        let head = if at > 0 {
            head.to_uppercase()
        } else {
            head.to_owned()
        };
        name.push_str(&head);
        name.push_str(tail);
    }
    name
}

fn value(language: Language, draw: &mut Draw) -> &'static str {
    let values = match language {
        Language::Python => ["True", "False", "None", "10"],
        Language::Ruby => ["true", "false", "nil", "10"],
        _ => ["true", "false", "null", "10"],
    };
    values[draw.below(values.len())]
}

/// Where the argument goes, and its text with the comma that it needs.
fn insertion(golden: &Parsed, list: Node<'_>, argument: &str) -> Option<(usize, String)> {
    let text = &golden.text;
    let mut cursor = list.walk();
    let arguments: Vec<Node<'_>> = list
        .named_children(&mut cursor)
        .filter(|child| !child.kind().contains("comment"))
        .collect();
    let Some(last) = arguments.last() else {
        let inside = list.start_byte() + 1;
        let bracket = text[list.byte_range()].starts_with('(');
        return bracket.then(|| (inside, argument.to_owned()));
    };
    // What takes the rest stays the last: `**options`, `&block`, `...rest`; so does what a
    // keyword's argument may not follow.
    let tail = arguments.iter().find(|argument| {
        text[argument.byte_range()].starts_with(['*', '&', '.'])
            || argument.kind().contains("block")
            || argument.kind().contains("generator")
    });
    match tail {
        Some(_) if golden.language == Language::Cpp => None,
        Some(rest) => Some((rest.start_byte(), format!("{argument}, "))),
        None => Some((last.end_byte(), format!(", {argument}"))),
    }
}
