//! `mine` over a small golden corpus and over broken and hostile sources.

#[path = "mine/counts.rs"]
mod counts;
mod support;

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;
use support::{Mined, data, mine, tar_gz, tree, zip};
use truefill_syntax::Language;
use truefill_trainer::mine::Recipe;
use truefill_trainer::rows::{Context, HoleKind};

const LANGUAGES: [&str; 10] = [
    "cpp",
    "csharp",
    "go",
    "java",
    "javascript",
    "php",
    "python",
    "ruby",
    "rust",
    "typescript",
];

/// Small files, so that context is short: rules that ask for less of it.
fn recipe() -> Recipe {
    let mut recipe = Recipe {
        per_language: 0,
        ..Recipe::default()
    };
    recipe.selector.min_score = 0.4;
    recipe
}

/// A row as one line: kind, place, what is missing.
fn show(row: &Context) -> String {
    let line = row.prefix.matches('\n').count() + 1;
    format!(
        "{:<10} {}:{line} {:?}",
        row.hole_kind.name(),
        row.path,
        row.golden
    )
}

#[test]
fn holes_of_each_language() {
    for name in LANGUAGES {
        let mined = mine(&recipe(), &[data().join(name)]);
        let mut lines: Vec<String> = mined.rows.iter().map(show).collect();
        lines.push(format!("{:?}", mined.rows.first().map(|row| &row.license)));
        lines.push(serde_json::to_string_pretty(&mined.table("callees")).expect("JSON"));
        insta::assert_snapshot!(format!("holes_{name}"), lines.join("\n"));
    }
}

#[test]
fn what_each_filter_rejects() {
    let mut recipe = recipe();
    recipe.exclude = vec![data().join("benchmark.jsonl")];
    let sources = ["rejected", "unlicensed", "benchmarked"].map(|name| data().join(name));
    let mined = mine(&recipe, &sources);
    let counts = mined.manifest.counts.iter();
    let rejected: Vec<String> = counts
        .filter(|(name, _)| name.starts_with("files.") || name.starts_with("holes."))
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    insta::assert_snapshot!(rejected.join("\n"));
    let kept: BTreeSet<&str> = mined.rows.iter().map(|row| &*row.path).collect();
    assert_eq!(kept, BTreeSet::from(["kept.py", "torn.py"]));
}

#[test]
fn secrets_sentinels_and_stars_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let code = std::fs::read_to_string(data().join("python/orchard/trees.py")).expect("there");
    let sentinel = truefill_model::fim::FimFormat::all()
        .iter()
        .flat_map(truefill_model::fim::FimFormat::sentinels)
        .find(|token| token.len() > 8)
        .expect("a sentinel");
    let key = ["AKIA", "Q3EXAMPLEKEY7ZQP"].concat();
    tree(
        &folder.path().join("one"),
        &[
            (
                "pyproject.toml",
                "[project]\nname = \"one\"\nlicense = \"MIT\"\n",
            ),
            ("a.py", &format!("{code}\nmark = \"{sentinel}\"\n")),
            ("b.py", &format!("{code}\naws_access_key_id = \"{key}\"\n")),
        ],
    );
    tree(
        &folder.path().join("two"),
        &[
            (
                "Cargo.toml",
                "[package]\nname = \"two\"\nlicense = \"MIT\"\n",
            ),
            ("c.py", &code),
        ],
    );
    let stars = folder.path().join("repos.toml");
    std::fs::write(&stars, "[repos.one]\nstars = 60\n[repos.two]\nstars = 3\n").expect("written");
    let mut recipe = recipe();
    recipe.repos = Some(stars);
    recipe.min_stars = 50;
    let mined = mine(
        &recipe,
        &[folder.path().join("one"), folder.path().join("two")],
    );
    for (reason, expected) in [("sentinel", 1), ("secret", 1), ("stars", 1)] {
        assert_eq!(
            mined.count(&format!("files.rejected.{reason}")),
            expected,
            "{reason}"
        );
    }
}

#[test]
fn only_listed_packages_at_their_version_are_kept() {
    let mut recipe = recipe();
    recipe.packages = vec!["numpy".into()];
    let mined = mine(&recipe, &[data().join("python"), data().join("ruby")]);
    let calls: Vec<&Context> = mined
        .rows
        .iter()
        .filter(|row| row.hole_kind == truefill_syntax::HoleKind::CallSite)
        .collect();
    assert!(!calls.is_empty() && calls.iter().all(|row| row.golden.starts_with("np.")));
    for reason in ["other-package", "unresolved"] {
        let count = mined.count(&format!("holes.rejected.{reason}"));
        assert!(count > 0, "{reason}");
    }
    assert_eq!(mined.count("files.rejected.packages"), 2);
    // The gem's specification.
    assert_eq!(mined.count("files.rejected.manifest"), 1);
    recipe.min_version.insert("numpy".into(), "2.0".into());
    let mined = mine(&recipe, &[data().join("python")]);
    assert_eq!(
        (mined.rows.len(), mined.count("files.rejected.packages")),
        (0, 2)
    );
}

