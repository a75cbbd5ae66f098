//! The printable alphabet in which byte-level vocabularies write bytes.

use std::sync::LazyLock;

/// Printable Latin-1 characters stand for themselves, all other bytes for U+0100 and up, in order.
static CHARACTERS: LazyLock<[char; 256]> = LazyLock::new(|| {
    let mut next = 0x100;
    std::array::from_fn(|byte| {
        let byte = byte as u8;
        if matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF) {
            return char::from(byte);
        }
        let character = char::from_u32(next).unwrap_or(char::REPLACEMENT_CHARACTER);
        next += 1;
        character
    })
});

/// The character that stands for a byte.
pub(super) fn character(byte: u8) -> char {
    CHARACTERS[usize::from(byte)]
}

/// Appends a text's bytes in the printable alphabet.
pub(super) fn push_printable(text: &str, out: &mut String) {
    out.extend(text.bytes().map(character));
}

/// The bytes that a token in the printable alphabet stands for; `None` where it is not in it.
pub(super) fn parse_printable(token: &str) -> Option<Vec<u8>> {
    token.chars().map(byte).collect()
}

/// The reverse: code points below U+0144 by index.
static BYTES: LazyLock<[Option<u8>; 0x144]> = LazyLock::new(|| {
    let mut bytes = [None; 0x144];
    for byte in 0..=255u8 {
        if let Some(slot) = bytes.get_mut(u32::from(character(byte)) as usize) {
            *slot = Some(byte);
        }
    }
    bytes
});

fn byte(character: char) -> Option<u8> {
    BYTES.get(u32::from(character) as usize).copied().flatten()
}

/// Every byte that valid UTF-8 can hold.
pub(super) fn utf8_bytes() -> impl Iterator<Item = u8> {
    (0x00..=0x7F).chain(0x80..=0xBF).chain(0xC2..=0xF4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alphabet_is_a_bijection() {
        for byte in 0..=255u8 {
            let character = character(byte);
            assert!(
                !character.is_whitespace() && !character.is_control(),
                "{byte}"
            );
            assert_eq!(parse_printable(&character.to_string()), Some(vec![byte]));
        }
        assert_eq!(character(b' '), 'Ġ');
        assert_eq!(character(b'\n'), 'Ċ');
        assert_eq!(parse_printable("a b"), None);
    }
}
