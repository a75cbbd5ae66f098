//! Characters that no editor shows as what they are.

use super::{Change, Scene};

/// Cuts at the first character that cannot be seen for what it is: what the tokenizer could not
/// decode, control characters, and marks that change the order in which a line is read, so that
/// code looks like other code than it is.
pub fn unprintable(text: &str, _: &Scene<'_>) -> Change {
    Change::cut(text.find(is_unprintable))
}

fn is_unprintable(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' => false,
        char::REPLACEMENT_CHARACTER => true,
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => true,
        other => other.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, check};
    use super::*;

    #[test]
    fn what_cannot_be_seen_ends_the_text() {
        check(
            unprintable,
            &[
                Case::new("|", "let a = \"\u{FFFD}\u{FFFD}\";", "let a = \""),
                Case::new("|", "a(1);\n\0b(2);", "a(1);\n"),
                Case::new("|", "a\u{7}b", "a"),
                Case::new("|", "a\u{1b}[31mb", "a"),
                Case::new("|", "a\u{7f}b", "a"),
                Case::new("|", "a\u{85}b", "a"),
                Case::new("|", "ok /*\u{202E} } \u{2066}if x\u{2069} */", "ok /*"),
                Case::new("|", "x\u{202A}y", "x"),
                Case::new("|", "x\u{2069}y", "x"),
                Case::new("|", "\u{FFFD}x", ""),
                Case::same("|", "\tif x {\r\n\t\ty();\n\t}"),
                Case::same("|", "name = \"héllo 世界 😀\";"),
                // Joiners and direction marks stand in real text.
                Case::same("|", "\"\u{200E}👩\u{200D}💻\u{2065}\""),
            ],
        );
    }
}
