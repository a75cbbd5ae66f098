//! A hole in a real file.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
pub use truefill_syntax::HoleKind;
use truefill_syntax::Language;

/// A row of `contexts`: a file, or a window of one, with a hole in it.
///
/// `prefix + golden + suffix` is the window, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// Made of the file's hash and the hole's place: the same hole has the same id in every run.
    pub id: String,
    /// The file's language.
    pub language: Language,
    /// Where the file comes from, as a person would name it.
    pub repo: String,
    /// SPDX identifier of the licence that the file is under.
    pub license: String,
    /// The file's path in `repo`, with forward slashes.
    pub path: String,
    /// What the hole takes out.
    pub hole_kind: HoleKind,
    /// The window before the hole.
    pub prefix: String,
    /// What the file has in the hole.
    pub golden: String,
    /// The window after the hole.
    pub suffix: String,
    /// Where the hole lies in the file.
    #[serde(flatten)]
    pub span: Span,
}

/// A hole's place in its file, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// SHA-256 of the whole file, in hex.
    pub file_sha256: String,
    /// Where the window starts.
    pub window_start: usize,
    /// Where the hole starts.
    pub hole_start: usize,
    /// Where the hole ends.
    pub hole_end: usize,
}

impl Span {
    /// The id of the hole in its file.
    pub fn id(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.file_sha256.as_bytes());
        for place in [self.hole_start, self.hole_end] {
            hasher.update((place as u64).to_le_bytes());
        }
        hex::encode(&hasher.finalize()[..12])
    }

    /// The prefix, the golden completion and the suffix in the window `window` of `file`; `None`
    /// where the places are not in the file, not in order, or not at characters.
    pub fn cut<'a>(&self, file: &'a str, window: &Range<usize>) -> Option<[&'a str; 3]> {
        Some([
            file.get(window.start..self.hole_start)?,
            file.get(self.hole_start..self.hole_end)?,
            file.get(self.hole_end..window.end)?,
        ])
    }
}

impl Context {
    /// The row of a hole in a file that the row holds whole.
    pub fn of_file(
        language: Language,
        repo: &str,
        license: &str,
        path: &str,
        [prefix, golden, suffix]: [&str; 3],
    ) -> Self {
        let text = [prefix, golden, suffix].concat();
        let span = Span {
            file_sha256: hex::encode(Sha256::digest(text)),
            window_start: 0,
            hole_start: prefix.len(),
            hole_end: prefix.len() + golden.len(),
        };
        Self {
            id: span.id(),
            language,
            repo: repo.to_owned(),
            license: license.to_owned(),
            path: path.to_owned(),
            hole_kind: HoleKind::CallSite,
            prefix: prefix.to_owned(),
            golden: golden.to_owned(),
            suffix: suffix.to_owned(),
            span,
        }
    }

    /// The window: the file as far as the row holds it.
    pub fn window(&self) -> String {
        [&*self.prefix, &self.golden, &self.suffix].concat()
    }

    /// Whether the window is the whole file.
    pub fn holds_file(&self) -> bool {
        let mut hasher = Sha256::new();
        for part in [&self.prefix, &self.golden, &self.suffix] {
            hasher.update(part);
        }
        self.span.window_start == 0 && hex::encode(hasher.finalize()) == self.span.file_sha256
    }

    /// Says what does not fit together in the row, if something does not.
    ///
    /// # Errors
    /// A sentence with what was expected and found.
    pub fn check(&self) -> Result<(), String> {
        let expected = self.span.window_start + self.prefix.len();
        if expected != self.span.hole_start {
            return Err(format!(
                "expected `hole_start` {expected} (`window_start` and the prefix's bytes), found {}",
                self.span.hole_start
            ));
        }
        let end = self.span.hole_start + self.golden.len();
        if end != self.span.hole_end {
            return Err(format!(
                "expected `hole_end` {end} (`hole_start` and the golden completion's bytes), found {}",
                self.span.hole_end
            ));
        }
        if self.id != self.span.id() {
            return Err(format!(
                "expected `id` `{}` for this file and hole, found `{}`",
                self.span.id(),
                self.id
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context {
        let span = Span {
            file_sha256: "ab".into(),
            window_start: 10,
            hole_start: 14,
            hole_end: 16,
        };
        Context {
            id: span.id(),
            language: Language::Python,
            repo: "r".into(),
            license: "MIT".into(),
            path: "a.py".into(),
            hole_kind: HoleKind::CallSite,
            prefix: "x = ".into(),
            golden: "é".into(),
            suffix: "\n".into(),
            span,
        }
    }

    #[test]
    fn a_row_says_what_does_not_fit() {
        assert_eq!(context().check(), Ok(()));
        let wrong = |change: fn(&mut Context)| {
            let mut context = context();
            change(&mut context);
            context.check().expect_err("refused")
        };
        assert!(wrong(|c| c.prefix.push('y')).contains("hole_start"));
        assert!(wrong(|c| c.golden.push('y')).contains("hole_end"));
        assert!(wrong(|c| c.id.push('y')).contains("`id`"));
    }

    #[test]
    fn a_row_knows_whether_it_holds_its_file() {
        let parts = ["x = ", "é", "\n"];
        let whole = Context::of_file(Language::Python, "r", "MIT", "a.py", parts);
        assert!(whole.holds_file());
        let mut cut = whole.clone();
        cut.suffix.clear();
        assert!(!cut.holds_file());
        let mut behind = whole;
        behind.span.window_start = 1;
        assert!(!behind.holds_file());
    }

    #[test]
    fn a_hole_is_cut_at_characters_only() {
        let file = "0123456789x = é\nrest";
        let span = context().span;
        assert_eq!(span.cut(file, &(10..17)), Some(["x = ", "é", "\n"]));
        assert_eq!(span.cut(file, &(15..17)), None);
        let torn = Span {
            hole_end: 15,
            ..span
        };
        assert_eq!(torn.cut(file, &(10..17)), None);
    }

    #[test]
    fn rows_are_flat_json() {
        let json = serde_json::to_value(context()).expect("JSON");
        assert_eq!(json["window_start"], 10);
        assert_eq!(json["hole_kind"], "call-site");
        assert_eq!(json["language"], "python");
    }
}
