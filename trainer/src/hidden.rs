//! Characters that are not seen, or that change how what is around them is seen.

/// Whether a character of text from elsewhere must not reach a terminal or a page as it is: control
/// characters but for line ends and tabs, those that turn the order of others around, and those that take no
/// room (Unicode's category Cf, but for the signs that some scripts put before numbers).
#[must_use]
pub const fn is_hidden(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' => true,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => true,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}' => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_is_told_from_what_is_not() {
        let hidden =
            "\0\r\u{1b}\u{7f}\u{85}\u{ad}\u{61c}\u{200b}\u{200d}\u{202e}\u{2066}\u{feff}\u{e0041}";
        for character in hidden.chars() {
            assert!(is_hidden(character), "{character:?}");
        }
        for character in "\n\t aé日\u{a0}\u{301}🙂\u{fffd}".chars() {
            assert!(!is_hidden(character), "{character:?}");
        }
    }
}