/// Calls of other packages do not use up what is drawn of a file.
#[test]
fn few_calls_of_a_package_are_found_among_many_of_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut text = String::from(
        "import numpy as np\n\nfrom reeds import weave\n\n\ndef run(mats):\n    out = []\n",
    );
    for number in 0..120 {
        text += &format!("    out.append(weave(mats, first={number}, width=len(mats)))\n");
    }
    text +=
        "    whole = np.concatenate(out, axis=0)\n    print(whole.shape)\n    return whole\n\n\n";
    text += "def rest(mats):\n    for mat in mats:\n        if mat is not None:\n            yield mat\n";
    let project = "[project]\nname = 'reeds'\nlicense = 'MIT'\ndependencies = ['numpy>=1.26']\n";
    let weave = "def weave(mats, first, width):\n    return mats[first:width]\n";
    let files = [
        ("pyproject.toml", project),
        ("reeds.py", weave),
        ("run.py", &*text),
    ];
    tree(folder.path(), &files);
    let calls = |packages: &[&str]| {
        let mut recipe = recipe();
        recipe.packages = packages.iter().map(|name| (*name).into()).collect();
        let mined = mine(&recipe, &[folder.path().to_owned()]);
        let counts = |part: &str| mined.count(&format!("holes.{part}"));
        let rejected = mined.manifest.counts.iter();
        let rejected = rejected.filter(|(name, _)| name.starts_with("holes.rejected."));
        let rejected: u64 = rejected.map(|(_, count)| count).sum();
        assert_eq!(counts("seen"), rejected + counts("offered"));
        assert!(counts("rejected.not-drawn") > 0);
        let rows = mined.rows.into_iter();
        let calls = rows.filter(|row| row.hole_kind == HoleKind::CallSite);
        calls.map(|row| row.golden).collect::<Vec<_>>()
    };
    assert_eq!(calls(&["numpy"]), ["np.concatenate(out, axis=0)"]);
    // Where all calls are wanted, this one is one of many.
    assert!(!calls(&[]).iter().any(|call| call.starts_with("np.")));
}

#[test]
fn archives_give_what_folders_give() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = support::files(&data().join("python"));
    let packed = [
        tar_gz(
            &folder.path().join("orchard-1.0.tar.gz"),
            &files,
            "orchard-1.0/",
        ),
        zip(&folder.path().join("orchard-1.0.whl"), &files),
        support::gem(&folder.path().join("orchard-1.0.gem"), &files),
    ];
    let plain = mine(&recipe(), &[data().join("python")]);
    for path in packed {
        let mined = mine(&recipe(), std::slice::from_ref(&path));
        let lines = |mined: &Mined| mined.rows.iter().map(show).collect::<Vec<_>>();
        assert_eq!(lines(&mined), lines(&plain), "{}", path.display());
        assert_eq!(mined.rows[0].repo, "orchard");
    }
}

#[test]
fn broken_and_hostile_sources_are_named_and_the_run_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("cut.tar.gz"), b"\x1f\x8b\x08\x00garbage").expect("written");
    std::fs::write(at("not.zip"), b"PK garbage").expect("written");
    std::fs::write(at("strange.rar"), b"Rar!").expect("written");
    support::tar_escaping(&at("escape.tar"), "../../evil.py");
    support::tar_escaping(&at("root.tar"), "/etc/evil.py");
    zip(
        &at("escape.zip"),
        &[("a/../../evil.py".into(), b"x = 1\n".to_vec())],
    );
    let zeros: Vec<u8> = vec![b' '; 4 << 20];
    tar_gz(&at("bomb.tar.gz"), &[("a.txt".into(), zeros.clone())], "");
    zip(&at("bomb.zip"), &[("a.py".into(), zeros)]);
    let many: Vec<_> = (0..300)
        .map(|at| (format!("{at}.py"), b"x = 1\n".to_vec()))
        .collect();
    tar_gz(&at("many.tar.gz"), &many, "");
    let mut recipe = recipe();
    recipe.limits.bytes = 1 << 20;
    recipe.limits.entries = 200;
    recipe.each = vec![folder.path().to_owned()];
    let mined = mine(&recipe, &[data().join("python"), at("nowhere")]);
    assert_eq!(
        mined.rows.len(),
        mine(&self::recipe(), &[data().join("python")]).rows.len()
    );
    let shown: Vec<String> = mined
        .table("broken")
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| row["found"].as_str().expect("a sentence").to_owned())
        .map(|found| found.replace(&*folder.path().to_string_lossy(), "FOLDER"))
        .collect();
    assert_eq!(mined.count("sources.broken"), shown.len() as u64);
    insta::assert_snapshot!(shown.join("\n"));
}

