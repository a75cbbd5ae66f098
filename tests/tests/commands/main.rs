//! The user commands, run as a user runs them: what they print and how they exit.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod bench;
mod upkeep;

use std::collections::BTreeSet;

use serde_json::Value;
use truefill_tests::{Output, User, default_model, default_store, tiny_model};

const CODE: &str = "import os\n\npassword = \"hunter22\"\n\ndef add(a, b):\n    return \n";

/// A user with a tiny model and one Python file.
fn user() -> User {
    let user = User::with_model(&tiny_model());
    user.write("a.py", CODE);
    user
}

fn json(output: &Output) -> Value {
    assert_eq!(output.code, Some(0), "{}", output.err);
    serde_json::from_str(&output.out).unwrap_or_else(|error| panic!("{error}: {}", output.out))
}

fn keys(value: &Value) -> BTreeSet<&str> {
    let object = value.as_object().unwrap();
    object.keys().map(String::as_str).collect()
}

/// Everything fails with this code and says all of this on stderr, and nothing else anywhere.
fn fails(output: &Output, code: i32, sayings: &[&str]) {
    assert_eq!(
        (output.code, output.out.as_str()),
        (Some(code), ""),
        "{output:?}"
    );
    for saying in sayings {
        assert!(output.err.contains(saying), "`{saying}` in {}", output.err);
    }
}

#[test]
fn complete_prints_one_json_object() {
    let user = user();
    let output = user.run(&["complete", "a.py:6:12", "--json", "--alternatives", "3"]);
    assert_eq!(output.out.lines().count(), 1);
    let value = json(&output);
    let expected = [
        "checkpoint",
        "column",
        "device",
        "file",
        "format",
        "guard",
        "line",
        "milliseconds",
        "silence",
        "suggestions",
    ];
    assert_eq!(keys(&value), BTreeSet::from(expected));
    assert_eq!(keys(&value["format"]), BTreeSet::from(["name", "version"]));
    let place = (&value["file"], &value["line"], &value["column"]);
    assert_eq!(place, (&"a.py".into(), &6.into(), &12.into()));
    assert!(value["milliseconds"].as_f64().unwrap() > 0.0);
    assert!(
        value["checkpoint"]
            .as_str()
            .unwrap()
            .starts_with("llama-q8_0-")
    );
    let suggestions = value["suggestions"].as_array().unwrap();
    assert!(suggestions.len() <= 3);
    assert_eq!(
        suggestions.is_empty(),
        !value["silence"].is_null(),
        "{value}"
    );
    if !value["silence"].is_null() {
        assert_eq!(
            keys(&value["silence"]),
            BTreeSet::from(["message", "reason"])
        );
    }
    let nothing = json(&user.run(&["complete", "a.py:3:4", "--json"]));
    assert_eq!(nothing["silence"]["reason"], "inside_word");
    assert_eq!(nothing["suggestions"], Value::Array(Vec::new()));
    assert!(
        !user.home().join("journal.sqlite3").exists(),
        "nothing is recorded"
    );
}

#[test]
fn complete_says_why_there_is_nothing() {
    let user = user();
    user.write(".git/HEAD", "");
    user.write(".gitignore", "made/\n");
    user.write("made/a.py", CODE);
    for (place, sentence) in [
        ("a.py:3:4", "The cursor is inside a word.\n"),
        (
            "made/a.py:6:12",
            "Git's ignore files or `.truefillignore` exclude this file",
        ),
    ] {
        let output = user.run(&["complete", place]);
        assert_eq!((output.code, output.out.as_str()), (Some(0), ""));
        assert!(output.err.starts_with(sentence), "{}", output.err);
    }
}

