//! What a GGUF file's `tokenizer.ggml.pre` stands for: the split rules of the original
//! `tokenizer.json` files.

use super::error::TokenizerError;
use super::split::{GPT2, SplitRule};

const LLAMA3: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*",
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
);
const QWEN2: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*",
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
);
const SEED_CODER: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+",
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
);
const TEKKEN: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
const GPT4O: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
const CJK: &str = "[一-龥ࠀ-一가-\u{d7ff}]+";
/// Cased letters as DeepSeek LLM lists them.
const DEEPSEEK_LETTERS: &str = concat!(
    r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝ",
    r"Ὗ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ",
    r"𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+"
);
const DEEPSEEK_SIGNS: &str = r"\s?[!-/:-~！-／：-～‘-‟　-。]+";

/// All names, by family.
const FAMILIES: &[(&[&str], Family)] = &[
    (&["default"], Family::Default),
    (
        &["gpt-2", "gpt2", "mpt", "olmo", "phi-2", "jais"],
        Family::Gpt2,
    ),
    (
        &[
            "smollm",
            "starcoder",
            "refact",
            "codeshell",
            "command-r",
            "exaone",
            "mellum2",
        ],
        Family::EachDigit,
    ),
    (
        &[
            "llama-bpe",
            "llama3",
            "llama-v3",
            "dbrx",
            "smaug-bpe",
            "falcon3",
        ],
        Family::Llama3,
    ),
    (&["qwen2", "stablelm2", "deepseek-r1-qwen"], Family::Qwen2),
    (&["seed-coder"], Family::SeedCoder),
    (&["tekken"], Family::Tekken),
    (&["gpt-4o", "llama4"], Family::Gpt4o),
    (&["deepseek-coder"], Family::DeepSeekCoder),
    (&["deepseek-llm"], Family::DeepSeekLlm),
    (&["falcon"], Family::Falcon),
];

#[derive(Clone, Copy)]
enum Family {
    Default,
    Gpt2,
    EachDigit,
    Llama3,
    Qwen2,
    SeedCoder,
    Tekken,
    Gpt4o,
    DeepSeekCoder,
    DeepSeekLlm,
    Falcon,
}

/// The split rules that a name stands for, and whether pieces that are tokens skip the merges.
pub(super) fn flavour(pre: &str) -> Result<(Vec<SplitRule>, bool), TokenizerError> {
    let family = FAMILIES
        .iter()
        .find(|(names, _)| names.contains(&pre))
        .map(|(_, family)| *family);
    let Some(family) = family else {
        return Err(TokenizerError::UnknownPre {
            found: pre.into(),
            known: known(),
        });
    };
    Ok((
        rules(family),
        matches!(family, Family::Llama3 | Family::Tekken),
    ))
}

fn known() -> String {
    let names: Vec<&str> = FAMILIES
        .iter()
        .flat_map(|(names, _)| *names)
        .copied()
        .collect();
    names.join(", ")
}

fn rules(family: Family) -> Vec<SplitRule> {
    let regex = |pattern: &str| SplitRule::Regex(pattern.into());
    match family {
        Family::Gpt2 => vec![regex(GPT2)],
        Family::EachDigit => vec![SplitRule::EachDigit, regex(GPT2)],
        Family::Llama3 => vec![regex(LLAMA3)],
        Family::Qwen2 => vec![regex(QWEN2)],
        Family::SeedCoder => vec![regex(SEED_CODER)],
        Family::Tekken => vec![regex(TEKKEN)],
        Family::Gpt4o => vec![regex(GPT4O)],
        Family::DeepSeekCoder => vec![
            regex(r"[\r\n]"),
            regex(r"\s?\p{L}+"),
            regex(r"\s?\p{P}+"),
            regex(CJK),
            SplitRule::EachDigit,
        ],
        Family::DeepSeekLlm => vec![
            regex(r"[\r\n]"),
            regex(DEEPSEEK_LETTERS),
            regex(DEEPSEEK_SIGNS),
            regex(r"\s+$"),
            regex(CJK),
            SplitRule::DigitRuns,
        ],
        Family::Default => vec![
            regex(r"[\p{P}\$\+<=>\^~\|]+"),
            regex(GPT2),
            SplitRule::DigitRuns,
            regex("[0-9][0-9][0-9]"),
        ],
        Family::Falcon => {
            vec![
                regex(r"[\p{P}\$\+<=>\^~\|`]+"),
                regex(GPT2),
                regex("[0-9][0-9][0-9]"),
            ]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::split::Splitter;
    use super::*;

    fn cut(pre: &str, text: &str) -> String {
        let (rules, _) = flavour(pre).unwrap();
        let mut pieces = Vec::new();
        Splitter::new(&rules)
            .unwrap()
            .split(text, &mut |piece| {
                pieces.push(format!("{piece:?}"));
                Ok(())
            })
            .unwrap();
        pieces.join(" ")
    }

    #[test]
    fn every_flavour_cuts_code_its_own_way() {
        let text = "if (x1234 != self.yMax)\r\n\t\treturn it'S \u{4e2d}文 12345;\n\n  }";
        let mut out = String::new();
        for (names, _) in FAMILIES {
            out.push_str(&format!("{}\n  {}\n", names.join(" "), cut(names[0], text)));
        }
        insta::assert_snapshot!(out);
    }

    #[test]
    fn unknown_flavour_names_the_known_ones() {
        let error = flavour("gpt-9").unwrap_err().to_string();
        assert!(error.contains("`gpt-9`") && error.contains("smollm") && error.contains("qwen2"));
    }
}