/// What a clone ignores was built there, and is nobody's code.
#[test]
fn what_a_clone_ignores_is_not_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let clone = folder.path().join("clone");
    for (name, bytes) in support::files(&data().join("python")) {
        for part in ["src", "built/out"] {
            let path = clone.join(part).join(&name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            let text = String::from_utf8_lossy(&bytes);
            std::fs::write(path, format!("{text}\nplace = {part:?}\n")).expect("written");
        }
    }
    let manifest = data().join("python/pyproject.toml");
    std::fs::copy(manifest, clone.join("pyproject.toml")).expect("copied");
    let seen = |ignored: bool| -> BTreeSet<String> {
        let recipe = Recipe {
            percentiles: [0.0, 100.0],
            near_duplicate: 1.0,
            ..recipe()
        };
        let mined = mine(&recipe, std::slice::from_ref(&clone));
        let paths = mined.rows.iter().map(|row| row.path.clone());
        let paths: BTreeSet<String> = paths.collect();
        let built = paths.iter().any(|path| path.starts_with("built/"));
        assert_eq!(built, !ignored, "{paths:?}");
        paths
    };
    let all = seen(false);
    std::fs::create_dir(clone.join(".git")).expect("made");
    std::fs::write(clone.join(".gitignore"), "built/\n").expect("written");
    let some = seen(true);
    assert!(!some.is_empty() && some.is_subset(&all));
}

#[test]
fn a_run_without_any_source_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = support::try_mine(&recipe(), &[folder.path().join("x")], folder.path(), false)
        .err()
        .expect("refused");
    assert!(error.to_string().contains("could be read"), "{error}");
}

#[test]
fn threads_and_order_do_not_change_a_byte() {
    let sources: Vec<_> = LANGUAGES.iter().map(|name| data().join(name)).collect();
    let backwards: Vec<_> = sources.iter().rev().cloned().collect();
    let mut recipe = recipe();
    recipe.per_language = 6;
    let bytes = |threads, sources: &[std::path::PathBuf]| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("threads")
            .install(|| mine(&recipe, sources).bytes)
    };
    assert_eq!(bytes(1, &sources), bytes(4, &backwards));
}

#[test]
fn samples_are_stratified_and_seeded() {
    let sources: Vec<_> = LANGUAGES.iter().map(|name| data().join(name)).collect();
    let sample = |seed| {
        let mut recipe = recipe();
        (recipe.per_language, recipe.seed) = (6, seed);
        mine(&recipe, &sources)
    };
    let (mined, all) = (sample(1), mine(&recipe(), &sources));
    let of = |mined: &support::Mined, language: Language, kind: Option<HoleKind>| {
        let rows = mined.rows.iter().filter(|row| row.language == language);
        rows.filter(|row| kind.is_none_or(|kind| row.hole_kind == kind))
            .count()
    };
    for language in Language::ALL {
        let there = of(&all, language, None);
        assert_eq!(of(&mined, language, None), there.min(6), "{language}");
        // No kind is left out while another has two rows more than its share of six.
        for kind in HoleKind::ALL {
            let (some, most) = (
                of(&mined, language, Some(kind)),
                of(&all, language, Some(kind)),
            );
            assert!(
                some <= 2 || there < 12,
                "{language} {kind:?}: {some} of {most}"
            );
        }
    }
    assert_eq!(mined.bytes, sample(1).bytes);
    assert_ne!(mined.bytes, sample(2).bytes);
}

