//! Names as words and a style, so that words of one name can stand in another.

/// How the words of a name are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// `load_user`
    Snake,
    /// `LOAD_USER`
    Shout,
    /// `loadUser`
    Camel,
    /// `LoadUser`
    Pascal,
}

/// A name taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    style: Style,
    /// Underscores in front.
    lead: String,
    /// What stands behind the last word: `!`, `?`, underscores, digits.
    tail: String,
    /// Its words in lower case.
    pub words: Vec<String>,
}

impl Name {
    /// Takes a name apart; `None` for one without a letter. One small word shows no style: `camel`
    /// says how the language would join it.
    pub(super) fn parse(name: &str, camel: bool) -> Option<Self> {
        let core = name.trim_start_matches('_');
        let lead = &name[..name.len() - core.len()];
        let head = core.trim_end_matches(|c: char| !c.is_alphabetic());
        let tail = &core[head.len()..];
        if head.is_empty() {
            return None;
        }
        let words = crate::contract::words(head);
        let lower = head.chars().any(char::is_lowercase);
        let lone = camel && words.len() == 1 && head.chars().all(|c| !c.is_uppercase());
        let style = if lone {
            Style::Camel
        } else if head.contains('_') || head.chars().all(|c| !c.is_uppercase()) {
            if lower { Style::Snake } else { Style::Shout }
        } else if !lower {
            Style::Shout
        } else if head.starts_with(char::is_uppercase) {
            Style::Pascal
        } else {
            Style::Camel
        };
        Some(Self {
            style,
            lead: lead.to_owned(),
            tail: tail.to_owned(),
            words,
        })
    }

    /// The name with other words, in its own style.
    pub(super) fn with(&self, words: &[&str]) -> String {
        let mut joined = self.lead.clone();
        for (at, word) in words.iter().enumerate() {
            match self.style {
                Style::Snake | Style::Shout if at > 0 => joined.push('_'),
                _ => {}
            }
            match self.style {
                Style::Snake => joined.push_str(word),
                Style::Shout => joined.push_str(&word.to_uppercase()),
                Style::Camel if at == 0 => joined.push_str(word),
                Style::Camel | Style::Pascal => joined.push_str(&capital(word)),
            }
        }
        joined.push_str(&self.tail);
        joined
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
            ("_load", "_fetch_row"),
            ("save_all!", "fetch_row!"),
            ("node2", "fetch_row2"),
        ] {
            let parsed = Name::parse(name, false).expect("a name");
            assert_eq!(parsed.with(&["fetch", "row"]), expected, "{name}");
        }
        let lone = Name::parse("node", true).expect("a name");
        assert_eq!(lone.with(&["fetch", "row"]), "fetchRow");
        assert_eq!(Name::parse("__", false), None);
    }
}
