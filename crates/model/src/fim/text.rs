//! Prompts as text, for servers that tokenise themselves.

use super::FimError;
use super::format::{FimFormat, Item, Layout, Slot};

impl FimFormat {
    /// The prompt with its sentinels spelled out, for a server that parses them. The whole of both
    /// texts is rendered: whoever calls has cut them. Begin tokens are left to the server.
    ///
    /// # Errors
    /// [`FimError::SentinelInText`] where the code spells a sentinel itself: the server could not
    /// tell the two apart.
    pub fn render_text(&self, prefix: &str, suffix: &str) -> Result<String, FimError> {
        for sentinel in self.sentinels() {
            let spelled = sentinel.trim_start_matches('\u{2581}');
            if prefix.contains(spelled) || suffix.contains(spelled) {
                return Err(FimError::SentinelInText {
                    sentinel: sentinel.to_owned(),
                });
            }
        }
        let line = prefix.rfind('\n').map_or(0, |at| at + 1);
        let mut text = String::with_capacity(prefix.len() + suffix.len() + 64);
        let mut space = false;
        for item in self.items(self.text_layout()) {
            match item {
                // SentencePiece writes a space as U+2581, and puts one before the whole itself.
                Item::Token(token) if text.is_empty() => {
                    text.push_str(token.trim_start_matches('\u{2581}'));
                }
                Item::Token(token) => match token.strip_prefix('\u{2581}') {
                    Some(rest) => text.extend([" ", rest]),
                    None => text.push_str(token),
                },
                Item::Slot { slot, lead_space } => {
                    space |= *lead_space;
                    let part = match slot {
                        // The space goes to the text that follows.
                        Slot::Context => continue,
                        Slot::Prefix => prefix,
                        Slot::Head => &prefix[..line],
                        Slot::Line => &prefix[line..],
                        Slot::Suffix => suffix,
                    };
                    if std::mem::take(&mut space) {
                        text.push(' ');
                    }
                    text.push_str(part);
                }
                Item::Bos | Item::Text(_) => {}
            }
        }
        Ok(text)
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
    fn code_that_spells_a_sentinel_is_refused() {
        let format = FimFormat::builtin("starcoder2").expect("known");
        let error = format
            .render_text("x = '<fim_middle>'", "")
            .expect_err("ambiguous");
        assert!(error.to_string().contains("<fim_middle>"), "{error}");
    }
}
