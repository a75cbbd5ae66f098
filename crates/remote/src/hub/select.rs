//! Which files of a repository are the model.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{HubError, HubReference, Listing, RepoFile};

pub(super) const INDEX: &str = "model.safetensors.index.json";
const SINGLE: &str = "model.safetensors";
/// Most files that the weights may be split into.
const SHARDS_LIMIT: usize = 2000;
/// Most names in a message.
const NAMES_SHOWN: usize = 8;

/// Whether the choice depends on the contents of the safetensors' index.
pub(super) fn needs_index(reference: &HubReference, listing: &Listing) -> bool {
    reference.file.is_none() && listing.get(SINGLE).is_none() && listing.get(INDEX).is_some()
}

/// The files of the model, small ones first.
pub(super) fn files(
    reference: &HubReference,
    listing: &Listing,
    index: Option<&[u8]>,
) -> Result<Vec<RepoFile>, HubError> {
    let problem = |problem| HubError::Contents {
        reference: reference.to_string(),
        problem,
    };
    if let Some(name) = &reference.file {
        return named(listing, name).map(|file| vec![file]).map_err(problem);
    }
    let weights = match index {
        Some(bytes) => {
            let mut weights = vec![INDEX.to_owned()];
            weights.extend(shards(bytes).map_err(problem)?);
            weights
        }
        None if listing.get(SINGLE).is_some() => vec![SINGLE.to_owned()],
        None => return only_gguf(listing).map(|file| vec![file]).map_err(problem),
    };
    let mut names = vec!["config.json".to_owned(), "tokenizer.json".to_owned()];
    names.extend(weights);
    names
        .iter()
        .map(|name| present(listing, name).map_err(problem))
        .collect()
}

fn present(listing: &Listing, name: &str) -> Result<RepoFile, String> {
    listing
        .get(name)
        .cloned()
        .ok_or_else(|| format!("expected `{name}` beside the weights, found none"))
}

fn named(listing: &Listing, name: &str) -> Result<RepoFile, String> {
    if !name.ends_with(".gguf") {
        return Err(format!(
            "expected a .gguf file, found `{name}`; name the repository alone to get its \
             safetensors"
        ));
    }
    let file = listing.get(name).cloned();
    file.ok_or_else(|| format!("expected `{name}`, found {}", list(&ggufs(listing))))
}

fn only_gguf(listing: &Listing) -> Result<RepoFile, String> {
    match ggufs(listing).as_slice() {
        [only] => Ok(Clone::clone(*only)),
        [] => {
            let pickled = listing.files.iter().any(|file| {
                file.name.ends_with(".bin")
                    || file.name.ends_with(".pt")
                    || file.name.ends_with(".pth")
            });
            let more = if pickled {
                "; its weights are pickled, which can run programs and is not read"
            } else {
                ""
            };
            Err(format!(
                "expected weights as safetensors or GGUF, found none{more}"
            ))
        }
        several => Err(format!(
            "expected one .gguf file, found {}; name one, as in `hf:OWNER/REPO/FILE`",
            list(several)
        )),
    }
}

fn ggufs(listing: &Listing) -> Vec<&RepoFile> {
    listing
        .files
        .iter()
        .filter(|file| file.name.ends_with(".gguf"))
        .collect()
}

