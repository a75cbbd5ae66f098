//! Characters that are not seen, or that change how what is around them is seen.

/// Whether a character of text from elsewhere must not reach a terminal or a page as it is: control
/// characters but for line ends and tabs, those that turn the order of others around, and those of no width.
#[must_use]
pub const fn is_hidden(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' => true,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{feff}' | '\u{fffe}' | '\u{ffff}' => true,
        _ => false,
    }
}
