//! Text that others wrote, made fit for a page: nothing in it acts, and what cannot be seen is shown.

use crate::hidden::is_hidden;

/// Lines of a text that are shown at most.
const LINES: usize = 60;
/// Characters.
const CHARACTERS: usize = 6000;

/// The text with marks in place of what has no picture (control characters, and those that turn the order
/// of others around), and its end left out where it is long.
#[must_use]
pub fn shown(text: &str) -> String {
    let (head, left) = kept(text.chars());
    let mut out = visible(head.into_iter());
    if left > 0 {
        out.push_str(&format!("\n… {left} more characters"));
    }
    out
}

/// The same of what stands before a hole: its beginning is left out.
#[must_use]
pub fn shown_before(text: &str) -> String {
    let (tail, left) = kept(text.chars().rev());
    let tail = visible(tail.into_iter().rev());
    match left {
        0 => tail,
        // What is left may begin with the end of the line before it.
        left => {
            let tail = tail.strip_prefix('\n').unwrap_or(&tail);
            format!("… {left} more characters\n{tail}")
        }
    }
}

/// As many as are shown, and how many are not.
fn kept(characters: impl Iterator<Item = char>) -> (Vec<char>, usize) {
    let mut characters = characters.peekable();
    let (mut out, mut lines) = (Vec::new(), 0);
    while out.len() < CHARACTERS && lines < LINES {
        let Some(character) = characters.next() else {
            break;
        };
        lines += usize::from(character == '\n');
        out.push(character);
    }
    (out, characters.count())
}

fn visible(characters: impl Iterator<Item = char>) -> String {
    let mut out = String::new();
    characters.for_each(|character| push(&mut out, character));
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
        character if is_hidden(character) => {
            out.push_str(&format!("⟨U+{:04X}⟩", u32::from(character)))
        }
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
            // Addresses are links by themselves: `www.`, and what has an `@` or, below, a `://` in it. What has
            // an `@` is looked for after references were resolved, so something has to stand before it.
            '.' if ends_with_www(&out) => out.push_str("&#46;"),
            '@' if before_a_domain(characters.clone()) => out.push_str("<!-- -->@"),
            ']' if matches!(characters.peek(), Some('(' | '[' | ':')) => out.push_str("\\]"),
            '\\' | '`' | '*' | '_' | '|' | '~' | '$' | '#' => {
                out.push('\\');
                out.push(character);
            }
            character => push(&mut out, character),
        }
        before = character;
    }
    out.replace("://", ":&#47;&#47;")
}

fn before_a_domain(behind: impl Iterator<Item = char>) -> bool {
    let word = behind.take_while(|it| it.is_alphanumeric() || "-_.".contains(*it));
    let word: String = word.collect();
    word.trim_end_matches('.').contains('.')
}

fn ends_with_www(text: &str) -> bool {
    let end = text.as_bytes().last_chunk::<3>();
    end.is_some_and(|end| end.eq_ignore_ascii_case(b"www"))
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
    fn what_is_nearest_to_the_hole_is_kept() {
        assert_eq!(shown_before("a\u{1b}b\n"), "a␛b\n");
        let line = format!("{}near = ", "x".repeat(9000));
        let found = shown_before(&line);
        assert!(found.starts_with("… 3007 more characters\nx"), "{found}");
        assert!(found.ends_with("near = "), "{found}");
        assert!(shown(&line).ends_with("… 3007 more characters"));
        let lines = shown_before(&"x\n".repeat(100));
        assert!(lines.starts_with("… 81 more characters\nx"), "{lines}");
    }

    #[test]
    fn markdown_has_no_links() {
        assert_eq!(
            markdown("www.a.org WWW.b c@d.org ftp://e awww.f pass@1."),
            "www&#46;a.org WWW&#46;b c<!-- -->@d.org ftp:&#47;&#47;e awww&#46;f pass@1."
        );
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