fn list(files: &[&RepoFile]) -> String {
    if files.is_empty() {
        return "no .gguf file".into();
    }
    let mut names: Vec<&str> = files
        .iter()
        .take(NAMES_SHOWN)
        .map(|f| f.name.as_str())
        .collect();
    if files.len() > NAMES_SHOWN {
        names.push("…");
    }
    names.join(", ")
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The files that an index names, each once.
fn shards(bytes: &[u8]) -> Result<BTreeSet<String>, String> {
    let index: Index =
        serde_json::from_slice(bytes).map_err(|error| format!("`{INDEX}`: {error}"))?;
    let shards: BTreeSet<String> = index.weight_map.into_values().collect();
    if shards.is_empty() || shards.len() > SHARDS_LIMIT {
        let count = shards.len();
        return Err(format!(
            "`{INDEX}`: expected 1 to {SHARDS_LIMIT} files, found {count}"
        ));
    }
    let strange = shards
        .iter()
        .find(|name| name.contains('/') || !name.ends_with(".safetensors"));
    match strange {
        Some(name) => Err(format!(
            "`{INDEX}`: expected names of safetensors, found {name:?}"
        )),
        None => Ok(shards),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(reference: &str, names: &[&str], index: Option<&str>) -> Result<Vec<String>, String> {
        let file = |name: &&str| RepoFile {
            name: (*name).into(),
            bytes: None,
            sha256: None,
        };
        let listing = Listing {
            commit: "0".repeat(40),
            files: names.iter().map(file).collect(),
        };
        let reference: HubReference = reference.parse().unwrap();
        assert_eq!(needs_index(&reference, &listing), index.is_some());
        files(&reference, &listing, index.map(str::as_bytes))
            .map(|files| files.into_iter().map(|file| file.name).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_files_of_a_model_are_chosen() {
        let small = ["config.json", "tokenizer.json"];
        let single = [&small[..], &["model.safetensors", "README.md", "x.gguf"]].concat();
        assert_eq!(
            choose("hf:a/b", &single, None).unwrap(),
            ["config.json", "tokenizer.json", "model.safetensors"]
        );
        assert_eq!(choose("hf:a/b/x.gguf", &single, None).unwrap(), ["x.gguf"]);
        assert_eq!(
            choose("hf:a/b", &["q/y.gguf", "README.md"], None).unwrap(),
            ["q/y.gguf"]
        );
        let sharded = [&small[..], &[INDEX, "m-1.safetensors", "m-2.safetensors"]].concat();
        let index = r#"{"weight_map": {"a": "m-2.safetensors", "b": "m-1.safetensors",
                        "c": "m-1.safetensors"}}"#;
        assert_eq!(
            choose("hf:a/b", &sharded, Some(index)).unwrap(),
            [
                "config.json",
                "tokenizer.json",
                INDEX,
                "m-1.safetensors",
                "m-2.safetensors"
            ]
        );
    }

    #[test]
    fn a_repository_without_a_usable_model_says_what_is_missing() {
        let sharded = ["config.json", "tokenizer.json", INDEX, "m-1.safetensors"];
        let table: [(&str, &[&str], Option<&str>, &str); 9] = [
            (
                "hf:a/b",
                &["a.gguf", "b.gguf"],
                None,
                "found a.gguf, b.gguf; name one",
            ),
            (
                "hf:a/b",
                &["README.md"],
                None,
                "safetensors or GGUF, found none",
            ),
            ("hf:a/b", &["pytorch_model.bin"], None, "pickled"),
            (
                "hf:a/b/c.gguf",
                &["a.gguf"],
                None,
                "expected `c.gguf`, found a.gguf",
            ),
            ("hf:a/b/c.bin", &["c.bin"], None, "expected a .gguf file"),
            (
                "hf:a/b",
                &["config.json", "model.safetensors"],
                None,
                "expected `tokenizer.json`",
            ),
            ("hf:a/b", &sharded, Some("{"), "index.json"),
            (
                "hf:a/b",
                &sharded,
                Some(r#"{"weight_map":{"a":"../x.safetensors"}}"#),
                "../x",
            ),
            (
                "hf:a/b",
                &sharded,
                Some(r#"{"weight_map":{"a":"m-9.safetensors"}}"#),
                "expected `m-9.safetensors`",
            ),
        ];
        for (reference, names, index, expected) in table {
            let error = choose(reference, names, index).unwrap_err();
            assert!(error.contains(expected), "{error}");
            assert!(error.starts_with(reference), "{error}");
        }
    }
}