/// A run that was killed goes on: every prefix of its work gives the same bytes in the end.
#[test]
fn a_killed_run_resumes_to_the_same_bytes() {
    let sources: Vec<_> = LANGUAGES.iter().map(|name| data().join(name)).collect();
    let mut recipe = recipe();
    recipe.per_language = 8;
    let folder = tempfile::tempdir().expect("a folder");
    let whole = support::try_mine(&recipe, &sources, folder.path(), true).expect("mined");
    let work = folder.path().join("contexts.jsonl.zst.work");
    let mut steps: Vec<_> = std::fs::read_dir(&work)
        .expect("kept")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    // In the order in which a run writes them: surveys, then rows and tallies source by source.
    steps.sort_by_key(|path| order(path));
    for kept in [1, 4, 9, 10, 11, 14, 19, steps.len()] {
        let other = tempfile::tempdir().expect("a folder");
        let copy = other.path().join("contexts.jsonl.zst.work");
        std::fs::create_dir_all(&copy).expect("made");
        for path in &steps[..kept] {
            let name = path.file_name().expect("a name");
            std::fs::copy(path, copy.join(name)).expect("copied");
        }
        let resumed = support::try_mine(&recipe, &sources, other.path(), false).expect("mined");
        assert_eq!(resumed.bytes, whole.bytes, "{kept} files kept");
        // What is kept is not read again: surveys first, then rows with their counts.
        let [surveyed, mined] = resumed.read;
        let languages = LANGUAGES.len();
        let kept_surveys = kept.saturating_sub(1).min(languages);
        assert_eq!(surveyed == whole.read[0], kept_surveys == 0, "{kept}");
        assert_eq!(surveyed == 0, kept_surveys == languages, "{kept}");
        let kept_rows = kept.saturating_sub(1 + languages) / 2;
        assert_eq!(mined == whole.read[1], kept_rows == 0, "{kept}");
        assert_eq!(mined == 0, kept_rows == languages, "{kept}");
        let (mut a, mut b) = (resumed.manifest.clone(), whole.manifest.clone());
        (a.outputs, b.outputs) = (Vec::new(), Vec::new());
        assert_eq!(a, b, "{kept} files kept");
        assert!(!copy.exists(), "the work is done");
    }
}

fn order(path: &Path) -> (u8, String) {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let part = match name.split('-').next() {
        Some("run") => 0,
        Some("survey") => 1,
        _ => 2,
    };
    // `rows-000001` comes before `tally-000001`.
    let number = name.split(['-', '.']).nth(1).unwrap_or("").to_owned();
    (part, format!("{number}{name}"))
}

#[test]
fn a_foreign_folder_in_the_way_is_not_touched() {
    let folder = tempfile::tempdir().expect("a folder");
    let work = folder.path().join("contexts.jsonl.zst.work");
    std::fs::create_dir_all(&work).expect("made");
    std::fs::write(work.join("precious"), "x").expect("written");
    let error = support::try_mine(&recipe(), &[data().join("go")], folder.path(), false);
    assert!(error.is_err() && work.join("precious").exists());
}

/// Another recipe or other files throw an earlier run's work away.
#[test]
fn work_of_another_run_is_not_taken_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut recipe = recipe();
    support::try_mine(&recipe, &[data().join("go")], folder.path(), true).expect("mined");
    recipe.seed = 9;
    recipe.per_language = 3;
    let again = support::try_mine(&recipe, &[data().join("go")], folder.path(), true);
    let fresh = mine(&recipe, &[data().join("go")]);
    assert_eq!(again.expect("mined").bytes, fresh.bytes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever the window, every row is the file's bytes at the places that it names.
    #[test]
    fn every_row_is_byte_exact(
        language in 0_usize..10,
        window_bytes in 1024_usize..4096,
        prefix_share in 0.1_f64..0.9,
        seed in any::<u64>(),
        lines in prop::collection::vec("[a-zé_😀\"(){}=;\t \r]{0,40}", 0..30),
        at in 0_usize..40,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut files = support::files(&data().join(LANGUAGES[language]));
        for (path, bytes) in &mut files {
            let code = truefill_syntax::Language::from_path(Path::new(path)).is_some();
            if code && !path.ends_with("spec") {
                *bytes = with_lines(bytes, &lines, at);
            }
        }
        let source = folder.path().join("source");
        for (path, bytes) in &files {
            support::write(&source.join(path), bytes);
        }
        let mut recipe = recipe();
        (recipe.window_bytes, recipe.prefix_share, recipe.seed) = (window_bytes, prefix_share, seed);
        for row in mine(&recipe, std::slice::from_ref(&source)).rows {
            prop_assert_eq!(row.check(), Ok(()));
            let bytes = std::fs::read(source.join(&row.path)).expect("there");
            let window = row.window();
            let start = row.span.window_start;
            prop_assert_eq!(&bytes[start..start + window.len()], window.as_bytes());
            prop_assert!(window.len() <= window_bytes.max(row.golden.len()));
            prop_assert_eq!(support::sha256(&bytes), row.span.file_sha256);
        }
    }
}

/// The file with other lines put in somewhere.
fn with_lines(bytes: &[u8], lines: &[String], at: usize) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let mut all: Vec<&str> = text.split('\n').collect();
    let at = at.min(all.len());
    for line in lines.iter().rev() {
        all.insert(at, line);
    }
    all.join("\n").into_bytes()
}
