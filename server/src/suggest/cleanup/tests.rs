//! The pipeline as a whole: examples, and what must hold for every input.

use proptest::prelude::*;

use super::*;
use crate::suggest::facts::LanguageFacts;
use crate::suggest::surroundings::Shape;

fn run(language: &str, file: &str, suggestion: &str) -> Outcome {
    let (prefix, suffix) = file.split_once('|').expect("a cursor");
    let facts = LanguageFacts::for_lsp_id(language);
    clean(
        suggestion,
        &Surroundings::new(prefix, suffix, facts, Shape::Block),
    )
}

#[test]
fn reports_which_rules_changed_what() {
    let outcome = run(
        "rust",
        "fn f() {\n    |\n    b(2);\n}\n",
        "    a(1);\r\n    b(2);\r\n}  ",
    );
    let applied = vec![
        RuleName::CarriageReturn,
        RuleName::FirstIndent,
        RuleName::FollowingOverlap,
        RuleName::TrailingSpace,
    ];
    match outcome {
        Outcome::Kept {
            text,
            applied: found,
        } => {
            assert_eq!(text, "a(1);");
            for rule in applied {
                assert!(found.contains(&rule), "{rule:?} in {found:?}");
            }
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn says_why_nothing_is_left() {
    let table = [
        ("python", "x = |\n", "  \n", RuleName::Blank),
        ("python", "x = |\n", "<|endoftext|>", RuleName::SentinelLeak),
        ("python", "x = |\n", " \u{FFFD}y", RuleName::Unprintable),
        (
            "python",
            "|\nreturn x\n",
            "return x",
            RuleName::FollowingOverlap,
        ),
        ("python", "x = |foo(a)\n", "foo(a)", RuleName::LineOverlap),
        ("javascript", "f({|})\n", "})", RuleName::LineOverlap),
        ("python", "push(a)\n|\n", "push(a)", RuleName::AboveRepeated),
        ("python", "|\n", "def", RuleName::KeywordOnly),
    ];
    for (language, file, suggestion, rule) in table {
        match run(language, file, suggestion) {
            Outcome::Dropped(found, sentence) => {
                assert_eq!(found, rule, "{file:?} {suggestion:?}");
                assert!(!sentence.is_empty());
            }
            other => panic!("{file:?} {suggestion:?}: {other:?}"),
        }
    }
}

#[test]
fn good_code_passes_untouched() {
    let table = [
        (
            "rust",
            "fn main() {\n    |\n}\n",
            "let x = vec![1, 2];\n    println!(\"{x:?}\");",
        ),
        (
            "python",
            "def f(a):\n    |\n",
            "if a:\n        return 1\n    return 2",
        ),
        (
            "javascript",
            "app.get('/', (req, res) => {|});\n",
            "\n  res.send('ok');\n",
        ),
        ("go", "if err != nil {\n\t|\n}\n", "return nil, err"),
        (
            "ruby",
            "def f\n  |\nend\n",
            "x.map do |y|\n    y + 1\n  end",
        ),
        ("rust", "let s: &'a str = |;\n", "x.trim()"),
        ("python", "d = {'a': |}\n", "d['b']"),
        ("java", "foo(|);\n", "bar(x), new Baz[] {1}"),
        ("unknown", "|", "hello (world)"),
    ];
    for (language, file, suggestion) in table {
        let expected = Outcome::Kept {
            text: suggestion.to_owned(),
            applied: vec![],
        };
        assert_eq!(run(language, file, suggestion), expected, "{file:?}");
    }
}

/// Texts of the tokens that rules act on, so that rules meet each other often.
fn code() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "a",
        "foo",
        "bar(x)",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'",
        "`",
        "\n",
        "\n\n",
        "\n    ",
        "\n  ",
        "\n\t",
        " ",
        "  ",
        ";",
        ",",
        "return x",
        "end",
        "else:",
        "}\n",
        "//",
        "# ",
        "/*",
        "*/",
        "é",
        "世界",
        "😀",
        "\u{2028}",
        "\u{FFFD}",
        "\r\n",
        "<|end|>",
        "<fim_x>",
        "```\n",
        "abcabcabcabcabcabc",
        "let total = 1;\n",
        "let total = 1;\n",
        "def",
        "break;\n",
        "\\",
        "=",
        "diff --git a b\n",
    ]);
    prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat())
}

fn is_subsequence(part: &str, whole: &str) -> bool {
    let mut chars = whole.chars();
    part.chars().all(|c| chars.any(|d| d == c))
}

/// Whether the last line of the result is the next line again, and says something.
fn repeats_next_line(prefix: &str, text: &str, suffix: &str) -> bool {
    let facts = LanguageFacts::for_lsp_id("rust");
    let around = Surroundings::new(prefix, suffix, facts, Shape::Block);
    let Some(next) = around.next_line() else {
        return false;
    };
    let joined = format!("{prefix}{text}");
    around.rest_of_line().trim().is_empty()
        && (text.contains('\n') || around.on_blank_start())
        && lines::is_substantial(next)
        && lines::same(lines::last(&joined), next)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn deletes_only_and_is_idempotent(
        prefix in code(), text in code(), suffix in code(),
        language in prop::sample::select(vec!["rust", "python", "ruby", "markdown", "x"]),
        truncated: bool, invoked: bool,
    ) {
        let facts = LanguageFacts::for_lsp_id(language);
        let mut around = Surroundings::new(&prefix, &suffix, facts, Shape::Block);
        around.truncated = truncated;
        if invoked {
            around.trigger = crate::suggest::surroundings::Trigger::Invoked;
        }
        if let Outcome::Kept { text: kept, applied } = clean(&text, &around) {
            prop_assert!(!kept.trim().is_empty());
            if !applied.contains(&RuleName::Reindent) {
                prop_assert!(is_subsequence(&kept, &text), "{kept:?} of {text:?}");
            }
            prop_assert!(!repeats_next_line(&prefix, &kept, &suffix), "{kept:?}");
            let again = clean(&kept, &around);
            prop_assert_eq!(again, Outcome::Kept { text: kept, applied: vec![] });
        }
    }
}
