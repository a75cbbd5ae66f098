//! Tokens that stand for themselves in text, cut out before merges (for example runs of line ends
//! in Gemma's vocabulary).

/// Finds the longest literal at each place, from left to right.
#[derive(Default)]
pub(super) struct Literals {
    /// By text, the longest first.
    tokens: Vec<(String, u32)>,
    /// First bytes that occur.
    first: Vec<u8>,
}

impl Literals {
    pub fn new(tokens: impl IntoIterator<Item = (String, u32)>) -> Self {
        let mut tokens: Vec<_> = tokens
            .into_iter()
            .filter(|(text, _)| !text.is_empty())
            .collect();
        tokens.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        let mut first: Vec<u8> = tokens
            .iter()
            .filter_map(|(text, _)| text.bytes().next())
            .collect();
        first.sort_unstable();
        first.dedup();
        Self { tokens, first }
    }

    /// The first literal in the text: where it begins, how many bytes it has, its id.
    pub fn find(&self, text: &str) -> Option<(usize, usize, u32)> {
        if self.tokens.is_empty() {
            return None;
        }
        let bytes = text.as_bytes();
        let candidates = (0..bytes.len()).filter(|at| self.first.contains(&bytes[*at]));
        for at in candidates {
            let here = self
                .tokens
                .iter()
                .find(|(token, _)| bytes[at..].starts_with(token.as_bytes()));
            if let Some((token, id)) = here {
                return Some((at, token.len(), *id));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_of_the_leftmost_wins() {
        let literals = Literals::new([("\n".into(), 1), ("\n\n".into(), 2), ("<h1>".into(), 3)]);
        assert_eq!(literals.find("a\n\n\n"), Some((1, 2, 2)));
        assert_eq!(literals.find("é<h1>\n"), Some((2, 4, 3)));
        assert_eq!(literals.find("<h2>"), None);
        assert_eq!(Literals::default().find("a"), None);
    }
}
