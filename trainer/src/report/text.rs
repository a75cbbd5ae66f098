//! Text that others wrote, made fit for a page: nothing in it acts, and what cannot be seen is shown.

/// Lines of a text that are shown at most.
const LINES: usize = 60;
/// Characters.
const CHARACTERS: usize = 6000;

/// The text with marks in place of what has no picture (control characters, and those that turn the order
/// of others around), and its end left out where it is long.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut out = String::new();
    let mut lines = 0;
    for (at, character) in text.chars().enumerate() {
        if at == CHARACTERS || lines == LINES {
            let left = text.chars().count() - at;
            out.push_str(&format!("\n… {left} more characters"));
            break;
        }
        lines += usize::from(character == '\n');
        push(&mut out, character);
    }
    out
}

fn push(out: &mut String, character: char) {
    match character {
        '\n' | '\t' => out.push(character),
        '\0'..='\x1f' => {
            let picture = char::from_u32(0x2400 + u32::from(character));
            out.push(picture.unwrap_or('\u{fffd}'));
        }
        '\x7f' => out.push('␡'),
        '\u{80}'..='\u{9f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fffe}'
        | '\u{ffff}' => out.push_str(&format!("⟨U+{:04X}⟩", u32::from(character))),
        character => out.push(character),
    }
}

/// Text in a line or a table's cell of Markdown: none of it is markup.
#[must_use]
pub fn markdown(text: &str) -> String {
    let mut out = String::new();
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let inside = before.is_alphanumeric()
            && characters
                .peek()
                .is_some_and(|after| after.is_alphanumeric());
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' | '\r' | '\t' => out.push(' '),
            '_' if inside => out.push('_'),
            // A link is `](`; brackets alone, as intervals have them, are none without a definition.
            ']' if matches!(characters.peek(), Some('(' | '[' | ':')) => out.push_str("\\]"),
            '\\' | '`' | '*' | '_' | '|' | '~' | '$' | '#' => {
                out.push('\\');
                out.push(character);
            }
            character => push(&mut out, character),
        }
        before = character;
    }
    // A link is made of an address by itself.
    out.replace("://", ":&#47;&#47;")
}

/// A block of code in Markdown, between fences that are longer than any in it.
#[must_use]
pub fn fenced(text: &str, kind: &str) -> String {
    let runs = text.split(|character| character != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or(0).max(2) + 1);
    let end = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    format!("{fence}{kind}\n{text}{end}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_picture_gets_one() {
        assert_eq!(shown("a\u{1b}[1m\r\n\tb\u{202e}\0"), "a␛[1m␍\n\tb⟨U+202E⟩␀");
        let long = shown(&"x\n".repeat(1000));
        assert!(long.ends_with("… 1880 more characters"), "{long}");
    }

    #[test]
    fn markdown_has_no_markup() {
        assert_eq!(
            markdown("</script>|*a* `b` snake_case _c_ [x](http://y)\n# h"),
            "&lt;/script&gt;\\|\\*a\\* \\`b\\` snake_case \\_c\\_ [x\\](http:&#47;&#47;y) \\# h"
        );
    }

    #[test]
    fn a_fence_is_longer_than_those_within() {
        assert_eq!(fenced("a", ""), "```\na\n```");
        assert_eq!(fenced("````\n", "diff"), "`````diff\n````\n`````");
    }
}
