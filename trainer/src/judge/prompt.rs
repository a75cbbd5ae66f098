//! The judges' prompts: data files, compiled in or from a folder of the user's.

use std::path::Path;

use anyhow::Result;

use crate::prompt::Prompt;

/// What judges are asked with.
#[derive(Clone, Debug)]
pub struct Prompts {
    /// One completion, correct or not.
    pub blind: Prompt,
    /// Two completions, one of them preferred.
    pub preference: Prompt,
}

impl Prompts {
    /// The prompts in `folder`, or those that are compiled in.
    ///
    /// # Errors
    /// Where a file is no prompt.
    pub fn load(folder: Option<&Path>) -> Result<Self> {
        let blind = include_str!("../../../prompts/judge/blind.toml");
        let preference = include_str!("../../../prompts/judge/preference.toml");
        let places = ["prefix", "candidate", "suffix"];
        let of_two = ["prefix", "first", "second", "suffix"];
        Ok(Self {
            blind: Prompt::load(folder, "judge/blind", blind, &places)?,
            preference: Prompt::load(folder, "judge/preference", preference, &of_two)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The snapshots hold the texts to their versions: a change to a text needs a new version.
    #[test]
    fn prompts_are_as_their_version_says() {
        let Prompts { blind, preference } = Prompts::load(None).expect("compiled in");
        let values = [
            ("prefix", "a\n"),
            ("candidate", "{{suffix}}"),
            ("suffix", "\nz"),
        ];
        let shown = |prompt: &Prompt, values: &[(&str, &str)]| {
            let user = prompt.render(values);
            format!("{}\n---\n{}\n---\n{user}", prompt.version, prompt.system)
        };
        insta::assert_snapshot!("judge_blind_1", shown(&blind, &values));
        let values = [
            ("prefix", "a"),
            ("first", "1"),
            ("second", "2"),
            ("suffix", "z"),
        ];
        insta::assert_snapshot!("judge_preference_1", shown(&preference, &values));
    }
}
