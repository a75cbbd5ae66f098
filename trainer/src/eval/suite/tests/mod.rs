//! What loaders make of files in the benchmarks' own forms. The fixtures are made up; their fields are not.

mod malformed;
mod programs;

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use truefill_syntax::Language;

use super::*;
use crate::eval::cut::Cut;
use crate::eval::row::Question;

/// Reads one file of a suite.
fn read(suite: Suite, name: &str, bytes: &[u8], form: Form) -> Result<Loaded, SuiteError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("made");
    fs::write(&path, bytes).expect("written");
    load(suite, &[path], form)
}

fn lines(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

/// The rows of a file that is well formed.
fn rows(suite: Suite, name: &str, values: &[Value]) -> Vec<EvalRow> {
    let loaded = read(suite, name, lines(values).as_bytes(), Form::Complete);
    loaded.expect("rows").rows
}

fn infill(prefix: &str, suffix: &str) -> Question {
    Question::Infill {
        prefix: prefix.to_owned(),
        suffix: suffix.to_owned(),
    }
}

fn infilling(id: &str) -> Value {
    json!({
        "task_id": id, "entry_point": "f", "prompt": "def f(a):\n", "suffix": "    return b\n",
        "canonical_solution": "    b = a + 1\n", "test": "def check(c):\n    assert c(1) == 2\n",
        "a_field_of_tomorrow": [1],
    })
}

#[test]
fn humaneval_infilling_is_told_by_its_ids() {
    let ids = [
        "SingleLineInfilling/HumanEval/0/L0",
        "MultiLineInfilling/HumanEval/0/L0_L1",
        "RandomSpanInfilling/HumanEval/12/1",
        "RandomSpanInfillingLight/HumanEval/12/1",
    ];
    let rows = rows(Suite::HumanEvalInfilling, "h.jsonl", &ids.map(infilling));
    let kinds: Vec<&str> = rows.iter().map(|row| &*row.kind).collect();
    assert_eq!(
        kinds,
        [
            "single-line",
            "multi-line",
            "random-span",
            "random-span-light"
        ]
    );
    let clusters: Vec<&str> = rows.iter().map(|row| &*row.cluster).collect();
    assert_eq!(
        clusters,
        ["HumanEval/0", "HumanEval/0", "HumanEval/12", "HumanEval/12"]
    );
    let row = &rows[0];
    assert_eq!(row.id, ids[0]);
    assert_eq!(row.question, infill("def f(a):\n", "    return b\n"));
    assert_eq!(row.golden, "    b = a + 1\n");
    assert_eq!(
        (&*row.language, row.grammar),
        ("python", Some(Language::Python))
    );
    let program = row.program.as_ref().expect("a program");
    assert_eq!(program.wall.as_secs(), 3);
    assert_eq!(
        program.with("X"),
        "def f(a):\nX    return b\n\ndef check(c):\n    assert c(1) == 2\n\ncheck(f)"
    );
}

#[test]
fn delulu_is_read_from_csv() {
    let csv = "benchmark_id,image_tag,language,file_path,hallucination_type,prompt,suffix,golden_completion,\
        hallucinated_completion,error_message,metadata,license,repo_url\n\
        go-1,t,go,a/b.go,undefinedvariable,\"x := \"\"é\"\"\n\",\"\n}\",f(y),f(z),e,{},MIT,https://h/o/n\n\
        go-2,t,go,a/b.go,import,,,f(y),g(z),e,{},MIT,\n";
    let loaded = read(Suite::Delulu, "d.csv", csv.as_bytes(), Form::Complete).expect("rows");
    let [first, second] = &loaded.rows[..] else {
        panic!("two rows")
    };
    assert_eq!(first.id, "go-1");
    assert_eq!(first.question, infill("x := \"é\"\n", "\n}"));
    assert_eq!(
        (&*first.golden, first.rejected.as_deref()),
        ("f(y)", Some("f(z)"))
    );
    assert_eq!(
        (&*first.kind, &*first.cluster),
        ("undefined_variable", "https://h/o/n")
    );
    assert_eq!(
        (first.path.as_deref(), first.grammar),
        (Some("a/b.go"), Some(Language::Go))
    );
    assert_eq!(
        (&*second.cluster, &second.question),
        ("a/b.go", &infill("", ""))
    );
}

fn safim(id: &str, language: &str, prompt: &str, eval_prompt: &str) -> Value {
    json!({
        "task_id": id, "lang": language, "prompt": prompt, "eval_prompt": eval_prompt,
        "ground_truth": "g", "unit_tests": "[]",
    })
}

#[test]
fn safim_has_a_prompt_and_a_program() {
    let described = "Description: Add.\n\nCode:\n\nx = # TODO: Your code here\ny";
    let control = safim(
        "control_completion_000001",
        "python",
        described,
        "x = {{completion}}\ny",
    );
    let api = safim(
        "api_completion_2",
        "cpp",
        "f(/* TODO: Your code here */)",
        "f({{completion}})",
    );
    let found = rows(Suite::Safim, "all.jsonl", &[control.clone(), api.clone()]);
    assert_eq!(
        found[0].question,
        infill("Description: Add.\n\nCode:\n\nx = ", "\ny")
    );
    assert_eq!(
        (&*found[0].kind, &found[0].cut),
        ("control", &Cut::SafimControl)
    );
    assert_eq!((&*found[1].kind, &found[1].cut), ("api", &Cut::SafimApi));
    assert_eq!(found[1].grammar, Some(Language::Cpp));
    assert_ne!(found[0].cluster, found[1].cluster);
    assert!(found.iter().all(|row| row.program.is_none()));

    let block = safim(
        "block_completion_000075",
        "python",
        described,
        "x = {{completion}}\nz",
    );
    for (name, expected, id) in [
        ("block_completion.jsonl", "block", "block_completion_000075"),
        (
            "block_completion_v2.jsonl",
            "block-v2",
            "block-v2/block_completion_000075",
        ),
    ] {
        let row = &rows(Suite::Safim, name, std::slice::from_ref(&block))[0];
        let cut = Cut::SafimBlock {
            eval_prefix: "x = ".to_owned(),
            eval_suffix: "\nz".to_owned(),
        };
        assert_eq!((&*row.id, &*row.kind, &row.cut), (id, expected, &cut));
        // The same problem.
        assert_eq!(row.cluster, found[0].cluster);
    }
    let unnamed = safim("7", "python", described, "x = {{completion}}\ny");
    assert_eq!(
        rows(Suite::Safim, "safim-api.jsonl", &[unnamed])[0].kind,
        "api"
    );
}

#[test]
fn rows_without_ids_are_numbered() {
    let hole = |prompt: &str, golden: &str| json!({"prompt": prompt, "suffix": "\nc\n", "canonical_solution": golden, "language": "js"});
    let [first, second] = [hole("a\n", "b"), hole("a\nb\n", "")];
    let found = rows(
        Suite::SantaCoderFim,
        "s.jsonl",
        &[first.clone(), second, first],
    );
    // One program, three holes of it; the third is the first again.
    assert!(found.iter().all(|row| row.cluster == found[0].cluster));
    let numbers: Vec<&str> = found
        .iter()
        .filter_map(|row| row.id.split('#').nth(1))
        .collect();
    assert_eq!(numbers, ["1", "2", "3"]);
    assert_eq!(
        (&*found[0].kind, found[0].grammar),
        ("single-line", Some(Language::JavaScript))
    );
    let mut named = hole("a\n", "b");
    named["name"] = "HumanEval_0_f".into();
    let row = &rows(Suite::SantaCoderFim, "s.jsonl", &[named])[0];
    assert_eq!(
        (&*row.id, &*row.cluster),
        ("js/HumanEval_0_f#1", "HumanEval_0_f")
    );

    let added = json!({
        "repo": "o/n", "ref": "abc", "path": "a.cs", "lang": "C#", "prompt": "", "suffix": "s",
        "canonical_solution": "g", "timestamp": 1.5,
    });
    let row = &rows(Suite::RealFimEval, "add.jsonl", &[added])[0];
    assert_eq!(
        (&*row.id, &*row.kind, &*row.cluster),
        ("o/n@abc:a.cs#1", "add", "o/n")
    );
    assert_eq!(
        (&*row.language, row.grammar),
        ("c#", Some(Language::CSharp))
    );
    assert_eq!(row.path.as_deref(), Some("a.cs"));
}

#[test]
fn crosscodeeval_has_what_was_retrieved() {
    let mut row = json!({
        "prompt": "x = ", "groundtruth": "f(1)", "right_context": "\ny",
        "metadata": {"task_id": "project_cc_python/62", "repository": "o-n-abc", "file": "a.py"},
        "crossfile_context": {"text": "# from b.py", "list": []},
    });
    let name = "line_completion_rg1_bm25.jsonl";
    let found = &rows(Suite::CrossCodeEval, name, &[row.clone()])[0];
    assert_eq!(found.question, infill("x = ", "\ny"));
    assert_eq!(found.cross_file.as_deref(), Some("# from b.py"));
    assert_eq!(
        (&*found.kind, &*found.cluster),
        ("line_completion_rg1_bm25", "o-n-abc")
    );
    assert_eq!(
        (&found.cut, found.path.as_deref()),
        (&Cut::Statement, Some("a.py"))
    );
    // The baseline has none; the folder names the language where the id does not.
    row.as_object_mut()
        .expect("an object")
        .remove("crossfile_context");
    row["metadata"]["task_id"] = "7".into();
    let found = &rows(Suite::CrossCodeEval, "java/line_completion.jsonl", &[row])[0];
    assert_eq!(
        (found.grammar, &found.cross_file),
        (Some(Language::Java), &None)
    );
}

fn context(repo: &str, golden: &str) -> Value {
    let parts = ["x = ", golden, "\n"];
    let context = crate::rows::Context::of_file(Language::Python, repo, "MIT", "a.py", parts);
    serde_json::to_value(context).expect("JSON")
}

#[test]
fn own_rows_are_read() {
    let row = &rows(Suite::Contexts, "contexts.jsonl", &[context("o/n", "é")])[0];
    assert_eq!(row.question, infill("x = ", "\n"));
    assert_eq!(
        (&*row.kind, &*row.cluster, &*row.golden),
        ("call-site", "o/n/a.py", "é")
    );
    let pair = |rejected: &str| {
        json!({
            "context_id": "c", "language": "python", "type": "undefined_variable", "repo": "o/n",
            "license": "MIT", "path": "a.py", "prefix": "x = ", "golden": "y", "suffix": "\n",
            "rejected": rejected,
        })
    };
    let found = rows(Suite::Pairs, "pairs.jsonl", &[pair("z"), pair("w")]);
    assert_eq!(found[0].rejected.as_deref(), Some("z"));
    assert_eq!(
        (&*found[0].kind, &*found[0].cluster),
        ("undefined_variable", "o/n/a.py")
    );
    assert!(found[0].id.starts_with("c/") && found[0].id != found[1].id);
    // With repositories enough they are what rows are drawn by.
    let of = |repo: usize| context(&format!("o/{repo}"), &repo.to_string());
    let many: Vec<Value> = (0..6).map(of).collect();
    let found = rows(Suite::Contexts, "contexts.jsonl", &many);
    assert_eq!(found[5].cluster, "o/5");
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).expect("packed");
    encoder.finish().expect("packed")
}

