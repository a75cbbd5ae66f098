//! Long words that are too random to be names.

use super::{Secret, SecretKind};

/// Shortest random word, in bytes; shorter ones cannot be told from names.
const SHORTEST: usize = 20;

/// Shortest hexadecimal secret, in bytes.
const SHORTEST_HEX: usize = 32;

/// Shortest random word and shortest hexadecimal one while they are typed, in bytes.
const SHORTEST_BEGUN: (usize, usize) = (12, 8);

/// The least entropy of a random word's characters, in bits each.
const LEAST_BITS: f64 = 3.5;

/// Words in a line that make a hexadecimal number in it a secret, not a checksum.
const HEX_NAMES: &[&str] = &[
    "key",
    "secret",
    "token",
    "password",
    "passwd",
    "auth",
    "credential",
    "salt",
    "signature",
];

/// The random words found.
pub fn find(text: &str) -> impl Iterator<Item = Secret> {
    words(text)
        .filter(|(start, word)| {
            let bare = word.trim_end_matches('=');
            if is_hex(bare) {
                return bare.len() >= SHORTEST_HEX
                    && entropy(bare) >= 3.0
                    && line_speaks_of_secrets(text, *start);
            }
            // Paths, and names with dashes and underscores, are judged by their longest part.
            bare.split(['_', '-', '/'])
                .any(|part| part.len() >= SHORTEST && is_random(part))
                || (bare.len() >= 2 * SHORTEST && bare.contains(['+', '/']) && is_random(bare))
        })
        .map(|(start, word)| Secret {
            kind: SecretKind::Random,
            range: start..start + word.len(),
        })
}

/// The random word that a line ends in, perhaps half typed.
pub fn begun(line: &str) -> Option<Secret> {
    let word = line.rsplit(|c| !is_part(c) || "_-/".contains(c)).next()?;
    let start = line.len() - word.len();
    let (shortest, hex) = SHORTEST_BEGUN;
    let found = if is_hex(word) {
        word.len() >= hex && line_speaks_of_secrets(line, start)
    } else {
        word.len() >= shortest && is_random(word)
    };
    found.then_some(Secret {
        kind: SecretKind::Random,
        range: start..line.len(),
    })
}

fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_' | '-')
}

fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split(|c| !is_part(c))
        .filter(|word| word.len() >= SHORTEST)
        .map(move |word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
}

fn is_hex(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_hexdigit())
        && word.bytes().any(|b| b.is_ascii_digit())
        && word.bytes().any(|b| b.is_ascii_alphabetic())
}

fn line_speaks_of_secrets(text: &str, at: usize) -> bool {
    let start = text[..at].rfind('\n').map_or(0, |at| at + 1);
    let line = text[start..at].to_lowercase();
    HEX_NAMES.iter().any(|name| line.contains(name))
}

/// Whether digits, small and large letters alternate as they do by chance.
///
/// `getUserAccountV2` changes from small to large at each word; chance changes
/// at almost every second character.
fn is_random(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let small = word.bytes().filter(u8::is_ascii_lowercase).count();
    let large = word.bytes().filter(u8::is_ascii_uppercase).count();
    if digits < 2 || small + large < 4 || entropy(word) < LEAST_BITS {
        return false;
    }
    let class = |b: u8| match b {
        b'0'..=b'9' => 0,
        b'A'..=b'Z' => 1,
        b'a'..=b'z' => 2,
        _ => 3,
    };
    let changes = word
        .as_bytes()
        .windows(2)
        // A large letter before a small one begins a word.
        .filter(|pair| class(pair[0]) != class(pair[1]) && (class(pair[0]), class(pair[1])) != (1, 2))
        .count();
    changes * 4 >= word.len()
}

/// Shannon entropy of a word's bytes, in bits each.
fn entropy(word: &str) -> f64 {
    let mut counts = [0u32; 256];
    word.bytes().for_each(|b| counts[usize::from(b)] += 1);
    let total = word.len() as f64;
    let bits = |&count: &u32| {
        let share = f64::from(count) / total;
        -share * share.log2()
    };
    counts.iter().filter(|&&count| count > 0).map(bits).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_words_and_names() {
        let random = [
            "wJalrXUtnFEMIK7MDENGbPxRfiCYzq8",
            "a8f3kQ09zX7bVn2LmP4w",
            "3kTMd2cXz0B9qLr7YvNh1sWf",
        ];
        let names = [
            "getUserAccountInformationV2Handler",
            "SHA256_DIGEST_LENGTH_IN_BYTES",
            "test_migration_2024_01_15_add_users",
            "org/springframework/boot/Utf8Helper",
            "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
            "abcdefghijklmnopqrstuvwxyz",
            "00000000000000000000000000",
            "convertBase64ToUtf8String",
            "x86_64-unknown-linux-gnu",
        ];
        for word in random {
            assert!(find(word).next().is_some(), "{word}");
        }
        for word in names {
            assert!(find(word).next().is_none(), "{word}");
        }
    }

    #[test]
    fn hexadecimal_needs_a_line_about_secrets() {
        let hex = "9f86d081884c7d659a2feaa0c55ad015";
        assert!(find(&format!("sha256 = {hex}")).next().is_none());
        assert_eq!(
            find(&format!("a\nsigning_key = {hex}"))
                .next()
                .unwrap()
                .range,
            16..48
        );
    }
}
