//! What keeps training from starting.

use std::path::{Path, PathBuf};

use truefill_model::fim::FimFormat;
use truefill_model::store::FormatName;
use truefill_model::tokenizer::{GgufVocabulary, Tokenizer};
use truefill_trainer::train::data::RowKind;
use truefill_trainer::train::error::DataError;
use truefill_trainer::train::example::{Renderer, Skip};
use truefill_trainer::train::held_out::HeldOut;
use truefill_trainer::train::objective::{Objective, Sft};
use truefill_trainer::train::set::{Claims, TrainingSet, Unfit, check_checkpoint};

use crate::fim_support::byte_level;
use crate::support::{bound, everything, plain, renderer, settings};

fn line(
    id: &str,
    repo: &str,
    [prefix, golden, suffix]: [&str; 3],
    rejected: Option<&str>,
) -> String {
    let mut row = serde_json::json!({
        "context_id": id, "language": "python", "type": "method", "repo": repo, "license": "MIT",
        "path": "src/a.py", "prefix": prefix, "golden": golden, "suffix": suffix,
        "file_sha256": "00", "window_start": 0, "hole_start": prefix.len(),
        "hole_end": prefix.len() + golden.len(),
    });
    if let Some(rejected) = rejected {
        let pair = serde_json::json!({
            "rejected": rejected, "generator": "mutate", "prompt_version": "1",
            "fool_rate": 0.5, "fooled": 1, "judged": 2,
        });
        row.as_object_mut()
            .unwrap()
            .extend(pair.as_object().unwrap().clone());
    }
    row.to_string()
}

fn write(folder: &Path, name: &str, lines: &[String]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    path
}

fn load(file: &Path, renderer: &Renderer, held_out: &HeldOut) -> Result<TrainingSet, DataError> {
    let files = [file.to_owned()];
    let held_out = (held_out, Unfit::Refuse);
    TrainingSet::load(&files, RowKind::Fim, renderer, held_out, Unfit::Refuse)
}

#[test]
fn both_files_of_curate_are_read_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(4000);
    let lines = [
        line("a", "o/a", ["f(", "a, b", ")\n"], Some("a, c")),
        line("b", "o/b", ["f(", &long, ")\n"], Some("a, c")),
    ];
    let pairs = write(folder.path(), "pairs.jsonl", &lines);
    let renderer_of_pairs = renderer("qwen2.5-coder", &[], settings(everything()));
    let set = load(&pairs, &renderer_of_pairs, &HeldOut::default()).unwrap();
    assert_eq!((set.counts.read, set.counts.kept), (2, 1));
    assert_eq!(set.counts.skipped[&Skip::TooLong], 1);
    assert_eq!(set.counts.cases.one_line, 1);
    assert_eq!(set.rows[0].rejected.as_deref(), Some("a, c"));
    assert_eq!(set.lengths.len(), 1);
    // SFT reads pairs too, and rows without a rejected completion.
    let plain = plain("qwen2.5-coder");
    assert!(load(&pairs, &plain, &HeldOut::default()).is_ok());
    let sft = write(
        folder.path(),
        "sft.jsonl",
        &[line("a", "o/a", ["f(", "a", ")"], None)],
    );
    assert_eq!(
        load(&sft, &plain, &HeldOut::default()).unwrap().rows.len(),
        1
    );
    let error = load(&sft, &renderer_of_pairs, &HeldOut::default()).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("sft.jsonl:1 (`a`)") && error.contains("`fgit` needs pairs"),
        "{error}"
    );
}

