//! Names as words and a style, so that words of one name can stand in another.

use crate::contract::parts;

/// How the words of a name are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `load_user`
    Snake,
    /// `LOAD_USER`
    Shout,
    /// `loadUser`
    Camel,
    /// `LoadUser`
    Pascal,
    /// `load-user`
    Kebab,
    /// `loaduser`
    Flat,
}

/// A name taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    style: Style,
    /// Underscores in front.
    lead: String,
    /// What stands behind the last word: `!`, `?`, underscores.
    tail: String,
    /// Its words as they are written.
    written: Vec<String>,
    /// Its words in lower case.
    pub words: Vec<String>,
}

impl Name {
    /// Takes a name apart; `None` for one without a letter. One small word shows no style: `lone`
    /// says how the place would join it.
    pub(super) fn parse(name: &str, lone: Style) -> Option<Self> {
        let core = name.trim_start_matches('_');
        let lead = &name[..name.len() - core.len()];
        let head = core.trim_end_matches(|c: char| !c.is_alphanumeric());
        let tail = &core[head.len()..];
        let written: Vec<String> = parts(head).map(str::to_owned).collect();
        let words: Vec<String> = written.iter().map(|word| word.to_lowercase()).collect();
        if !head.chars().any(char::is_alphabetic) {
            return None;
        }
        let lower = head.chars().any(char::is_lowercase);
        let upper = head.chars().any(char::is_uppercase);
        let style = if head.contains('-') {
            Style::Kebab
        } else if !upper {
            match lone {
                _ if head.contains('_') => Style::Snake,
                Style::Pascal => Style::Camel,
                lone => lone,
            }
        } else if !lower {
            // `IO` alone is a word of a name such as `FileIO`.
            let word = lone == Style::Pascal && !head.contains('_') && head.len() < 4;
            if word { Style::Pascal } else { Style::Shout }
        } else if head.contains('_') {
            Style::Snake
        } else if head.starts_with(char::is_uppercase) {
            Style::Pascal
        } else {
            Style::Camel
        };
        Some(Self {
            style,
            lead: lead.to_owned(),
            tail: tail.to_owned(),
            written,
            words,
        })
    }

    /// The name with other words, in its own style; its own words keep their spelling.
    pub(super) fn with(&self, words: &[&str]) -> String {
        let mut joined = self.lead.clone();
        for (at, word) in words.iter().enumerate() {
            match self.style {
                Style::Snake | Style::Shout if at > 0 => joined.push('_'),
                Style::Kebab if at > 0 => joined.push('-'),
                _ => {}
            }
            let own = self.words.iter().position(|own| own == word);
            match own {
                // A camel's first word is spelled otherwise than the others.
                Some(own) if (own == 0) == (at == 0) || self.style != Style::Camel => {
                    joined.push_str(&self.written[own]);
                }
                _ => joined.push_str(&self.spelled(word, at)),
            }
        }
        joined.push_str(&self.tail);
        joined
    }

    fn spelled(&self, word: &str, at: usize) -> String {
        match self.style {
            Style::Snake | Style::Kebab | Style::Flat => word.to_owned(),
            Style::Shout => word.to_uppercase(),
            Style::Camel if at == 0 => word.to_owned(),
            Style::Camel | Style::Pascal => capital(word),
        }
    }
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_style() {
        for (name, expected) in [
            ("load_user", "fetch_row"),
            ("loadUser", "fetchRow"),
            ("LoadUser", "FetchRow"),
            ("LOAD_USER", "FETCH_ROW"),
            ("load-user", "fetch-row"),
            ("_load", "_fetch_row"),
            ("save_all!", "fetch_row!"),
            ("node2_", "fetch_row_"),
        ] {
            let parsed = Name::parse(name, Style::Snake).expect("a name");
            assert_eq!(parsed.with(&["fetch", "row"]), expected, "{name}");
        }
        for (lone, expected) in [
            (Style::Camel, "fetchRow"),
            (Style::Flat, "fetchrow"),
            (Style::Kebab, "fetch-row"),
        ] {
            let parsed = Name::parse("node", lone).expect("a name");
            assert_eq!(parsed.with(&["fetch", "row"]), expected);
        }
        let short = Name::parse("IO", Style::Pascal).expect("a name");
        assert_eq!(short.with(&["net"]), "Net");
        assert_eq!(Name::parse("__", Style::Snake), None);
    }

    /// A changed word is the only change.
    #[test]
    fn words_that_stay_keep_their_spelling() {
        for (name, words, expected) in [
            ("BTreeMap", &["b", "tree", "set"][..], "BTreeSet"),
            ("IThermometer", &["i", "barometer"], "IBarometer"),
            (
                "parseHTTPReply",
                &["parse", "http", "answer"],
                "parseHTTPAnswer",
            ),
            ("userID", &["account", "id"], "accountID"),
        ] {
            let parsed = Name::parse(name, Style::Camel).expect("a name");
            assert_eq!(parsed.with(words), expected, "{name}");
        }
    }
}
