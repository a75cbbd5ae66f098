//! What a user writes to name a model of the hub.

use std::fmt;
use std::str::FromStr;

use super::HubError;

/// `hf:OWNER/REPO[/FILE][@REVISION]`: a file may lie in folders, a revision is a branch, a tag,
/// or a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubReference {
    /// The account.
    pub owner: String,
    /// The repository.
    pub repo: String,
    /// One file of it.
    pub file: Option<String>,
    /// Not its main branch.
    pub revision: Option<String>,
}

impl HubReference {
    /// `OWNER/REPO`.
    pub fn repository(&self) -> String {
        format!("{}/{}", self.owner, self.repo)
    }

    pub(super) fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or("main")
    }
}

impl FromStr for HubReference {
    type Err = HubError;

    fn from_str(text: &str) -> Result<Self, HubError> {
        let problem = |problem| HubError::Reference {
            found: text.to_owned(),
            problem,
        };
        let rest = text.strip_prefix("hf:").ok_or_else(|| problem(""))?;
        let (path, revision) = match rest.rsplit_once('@') {
            Some((path, revision)) => (path, Some(revision)),
            None => (rest, None),
        };
        let mut parts = path.splitn(3, '/');
        let (Some(owner), Some(repo), file) = (parts.next(), parts.next(), parts.next()) else {
            return Err(problem(""));
        };
        let named = [Some(owner), Some(repo)].into_iter().flatten().all(is_name);
        let inside = [file, revision].into_iter().flatten().all(is_path);
        if !named || !inside {
            return Err(problem(
                ": a part of it is empty or has characters that no name has",
            ));
        }
        Ok(Self {
            owner: owner.to_owned(),
            repo: repo.to_owned(),
            file: file.map(str::to_owned),
            revision: revision.map(str::to_owned),
        })
    }
}

impl fmt::Display for HubReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hf:{}/{}", self.owner, self.repo)?;
        if let Some(file) = &self.file {
            write!(f, "/{file}")?;
        }
        if let Some(revision) = &self.revision {
            write!(f, "@{revision}")?;
        }
        Ok(())
    }
}

fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=96).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with('.')
}

/// A relative path that stays below where it starts.
pub(super) fn is_path(text: &str) -> bool {
    let plain = |c: char| !c.is_control() && !matches!(c, '\\' | ':');
    text.len() <= 512
        && text.chars().all(plain)
        && text.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_and_shown_again() {
        for (text, owner, repo, file, revision) in [
            ("hf:a/b", "a", "b", None, None),
            (
                "hf:Qwen/Qwen2.5-Coder-0.5B@main",
                "Qwen",
                "Qwen2.5-Coder-0.5B",
                None,
                Some("main"),
            ),
            ("hf:a/b/m.gguf", "a", "b", Some("m.gguf"), None),
            (
                "hf:a/b/x/m.gguf@refs/pr/1",
                "a",
                "b",
                Some("x/m.gguf"),
                Some("refs/pr/1"),
            ),
        ] {
            let reference: HubReference = text.parse().unwrap();
            assert_eq!(
                (reference.owner.as_str(), reference.repo.as_str()),
                (owner, repo)
            );
            assert_eq!(
                (reference.file.as_deref(), reference.revision.as_deref()),
                (file, revision)
            );
            assert_eq!(reference.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_reference_is_refused_with_the_form() {
        for text in [
            "",
            "hf:",
            "hf:a",
            "a/b",
            "hf:/b",
            "hf:a/",
            "hf:a/b/",
            "hf:a/b@",
            "hf:a/../b",
            "hf:../b",
            "hf:a/b/../../c",
            "hf:a/b/x//y",
            "hf:a b/c",
            "hf:a/b/c\\d",
            "hf:a/b/c\n",
        ] {
            let error = text.parse::<HubReference>().unwrap_err().to_string();
            assert!(
                error.starts_with("expected `hf:OWNER/REPO[/FILE][@REVISION]`"),
                "{error}"
            );
        }
    }
}
