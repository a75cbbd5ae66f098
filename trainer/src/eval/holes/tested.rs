//! Which code is a test itself: a hole in a test weakens the test.

use std::sync::LazyLock;

use regex::Regex;

/// Words in names of tests' folders and files.
const WORDS: [&str; 14] = [
    "conftest",
    "e2e",
    "fixture",
    "fixtures",
    "mock",
    "mocks",
    "spec",
    "specs",
    "test",
    "testdata",
    "testing",
    "tests",
    "unittest",
    "unittests",
];

/// A part of the path says so: `tests/a.py`, `test_a.py`, `a.test.ts`, `ATest.java`, `A.Tests/a.cs`.
pub(super) fn is_test(path: &str) -> bool {
    words(path).any(|word| WORDS.contains(&&*word))
}

/// Words, parted by signs and by capitals: `HTTPTest` has two.
fn words(path: &str) -> impl Iterator<Item = String> {
    let parts = path.split(|c: char| !c.is_alphanumeric());
    parts.flat_map(|part| {
        let mut words = vec![String::new()];
        let mut before = None;
        let mut rest = part.chars().peekable();
        while let Some(c) = rest.next() {
            let begins = before.is_some_and(char::is_lowercase)
                || rest.peek().is_some_and(|next| next.is_lowercase());
            if c.is_uppercase() && begins {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut() {
                word.extend(c.to_lowercase());
            }
            before = Some(c);
        }
        words
    })
}

/// Where the tests begin that a file of Rust has in it. They stand at its end; what follows them is taken
/// for a part of them.
pub(super) fn inline_tests(text: &str) -> Option<usize> {
    static MODULE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?m)^[ \t]*#\[cfg\((?:all\()?test\b[^\]]*\]\s*(?:#\[[^\]]*\]\s*)*(?:pub[^\n{;]*)?mod\s+\w+\s*\{")
            .ok()
    });
    Some(MODULE.as_ref()?.find(text)?.start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_tests() {
        for path in [
            "tests/a.py",
            "pkg/test_a.py",
            "pkg/conftest.py",
            "src/a.test.ts",
            "src/__tests__/a.js",
            "a/src/test/java/A.java",
            "a/ATest.java",
            "A.Tests/a.cs",
            "UnitTests/a.cs",
            "spec/a_spec.rb",
            "a_test.go",
        ] {
            assert!(is_test(path), "{path}");
        }
        for path in [
            "src/contest.py",
            "latest/a.py",
            "src/attestation.rs",
            "src/Special.java",
        ] {
            assert!(!is_test(path), "{path}");
        }
    }

    #[test]
    fn tests_in_a_file_of_rust_are_found() {
        let code = "fn a() {}\n\n";
        for module in [
            "#[cfg(test)]\nmod tests {\n",
            "#[cfg(all(test, unix))]\nmod tests {\n",
            "#[cfg(test)]\n#[allow(clippy::all)]\npub(crate) mod checks {\n",
        ] {
            let text = format!("{code}{module}}}\n");
            assert_eq!(inline_tests(&text), Some(code.len()), "{module}");
        }
        for none in [
            "#[cfg(test)]\nmod tests;\nfn b() {}\n",
            "#[cfg(test)]\nuse a::B;\nmod c {}\n",
        ] {
            assert_eq!(inline_tests(none), None, "{none}");
        }
    }
}