#[test]
fn packed_files_are_known_by_name_and_by_content() {
    let text = lines(&[infilling("SingleLineInfilling/HumanEval/0/L0")]);
    let zstd = zstd::encode_all(text.as_bytes(), 1).expect("packed");
    for (name, bytes) in [
        ("a.jsonl", text.clone().into_bytes()),
        ("a.jsonl.gz", gzip(&text)),
        ("a.jsonl.zst", zstd.clone()),
        ("gzip.jsonl", gzip(&text)),
        ("zstd.jsonl", zstd),
        // Two members one after the other.
        ("b.gz", [gzip(""), gzip(&text)].concat()),
        // Blank lines and no line end.
        (
            "c.jsonl",
            format!("\n \r\n{}", text.trim_end()).into_bytes(),
        ),
    ] {
        let loaded = read(Suite::HumanEvalInfilling, name, &bytes, Form::Complete);
        assert_eq!(loaded.expect(name).rows.len(), 1, "{name}");
    }
}

#[test]
fn a_folder_is_its_files_in_the_order_of_their_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = |id: &str| lines(&[infilling(&format!("SingleLineInfilling/HumanEval/{id}/L0"))]);
    for (name, bytes) in [
        ("b.jsonl", text("2").into_bytes()),
        ("a.jsonl.gz", gzip(&text("1"))),
        (".hidden.jsonl", b"x".to_vec()),
        ("README.md", b"x".to_vec()),
    ] {
        fs::write(folder.path().join(name), bytes).expect("written");
    }
    fs::create_dir(folder.path().join("c.jsonl")).expect("made");
    let data = [folder.path().to_owned()];
    let loaded = load(Suite::HumanEvalInfilling, &data, Form::Complete).expect("rows");
    let clusters: Vec<&str> = loaded.rows.iter().map(|row| &*row.cluster).collect();
    assert_eq!(clusters, ["HumanEval/1", "HumanEval/2"]);
    let names = ["a.jsonl.gz", "b.jsonl"].map(|name| folder.path().join(name));
    assert_eq!(loaded.files, names);
    let bytes: Vec<u8> = names
        .iter()
        .flat_map(|name| fs::read(name).expect("there"))
        .collect();
    use sha2::{Digest, Sha256};
    assert_eq!(loaded.sha256, hex::encode(Sha256::digest(bytes)));
    assert_eq!(
        loaded,
        load(Suite::HumanEvalInfilling, &data, Form::Complete).expect("again")
    );
}

#[test]
fn suites_are_named_as_on_the_command_line() {
    let names: Vec<String> = Suite::value_variants()
        .iter()
        .map(Suite::to_string)
        .collect();
    assert_eq!(
        names.join(" "),
        "delulu humaneval-infilling safim santacoder-fim real-fim-eval crosscodeeval contexts pairs \
         humaneval humaneval-plus mbpp mbpp-plus bigcodebench holes"
    );
}
