//! What a suggestion must be like, whatever its words.

/// A rule: the text before the cursor, the suggestion, the text after the cursor; what is
/// wrong, if something is.
type Rule = fn(&str, &str, &str) -> Option<String>;

/// What holds for every suggestion.
const RULES: [Rule; 7] = [
    something_is_there,
    characters_are_whole,
    lines_end_clean,
    one_line_where_text_follows,
    the_suffix_is_not_repeated,
    no_line_comes_three_times,
    indented_with_the_files_own,
];

/// What a small model gets wrong now and then, and no rule of the clean-up can mend surely.
const FINER_RULES: [Rule; 4] = [
    begins_at_the_cursor,
    steps_are_the_files_own,
    ends_complete,
    closes_what_it_opens,
];

/// Everything that is wrong with a suggestion.
pub fn problems(before: &str, text: &str, after: &str, sentinels: &[String]) -> Vec<String> {
    let leaks = sentinels
        .iter()
        .filter(|sentinel| text.contains(sentinel.as_str()));
    let leaks = leaks.map(|sentinel| format!("`{sentinel}` leaked"));
    let rules = RULES.iter().filter_map(|rule| rule(before, text, after));
    rules
        .chain(leaks)
        .map(|problem| format!("{problem}: {text:?}"))
        .collect()
}

/// What could be better about a suggestion.
pub fn blemishes(before: &str, text: &str, after: &str) -> Vec<String> {
    let rules = FINER_RULES
        .iter()
        .filter_map(|rule| rule(before, text, after));
    rules
        .map(|blemish| format!("{blemish}: {text:?}"))
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

/// Tabs or spaces as the file has them.
fn indented_with_the_files_own(before: &str, text: &str, after: &str) -> Option<String> {
    let unit = unit(before, after);
    let wrong = |white: &&str| white.chars().any(|c| !unit.contains(c));
    let found = text.lines().skip(1).map(leading).find(wrong);
    found.map(|white| format!("a line begins with {white:?} where the file has {unit:?}"))
}

/// A line break at the cursor of an empty line would leave its white space behind.
fn begins_at_the_cursor(before: &str, text: &str, _: &str) -> Option<String> {
    let line = before.rsplit('\n').next().unwrap_or_default();
    (line.trim().is_empty() && text.starts_with('\n')).then(|| "begins a line below".into())
}

fn steps_are_the_files_own(before: &str, text: &str, after: &str) -> Option<String> {
    let step = unit(before, after).len();
    let odd = text
        .lines()
        .skip(1)
        .map(leading)
        .find(|white| white.len() % step != 0);
    odd.map(|white| {
        format!(
            "a line begins with {} spaces, the file's step is {step}",
            white.len()
        )
    })
}

/// Several lines end in one that says something by itself.
fn ends_complete(_: &str, text: &str, _: &str) -> Option<String> {
    let last = text.lines().last().filter(|_| text.contains('\n'))?.trim();
    let open = last.ends_with(|c: char| "=+-*/%<&|^(.[,!?".contains(c));
    let (round, square) = (net(last, '(', ')'), net(last, '[', ']'));
    (open || round > 0 || square > 0).then(|| "ends within a line".into())
}

/// What the suggestion opens it also closes; it may close what stood open before it.
fn closes_what_it_opens(_: &str, text: &str, _: &str) -> Option<String> {
    let pairs = [('(', ')'), ('[', ']'), ('{', '}')];
    let open = pairs
        .into_iter()
        .find(|(open, close)| net(text, *open, *close) > 0);
    open.map(|(open, _)| format!("`{open}` stays open"))
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

/// How many more of the brackets open than close; what stands in quotes does not count.
fn net(text: &str, open: char, close: char) -> i32 {
    let (mut depth, mut quote, mut escaped) = (0, None, false);
    for c in text.chars() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(mark), _) if mark == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '`') => quote = Some(c),
            (None, _) => depth += i32::from(c == open) - i32::from(c == close),
        }
    }
    depth
}

#[test]
fn the_rules_see_what_is_wrong() {
    let sentinels = ["<|end|>".to_owned()];
    let file = "fn f() {\n    if a {\n        b();\n    }\n    ";
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
        ("if c {\n\td();\n    }", "\n}\n", "begins with"),
        ("\n    c();", "\n}\n", "a line below"),
        ("if c {\n      d();\n    }", "\n}\n", "step is 4"),
        ("c();\n    d(1", "\n}\n", "within a line"),
        ("c();\n    let d =", "\n}\n", "within a line"),
        ("if c {\n        d();", "\n}\n", "`{` stays open"),
        ("c(\")\")", "\n}\n", ""),
    ];
    for (text, after, expected) in cases {
        let mut found = problems(file, text, after, &sentinels);
        found.extend(blemishes(file, text, after));
        let found = found.join("; ");
        let fits = if expected.is_empty() {
            found.is_empty()
        } else {
            found.contains(expected)
        };
        assert!(fits, "{text:?} before {after:?}: {found}");
    }
}
