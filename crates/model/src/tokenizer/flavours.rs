//! What a GGUF file's `tokenizer.ggml.pre` stands for: the split rules of the original
//! `tokenizer.json` files.

use super::error::TokenizerError;
use super::split::{GPT2, SplitRule};
use crate::weights::shown;

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
const CJK: &str = "[\u{4e00}-\u{9fa5}\u{800}-\u{4e00}\u{ac00}-\u{d7ff}]+";
/// Cased letters as DeepSeek LLM lists them, by code point: many have a twin that looks the same.
const DEEPSEEK_LETTERS: &str = concat!(
    r"\s?[A-Za-z\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293}",
    r"\x{295}-\x{2AF}\x{370}-\x{373}\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386}\x{388}-\x{38A}",
    r"\x{38C}\x{38E}-\x{3A1}\x{3A3}-\x{3F5}\x{3F7}-\x{481}\x{48A}-\x{52F}\x{531}-\x{556}",
    r"\x{10A0}-\x{10C5}\x{13A0}-\x{13F5}\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA}\x{1CBD}-\x{1CBF}",
    r"\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A}\x{1E00}-\x{1F15}\x{1F18}-\x{1F1D}",
    r"\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D}\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D}",
    r"\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4}\x{1FB6}-\x{1FBC}\x{1FBE}\x{1FC2}-\x{1FC4}",
    r"\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4}",
    r"\x{1FF6}-\x{1FFC}\x{2102}\x{2107}\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124}",
    r"\x{2126}\x{2128}\x{212A}-\x{212D}\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F}",
    r"\x{2145}-\x{2149}\x{214E}\x{2183}\x{2184}\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4}",
    r"\x{2CEB}-\x{2CEE}\x{2CF2}\x{2CF3}\x{A640}-\x{A66D}\x{A680}-\x{A69B}\x{A722}-\x{A76F}",
    r"\x{A771}-\x{A787}\x{A78B}-\x{A78E}\x{AB70}-\x{ABBF}\x{FB00}-\x{FB06}\x{FB13}-\x{FB17}",
    r"\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}\x{10400}-\x{1044F}\x{104B0}-\x{104D3}",
    r"\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF}",
    r"\x{1E900}-\x{1E943}]+",
);
const DEEPSEEK_SIGNS: &str =
    r"\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+";

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
        &["llama-bpe", "llama3", "llama-v3", "falcon3"],
        Family::Llama3,
    ),
    (&["dbrx", "smaug-bpe"], Family::Dbrx),
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
    /// Llama 3's pieces, which are merged from their parts whether they are tokens or not.
    Dbrx,
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
            found: shown(pre),
            known: known(),
        });
    };
    Ok((
        rules(family),
        matches!(family, Family::Llama3 | Family::Tekken),
    ))
}

/// The name by which llama.cpp calls these rules too; none where it has no such tokenizer.
pub(super) fn name_of(wanted: &[SplitRule], ignore_merges: bool) -> Option<&'static str> {
    let known = [
        "qwen2",
        "starcoder",
        "llama-bpe",
        "gpt-2",
        "dbrx",
        "seed-coder",
        "tekken",
        "gpt-4o",
        "deepseek-coder",
        "deepseek-llm",
        "falcon",
        "default",
    ];
    known.into_iter().find(|name| {
        flavour(name).is_ok_and(|(rules, ignored)| rules == wanted && ignored == ignore_merges)
    })
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
        Family::Llama3 | Family::Dbrx => vec![regex(LLAMA3)],
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
    fn whole_pieces_skip_the_merges_where_the_converters_say_so() {
        let skips = |pre: &str| flavour(pre).unwrap().1;
        for pre in ["llama-bpe", "falcon3", "tekken"] {
            assert!(skips(pre), "{pre}");
        }
        for pre in ["dbrx", "smaug-bpe", "qwen2", "smollm", "gpt-4o"] {
            assert!(!skips(pre), "{pre}");
        }
    }

    #[test]
    fn unknown_flavour_names_the_known_ones() {
        let error = flavour("gpt-9").unwrap_err().to_string();
        assert!(error.contains("`gpt-9`") && error.contains("smollm") && error.contains("qwen2"));
    }
}
