//! What every suggestion must be like, whatever its words.

/// A rule: the text before the cursor, the suggestion, the text after the cursor; what is
/// wrong, if something is.
type Rule = fn(&str, &str, &str) -> Option<String>;

const RULES: [Rule; 7] = [
    something_is_there,
    characters_are_whole,
    lines_end_clean,
    one_line_where_text_follows,
    the_suffix_is_not_repeated,
    no_line_comes_three_times,
    indentation_is_the_files_own,
];

/// Everything that is wrong with a suggestion. `in_brackets`: the cursor stands inside
/// brackets that close behind it.
pub fn problems(
    before: &str,
    text: &str,
    after: &str,
    in_brackets: bool,
    sentinels: &[String],
) -> Vec<String> {
    let rules = RULES.iter().filter_map(|rule| rule(before, text, after));
    let leaks = sentinels
        .iter()
        .filter(|sentinel| text.contains(sentinel.as_str()));
    let leaks = leaks.map(|sentinel| format!("`{sentinel}` leaked"));
    let unopened = (in_brackets && closes_unopened(text)).then(|| "a bracket too many".to_owned());
    let found = rules.chain(leaks).chain(unopened);
    found
        .map(|problem| format!("{problem}: {text:?}"))
        .collect()
}

fn something_is_there(_: &str, text: &str, _: &str) -> Option<String> {
    text.trim().is_empty().then(|| "blank".into())
}

fn characters_are_whole(_: &str, text: &str, _: &str) -> Option<String> {
    let strange = text
        .chars()
        .find(|c| *c == '\u{fffd}' || (c.is_control() && !"\n\t".contains(*c)));
    strange.map(|c| format!("{c:?} in it"))
}

fn lines_end_clean(_: &str, text: &str, after: &str) -> Option<String> {
    // White space before what follows on the line may be what was missing.
    let last = text.matches('\n').count();
    let clean = |(index, line): (usize, &str)| {
        line == line.trim_end() || (index == last && !rest_of_line(after).is_empty())
    };
    let all_clean = text.split('\n').enumerate().all(clean) && !text.ends_with('\n');
    (!all_clean).then(|| "trailing white space".into())
}

fn one_line_where_text_follows(_: &str, text: &str, after: &str) -> Option<String> {
    let follows = rest_of_line(after).contains(char::is_alphanumeric);
    (follows && text.contains('\n')).then(|| "several lines before text".into())
}

fn the_suffix_is_not_repeated(_: &str, text: &str, after: &str) -> Option<String> {
    let rest = rest_of_line(after).trim();
    if !rest.is_empty() && text.trim_end().ends_with(rest) && rest.len() > 2 {
        return Some("the rest of the line comes twice".into());
    }
    let last = text.lines().last()?.trim();
    let next = after
        .lines()
        .skip(1)
        .map(str::trim)
        .find(|line| !line.is_empty())?;
    let telling = last.contains(char::is_alphanumeric) && text.contains('\n');
    (telling && last == next).then(|| "the next line comes twice".into())
}

fn no_line_comes_three_times(_: &str, text: &str, _: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let thrice = lines
        .windows(3)
        .any(|w| w[0].len() > 1 && w[0] == w[1] && w[1] == w[2]);
    thrice.then(|| "a line three times".into())
}

/// Tabs or spaces as the file has them, in its steps.
fn indentation_is_the_files_own(before: &str, text: &str, after: &str) -> Option<String> {
    let unit = unit(before, after);
    let wrong = text.lines().skip(1).map(leading).find(|white| {
        let step = white.len() % unit.len();
        step != 0 || white.chars().any(|c| !unit.contains(c))
    });
    wrong.map(|white| format!("a line begins with {white:?} where the file's step is {unit:?}"))
}

/// The file's step of indentation: a tab, or the spaces of the line that has the fewest.
fn unit<'a>(before: &'a str, after: &'a str) -> &'a str {
    let lines = before.lines().chain(after.lines().skip(1));
    // Comments of several lines begin with ` *`.
    let lines = lines.filter(|line| !line.trim_start().starts_with('*') && !line.trim().is_empty());
    let steps = lines.map(leading).filter(|white| !white.is_empty());
    steps
        .min_by_key(|white| white.len())
        .expect("the file has an indented line")
}

fn leading(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}

fn rest_of_line(after: &str) -> &str {
    after.split('\n').next().unwrap_or_default()
}

/// Whether a text closes a bracket that it did not open; text in quotes does not count.
fn closes_unopened(text: &str) -> bool {
    let (mut depth, mut quote, mut escaped) = (0, None, false);
    for c in text.chars() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth -= 1,
            (None, _) => {}
        }
        if depth < 0 {
            return true;
        }
    }
    false
}

#[test]
fn the_rules_see_what_is_wrong() {
    let sentinels = ["<|end|>".to_owned()];
    let file = "fn f() {\n    if a {\n        b();\n    }\n    ";
    let check = |text: &str, after: &str, in_brackets: bool| {
        problems(file, text, after, in_brackets, &sentinels).join("; ")
    };
    let cases = [
        ("c();", "\n}\n", ""),
        ("if c {\n        d();\n    }", "\n    e();\n}\n", ""),
        (" \n", "\n}\n", "blank"),
        ("c(\u{fffd});", "\n}\n", "in it"),
        ("c(<|end|>);", "\n}\n", "leaked"),
        ("c(); ", "\n}\n", "trailing"),
        ("c();\n", "\n}\n", "trailing"),
        ("c(1,\n        2", " + d);\n}\n", "several lines"),
        ("c(1, 2);", " 2);\n}\n", "rest of the line"),
        ("c();\n    e();", "\n    e();\n}\n", "next line"),
        ("c();\n    c();\n    c();", "\n}\n", "three times"),
        ("if c {\n      d();\n    }", "\n}\n", "begins with"),
        ("if c {\n\td();\n    }", "\n}\n", "begins with"),
    ];
    for (text, after, expected) in cases {
        let found = check(text, after, false);
        let as_expected = if expected.is_empty() {
            found.is_empty()
        } else {
            found.contains(expected)
        };
        assert!(as_expected, "{text:?} before {after:?}: {found}");
    }
    assert_eq!(check("g(\")\")", ")\n}\n", true), "");
    assert!(check("g(1))", ")\n}\n", true).contains("a bracket too many"));
}