#[test]
fn complete_shows_the_prompt_without_secrets() {
    let user = user();
    let output = user.run(&["complete", "a.py:6:12", "--show-prompt"]);
    assert_eq!(output.code, Some(0), "{}", output.err);
    assert!(
        output.out.contains("def add(a, b):\n    return "),
        "{}",
        output.out
    );
    assert!(
        output.out.contains("password = \"<secret value>\""),
        "{}",
        output.out
    );
    assert!(!output.out.contains("hunter22"), "{}", output.out);
    let value = json(&user.run(&["complete", "a.py:6:12", "--show-prompt", "--json"]));
    assert_eq!(keys(&value), BTreeSet::from(["prompt", "sha256", "tokens"]));
    assert_eq!(
        output.out.trim_end_matches('\n'),
        value["prompt"].as_str().unwrap()
    );
    assert!(value["tokens"].as_u64().unwrap() > 10);
    assert_eq!(value["sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn wrong_usage_exits_with_2() {
    let user = user();
    let places = ["a.py", "a.py:6", "a.py:0:1", "a.py:6:x", ":1:1"];
    for place in places {
        let output = user.run(&["complete", place]);
        let sentence = "expected `FILE:LINE:COL` with line and column from 1";
        fails(&output, 2, &[place, sentence]);
    }
    let table: [&[&str]; 5] = [
        &["complete"],
        &["complete", "a.py:6:12", "--alternatives", "4"],
        &["complete", "a.py:6:12", "--no-such-option"],
        &["no-such-command"],
        &["bench", "keystrokes"],
    ];
    for arguments in table {
        fails(&user.run(arguments), 2, &["error: ", "try '--help'"]);
    }
}

#[test]
fn a_job_that_fails_exits_with_1_and_names_the_file() {
    let user = user();
    user.write("binary.py", "");
    std::fs::write(user.home().join("binary.py"), [0xff, 0xfe]).unwrap();
    let table: [(&[&str], &[&str]); 7] = [
        (
            &["complete", "a.py:99:1"],
            &["`a.py` has 7 lines", "no line 99"],
        ),
        (
            &["complete", "a.py:6:99"],
            &["line 6 of `a.py`", "no column 99"],
        ),
        (&["complete", "none.py:1:1"], &["`none.py` cannot be read"]),
        (
            &["complete", "binary.py:1:1"],
            &["`binary.py` is not UTF-8"],
        ),
        (
            &["complete", "a.py:6:12", "--model", "none"],
            &["none", "truefill models list"],
        ),
        (&["bench", "keystrokes", "none.py"], &["none.py"]),
        (&["models", "pull", "none.gguf"], &["none.gguf"]),
    ];
    for (arguments, sayings) in table {
        fails(&user.run(arguments), 1, sayings);
    }
}

#[test]
fn a_configuration_that_cannot_be_used_is_refused() {
    let user = user();
    user.write("broken.toml", "[suggest]\nautomatically = true\n");
    user.write("wrong.toml", "[suggest]\nalternatives = 9\n");
    let table = [
        ("typo.toml", "`typo.toml` does not exist"),
        ("broken.toml", "`suggest.automatically` in `broken.toml`"),
        ("broken.toml", "the nearest key is `suggest.automatic`"),
        ("wrong.toml", "`suggest.alternatives` in `wrong.toml`"),
    ];
    for (file, saying) in table {
        fails(
            &user.run(&["complete", "a.py:6:12", "--config", file]),
            1,
            &[saying],
        );
        fails(&user.run(&["serve", "--config", file]), 1, &[saying]);
    }
    // The user's own file.
    user.write("truefill.toml", "[suggest]\nautomatically = true\n");
    let sayings = ["truefill.toml", "`suggest.automatically`"];
    fails(&user.run(&["complete", "a.py:6:12"]), 1, &sayings);
    fails(&user.run(&["serve"]), 1, &sayings);
    let doctor = user.run(&["doctor"]);
    assert_eq!(doctor.code, Some(1));
    let line = doctor.out.lines().next().unwrap();
    assert!(
        line.starts_with("FAIL  configuration: `suggest.automatically`"),
        "{line}"
    );
}

#[test]
fn the_demo_shows_suggestions_and_how_to_connect_an_editor() {
    let user = User::default();
    // Folders may have any name; a URI needs percent signs for some.
    let folder = user.write("a folder, 100%/x", "");
    let folder = folder.parent().unwrap();
    let model = default_model().to_str().unwrap();
    let arguments = ["demo", "--quick", "--model", model];
    let output = user.run_with(&arguments, &[("TMPDIR", folder)]);
    assert_eq!(
        (output.code, output.err.as_str()),
        (Some(0), ""),
        "{}",
        output.out
    );
    let has = |text: &str| assert!(output.out.contains(text), "`{text}` in {}", output.out);
    has("truefill serve is ready after ");
    has("stockroom/");
    has(" ms after the last key");
    has(" suggestions, ");
    has(" were what the developer meant and were accepted");
    has("vim.lsp.config(\"truefill\", { cmd = { \"truefill\", \"serve\" } })");
    has("`truefill doctor` checks that everything is in place.");
    let scenes = output.out.matches("\n  > ").count();
    let suggested = output.out.matches("    suggested ").count();
    let silent = output.out.matches("    no suggestion: ").count();
    assert!(
        scenes >= 6 && scenes == suggested + silent,
        "{}",
        output.out
    );
    assert!(10 * suggested >= 7 * scenes, "{}", output.out);
    assert_eq!(suggested, output.out.matches('«').count(), "each is shown");
}

/// The whole loop on the real default model: journal, harvest, a short training, the gate, a swap under the
/// running server.
#[test]
fn the_demo_closes_the_loop() {
    let user = User::default();
    let store = default_store();
    let output = user.run_with(&["demo"], &[("TRUEFILL_STORE", store)]);
    assert_eq!(output.code, Some(0), "{}\n{}", output.out, output.err);
    let has = |text: &str| assert!(output.out.contains(text), "`{text}` in {}", output.out);
    has("What became of the suggestions");
    has("| train | done |");
    has("## The gate");
    has("The running server took it over ");
    has("candidate");
    has("Assigned by document and half hour, generation 1.");
    has("`truefill arms rollback`: Nothing is compared");
    // The user's own store and journal are as they were.
    assert!(!user.home().join("journal.sqlite3").exists());
    assert!(!store.join("serving.json").exists());
}
