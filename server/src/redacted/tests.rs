use proptest::prelude::*;

use super::*;

/// The redacted text of a fixture whose cursor is `│`.
fn redacted(fixture: &str, line: CursorLine) -> String {
    let (prefix, suffix) = fixture.split_once('│').unwrap_or((fixture, ""));
    let (before, after) = around((prefix, 0), (suffix, suffix.len()), line);
    format!("{before}│{after}")
}

#[test]
fn the_cursors_line_is_left_alone_on_this_machine() {
    let key = format!("-----BEGIN {} KEY-----", "PRIVATE");
    let row = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDTu";
    let table = [
        (
            "password = \"hunter22\"\nx = │1\ntoken = \"abc123\"\n".to_owned(),
            "password = \"<secret value>\"\nx = │1\ntoken = \"<secret value>\"\n".to_owned(),
        ),
        (
            "password = \"hunter22\"│\n".to_owned(),
            "password = \"hunter22\"│\n".to_owned(),
        ),
        (
            format!("{key}\n{row}\n{row}│\n{row}\nx\n"),
            format!("<private key>\n{row}│\n<private key>\n"),
        ),
        (
            format!("a\n{key}\n{row}\n│"),
            "a\n<private key>\n│".to_owned(),
        ),
        ("x = 1│\n".to_owned(), "x = 1│\n".to_owned()),
    ];
    for (fixture, expected) in table {
        let found = redacted(&fixture, CursorLine::AsItIs);
        assert_eq!(found, expected, "{fixture}");
    }
}

#[test]
fn a_secret_at_the_cursor_is_hidden_from_others() {
    let token = format!("gh{}_a1", "p");
    let table = [
        ("password = \"h│\"\n", "password = \"<secret value>│\"\n"),
        (
            "password = \"h│unter22\"\n",
            "password = \"<secret value>│\"\n",
        ),
        (
            "password = \"hu│nt\"\ny",
            "password = \"<secret value>│\"\ny",
        ),
        ("password = \"│\"\n", "password = \"│\"\n"),
        (
            "password = \"│hunter22\"\n",
            "password = \"│<secret value>\"\n",
        ),
        (
            "PASSWORD=\"hunter22\"; f(│)\n",
            "PASSWORD=\"<secret value>\"; f(│)\n",
        ),
        (
            &format!("x = \"{token}│b2-c\"\n"),
            "x = \"<service token>│\"\n",
        ),
        ("password = get│()\n", "password = get│()\n"),
    ];
    for (fixture, expected) in table {
        let found = redacted(fixture, CursorLine::Hidden { code: true });
        assert_eq!(found, expected, "{fixture}");
    }
    let found = redacted("password: h│\n", CursorLine::Hidden { code: false });
    assert_eq!(found, "password: <secret value>│\n");
}

#[test]
fn a_secret_that_reaches_into_the_part_is_hidden() {
    let (prefix, suffix) = ("password =\n\"hunter22\"\nx = ", "1\ntoken = \"abc123\"\n");
    let line = CursorLine::Hidden { code: true };
    // The first line and the last do not belong to the part.
    let (before, after) = around((prefix, 15), (suffix, 14), line);
    assert_eq!(
        (before.as_str(), after.as_str()),
        ("\"\nx = ", "1\ntoken = \"<secret value>")
    );
}

#[test]
fn what_no_window_reaches_is_not_read() {
    let line = "password = \"hunter22\"\n";
    let (before, after) = near(&line.repeat(1000), &line.repeat(1000), 64, 0.5);
    assert!(before.starts_with(line) && before.ends_with("password = \"<secret value>\"\n"));
    assert!(after.starts_with(line), "the cursor's own line");
    assert!(after[line.len()..].starts_with("password = \"<secret value>\"\n"));
    assert!(after.ends_with(line));
    let (before, after) = near("a\r\u{e9}", "\u{1f600}", 1, 0.1);
    assert_eq!(
        (before.as_str(), after.as_str()),
        ("a\r\u{e9}", "\u{1f600}")
    );
}

/// Lines of code, some with a secret.
fn lines() -> impl Strategy<Value = Vec<String>> {
    let line = prop_oneof![
        "[a-z =(){}\"']{0,24}",
        Just("password = \"hunter22\"".to_owned()),
        Just(format!("-----BEGIN {} KEY-----", "PRIVATE")),
        Just("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDTu".to_owned()),
        Just("url = \"postgres://me:hunter22@db/x\"".to_owned()),
    ];
    proptest::collection::vec(line, 1..8)
}

proptest! {
    /// So the KV cache holds: what stands above the cursor's line does not change with a key.
    #[test]
    fn typing_on_a_line_changes_nothing_above_it(lines in lines(), at in 0usize..40) {
        let text = lines.join("\n");
        let above = text.rfind('\n').map_or(0, |at| at + 1);
        let key = text.floor_char_boundary(above + at);
        let above = |text: &str| {
            let (before, _) = around((text, 0), ("", 0), CursorLine::AsItIs);
            let line = before.rfind('\n').map_or(0, |at| at + 1);
            before[..line].to_owned()
        };
        prop_assert_eq!(above(&text[..key]), above(&text));
    }

    #[test]
    fn the_cursors_own_line_is_the_same_on_this_machine(lines in lines(), at in 0usize..200) {
        let text = lines.join("\n");
        let at = text.floor_char_boundary(at);
        let (before, after) = near(&text[..at], &text[at..], 1024, 0.25);
        let own = cursor_line(&text[..at], &text[at..]);
        prop_assert!(before.ends_with(&text[own.start..at]));
        prop_assert!(after.starts_with(&text[at..own.end]));
    }
}