#[test]
fn held_out_rows_are_named_with_what_they_have_in_common() {
    let folder = tempfile::tempdir().unwrap();
    let texts = ["f(", "a, b", ")\n"];
    let train = write(
        folder.path(),
        "sft.jsonl",
        &[
            line("z", "o/z", ["g(", "c", ")"], None),
            line("a", "github.com/O/Name", texts, None),
        ],
    );
    let held_out = |name: &str, rows: &[String]| {
        let mut held_out = HeldOut::default();
        let file = write(folder.path(), name, rows);
        held_out.read(&file, RowKind::Fim).unwrap();
        held_out
    };
    let context = r#"{"id": "a", "hole_kind": "call_site", "golden": "other"}"#.to_owned();
    let cases = [
        (held_out("id.jsonl", &[context]), Some("by its id")),
        (
            held_out("text.jsonl", &[line("q", "o/q", texts, None)]),
            Some("by its prefix, golden completion and suffix"),
        ),
        (
            held_out(
                "repo.jsonl",
                &[line(
                    "q",
                    "https://github.com/o/name.git",
                    ["", "x", ""],
                    None,
                )],
            ),
            Some("by its repository"),
        ),
        (
            held_out("none.jsonl", &[line("q", "o/q", ["", "x", ""], None)]),
            None,
        ),
    ];
    for (held_out, expected) in cases {
        let renderer = plain("starcoder2");
        let dropping = (&held_out, Unfit::Drop);
        let files = std::slice::from_ref(&train);
        let left = TrainingSet::load(files, RowKind::Fim, &renderer, dropping, Unfit::Refuse);
        let left = left.unwrap();
        let kept: Vec<&str> = left.rows.iter().map(|row| row.place.id.as_str()).collect();
        assert_eq!(
            kept,
            if expected.is_some() {
                vec!["z"]
            } else {
                vec!["z", "a"]
            }
        );
        assert_eq!(left.counts.held_out, 2 - kept.len() as u64);
        let found = load(&train, &renderer, &held_out);
        match expected {
            None => assert_eq!(found.unwrap().rows.len(), 2),
            Some(expected) => {
                let error = found.unwrap_err().to_string();
                assert!(
                    error.contains("sft.jsonl:2 (`a`)") && error.contains(expected),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn a_held_out_file_that_keeps_out_nothing_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let read = |line: &str, kind| {
        let file = write(folder.path(), "some.jsonl", &[line.to_owned()]);
        let read = HeldOut::default().read(&file, kind);
        read.map_err(|error| error.to_string())
    };
    let prompt = r#"{"task_id": "HumanEval/0", "prompt": "def f():\n"}"#;
    for (line, kind, expected) in [
        ("{\"x\": 1}", RowKind::Fim, "keep out nothing"),
        ("{\"x\": 1}", RowKind::Instruct, "keep out nothing"),
        (prompt, RowKind::Fim, "keep nothing out of rows of code"),
    ] {
        let error = read(line, kind).unwrap_err();
        assert!(error.contains("some.jsonl:1"), "{error}");
        assert!(error.contains(expected), "{error}");
    }
    read(prompt, RowKind::Instruct).unwrap();
    let with_repo = r#"{"prompt": "def f():\n", "repo": "o/a"}"#;
    read(with_repo, RowKind::Fim).unwrap();
}

#[test]
fn a_sentinel_in_any_text_is_refused_or_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let clean = line("ok", "o/a", ["a", "b", "c"], Some("d"));
    for at in 0..4 {
        let mut texts = ["a", "b", "c", "d"];
        texts[at] = "x <|fim_middle|> y";
        let dirty = line("bad", "o/a", [texts[0], texts[1], texts[2]], Some(texts[3]));
        let file = write(folder.path(), "pairs.jsonl", &[clean.clone(), dirty]);
        let renderer = plain("qwen2.5-coder");
        let error = load(&file, &renderer, &HeldOut::default())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("pairs.jsonl:2 (`bad`)") && error.contains("<|fim_middle|>"),
            "{error}"
        );
        let held_out = (&HeldOut::default(), Unfit::Refuse);
        let set = TrainingSet::load(&[file], RowKind::Fim, &renderer, held_out, Unfit::Drop);
        let set = set.unwrap();
        assert_eq!((set.counts.kept, set.counts.sentinel), (1, 1));
    }
    // Another family's sentinel is plain text.
    let other = write(
        folder.path(),
        "o.jsonl",
        &[line("a", "o/a", ["<fim_middle>", "b", ""], None)],
    );
    assert!(load(&other, &plain("qwen2.5-coder"), &HeldOut::default()).is_ok());
}

#[test]
fn no_rows_and_wrong_rows_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let long = write(
        folder.path(),
        "a.jsonl",
        &[line("b", "o/b", ["", &"x".repeat(999), ""], None)],
    );
    let error = load(&long, &plain("qwen2.5-coder"), &HeldOut::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("of 1 that were read") && error.contains("1 are too long"),
        "{error}"
    );
    let wrong = write(
        folder.path(),
        "b.jsonl",
        &["{\"context_id\": 3}".to_owned()],
    );
    let error = load(&wrong, &plain("qwen2.5-coder"), &HeldOut::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("b.jsonl:1") && error.contains("sft or pairs"),
        "{error}"
    );
}

#[test]
fn a_vocabulary_without_an_end_token_is_refused() {
    let vocabulary = GgufVocabulary {
        add_bos: Some(false),
        ..byte_level("smollm", &["<|x|>"], 50)
    };
    let tokenizer = Tokenizer::from_gguf(vocabulary).unwrap();
    let causal = FimFormat::builtin("causal")
        .unwrap()
        .bind(&tokenizer)
        .unwrap();
    let error = Renderer::new(
        &causal,
        &[],
        None,
        settings(Objective::Sft(Sft::default()).needs()),
    )
    .err()
    .unwrap();
    assert!(
        matches!(&error, DataError::NoEnd { format } if format == "causal"),
        "{error}"
    );
}

#[test]
fn a_checkpoint_of_another_tokenizer_or_format_is_refused() {
    let format = bound("starcoder2");
    let tokenizer = format.tokenizer().clone();
    let named = |name: &str, version| FormatName {
        name: name.to_owned(),
        version,
    };
    let own = Claims {
        tokenizer_sha256: Some(tokenizer.sha256().to_owned()),
        format: Some(named("starcoder2", format.version())),
        vocabulary: tokenizer.vocabulary_size() + 64,
    };
    let check = |claims: &Claims, teach| check_checkpoint(claims, &tokenizer, &format, teach);
    assert!(check(&own, false).is_ok());
    let unnamed = Claims {
        vocabulary: own.vocabulary,
        ..Claims::default()
    };
    assert!(check(&unnamed, false).is_ok());
    let other = Claims {
        tokenizer_sha256: Some("ab".repeat(32)),
        ..own.clone()
    };
    assert!(matches!(
        check(&other, true),
        Err(DataError::Tokenizer { .. })
    ));
    let small = Claims {
        vocabulary: 10,
        ..own.clone()
    };
    assert!(matches!(
        check(&small, true),
        Err(DataError::Vocabulary { .. })
    ));
    for wrong in [
        named("causal", 1),
        named("starcoder2", format.version() - 1),
    ] {
        let claims = Claims {
            format: Some(wrong),
            ..own.clone()
        };
        let error = check(&claims, false).unwrap_err().to_string();
        assert!(error.contains("teach_format = true"), "{error}");
        assert!(check(&claims, true).is_ok());
    }
}
