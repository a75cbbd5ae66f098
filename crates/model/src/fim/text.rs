//! Prompts as text, for servers that tokenise themselves.

use super::FimError;
use super::format::{FimFormat, Item, Layout, Lead, Slot};

/// Stop texts that a request may have: more are refused by some servers, TGI's default among them.
const MAX_STOPS: usize = 4;

impl FimFormat {
    /// The prompt with its sentinels spelled out, for a server that parses them. The whole of both
    /// texts is rendered: whoever calls has cut them. Begin tokens are left to the server.
    ///
    /// # Errors
    /// [`FimError::SentinelInText`] where the code spells a sentinel or an end token itself: the
    /// server could not tell the two apart.
    pub fn render_text(&self, prefix: &str, suffix: &str) -> Result<String, FimError> {
        for spelled in self.control_texts() {
            if prefix.contains(spelled) || suffix.contains(spelled) {
                return Err(FimError::SentinelInText {
                    sentinel: spelled.to_owned(),
                });
            }
        }
        let line = prefix.rfind('\n').map_or(0, |at| at + 1);
        let mut text = String::with_capacity(prefix.len() + suffix.len() + 64);
        let mut space = false;
        for item in self.items(self.text_layout()) {
            match item {
                // SentencePiece writes a space as U+2581, and puts one before the whole itself.
                Item::Token(token) if text.is_empty() => text.push_str(spelling(token)),
                Item::Token(token) => match token.strip_prefix('\u{2581}') {
                    Some(rest) => text.extend([" ", rest]),
                    None => text.push_str(token),
                },
                Item::Slot { slot, lead } => {
                    space |= *lead == Lead::Space;
                    let part = match slot {
                        // The space goes to the text that follows.
                        Slot::Context | Slot::File => continue,
                        Slot::Prefix => prefix,
                        Slot::Head => &prefix[..line],
                        Slot::Line => &prefix[line..],
                        Slot::Suffix => suffix,
                    };
                    if std::mem::take(&mut space) && !part.is_empty() {
                        text.push(' ');
                    }
                    text.push_str(part);
                }
                Item::Bos | Item::Text(_) => {}
            }
        }
        Ok(text)
    }

    /// Texts at which a server ends a completion: it knows its model's own end token, but not
    /// what else says that the middle is over, such as the beginning of another file. At most
    /// four, the most telling first.
    pub fn stop_texts(&self) -> Vec<String> {
        let mut texts: Vec<String> = Vec::new();
        for text in self.control_texts().map(str::to_owned) {
            if texts.len() < MAX_STOPS && !texts.contains(&text) {
                texts.push(text);
            }
        }
        texts
    }

    /// What a tokenizer takes for control tokens where it stands in text: sentinels, and what begins
    /// and ends a text.
    pub fn control_texts(&self) -> impl Iterator<Item = &str> {
        let ends = self.end.iter().map(String::as_str);
        let stops = self.stop.iter().chain(&self.begin).map(String::as_str);
        ends.chain(self.context_sentinels())
            .chain(stops)
            .chain(self.sentinels())
            .map(spelling)
    }

    /// The plainest order that the format was trained on.
    fn text_layout(&self) -> Layout {
        let knows = |layout: &Layout| self.layouts.contains_key(layout);
        [Layout::Psm, self.layout]
            .into_iter()
            .find(knows)
            .unwrap_or(self.layout)
    }

    fn items(&self, layout: Layout) -> &[Item] {
        self.layouts.get(&layout).map_or(&[], Vec::as_slice)
    }
}

/// A token as it stands in text.
fn spelling(token: &str) -> &str {
    token.trim_start_matches('\u{2581}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_spelled_in_each_models_order() {
        let cases = [
            (
                "qwen2.5-coder",
                "<|fim_prefix|>a\nb<|fim_suffix|>c<|fim_middle|>",
            ),
            ("starcoder2", "<fim_prefix>a\nb<fim_suffix>c<fim_middle>"),
            ("codellama-spm", "<PRE> a\nb <SUF>c <MID>"),
            ("codestral", "[SUFFIX]c[PREFIX]a\nb"),
            (
                "deepseek-coder",
                "<｜fim▁begin｜>a\nb<｜fim▁hole｜>c<｜fim▁end｜>",
            ),
            ("causal", "a\nb"),
        ];
        for (name, expected) in cases {
            let format = FimFormat::builtin(name).expect(name);
            assert_eq!(
                format.render_text("a\nb", "c").expect(name),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn no_space_stands_before_nothing() {
        let format = FimFormat::builtin("codellama-spm").expect("known");
        let text = format.render_text("", "c").expect("renders");
        assert_eq!(text, "<PRE> <SUF>c <MID>");
    }

    #[test]
    fn code_that_spells_a_control_token_is_refused() {
        let cases = [
            ("starcoder2", "x = '<fim_middle>'", "<fim_middle>"),
            ("qwen2.5-coder", "END = '<|endoftext|>'", "<|endoftext|>"),
            ("qwen2.5-coder", "<|im_end|>", "<|im_end|>"),
            ("codellama-psm", "<s>old</s>", "</s>"),
            ("codellama-psm", "a <PRE> b", "<PRE>"),
        ];
        for (name, code, sentinel) in cases {
            let format = FimFormat::builtin(name).expect("known");
            for (prefix, suffix) in [(code, ""), ("", code)] {
                let error = format.render_text(prefix, suffix).expect_err("ambiguous");
                assert!(error.to_string().contains(sentinel), "{name}: {error}");
            }
        }
    }

    #[test]
    fn completions_stop_at_the_next_file() {
        let cases = [
            (
                "qwen2.5-coder",
                "<|endoftext|> <|repo_name|> <|file_sep|> <|im_end|>",
            ),
            (
                "starcoder2",
                "<|endoftext|> <repo_name> <file_sep> <fim_pad>",
            ),
            ("codellama-spm", "<EOT> </s> <s> <PRE>"),
            ("codegemma", "<|file_separator|> <eos> <bos> <|fim_prefix|>"),
        ];
        for (name, expected) in cases {
            let format = FimFormat::builtin(name).expect("known");
            assert_eq!(format.stop_texts().join(" "), expected, "{name}");
        }
    }
}
