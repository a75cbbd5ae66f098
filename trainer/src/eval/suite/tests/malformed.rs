//! What is refused, with its file, line and field.

use super::*;

const CSV: &str = "benchmark_id,language,file_path,hallucination_type,prompt,suffix,golden_completion,\
    hallucinated_completion,repo_url\n\
    go-1,go,a.go,method,\"x\n\",\"\n}\",f(y),f(z),h/o/n\n";

/// The error of a file that is called `f`, without the folder.
fn refused(suite: Suite, name: &str, bytes: &[u8]) -> String {
    let error = read(suite, name, bytes, Form::Complete).expect_err("refused");
    let error = error.to_string();
    let at = error.find(name).unwrap_or_else(|| panic!("{error}"));
    error[at..].to_owned()
}

/// One row, changed, on the second line of a file whose first is blank.
fn changed(suite: Suite, row: &Value, field: &str, value: Value) -> String {
    let mut row = row.clone();
    let fields = row.as_object_mut().expect("an object");
    match value {
        Value::Null => fields.remove(field),
        value => fields.insert(field.to_owned(), value),
    };
    refused(suite, "f.jsonl", format!("\n{row}\n").as_bytes())
}

#[test]
fn malformed_rows_are_refused_by_line_and_field() {
    let row = infilling("SingleLineInfilling/HumanEval/0/L0");
    let safim = safim(
        "block_completion_1",
        "python",
        "a # TODO: Your code here b",
        "a {{completion}} b",
    );
    let santacoder = json!({
        "name": "HumanEval_0_f", "language": "py", "prompt": "a", "suffix": "b", "canonical_solution": "c",
    });
    let lists = json!({"task_id": 1, "text": "t", "code": "c", "test_list": ["assert f()"]});
    for (suite, row, field, value, expected) in [
        (
            Suite::HumanEvalInfilling,
            &row,
            "prompt",
            json!(3),
            "`prompt`: expected a text, found `3`",
        ),
        (
            Suite::HumanEvalInfilling,
            &row,
            "test",
            json!(null),
            "`test`: expected a value, found no such field beside `a_field_of_tomorrow`, `canonical_solution`, `entry_point`, `prompt`, `suffix`, `task_id`",
        ),
        (
            Suite::HumanEvalInfilling,
            &row,
            "task_id",
            json!(" "),
            "`task_id`: expected a text that is not empty, found ` `",
        ),
        (
            Suite::HumanEvalInfilling,
            &row,
            "task_id",
            json!("L0"),
            "`task_id`: expected an id like `SingleLineInfilling/HumanEval/0/L0`, found `L0`",
        ),
        (
            Suite::HumanEvalInfilling,
            &row,
            "task_id",
            json!("NoLine/HumanEval/0/L0"),
            "`task_id`: expected one of `SingleLineInfilling`, `MultiLineInfilling`, `RandomSpanInfilling`, `RandomSpanInfillingLight`, found `NoLine`",
        ),
        (
            Suite::HumanEvalInfilling,
            &row,
            "entry_point",
            json!("f)"),
            "`entry_point`: expected a name of Python, found `f)`",
        ),
        (
            Suite::Safim,
            &safim,
            "lang",
            json!("go"),
            "`lang`: expected one of `python`, `java`, `cpp`, `csharp`, found `go`",
        ),
        (
            Suite::Safim,
            &safim,
            "prompt",
            json!("a b"),
            "`prompt`: expected one hole, `# TODO: Your code here`, found 0 of them",
        ),
        (
            Suite::Safim,
            &safim,
            "eval_prompt",
            json!("{{completion}}{{completion}}"),
            "`eval_prompt`: expected one hole, `{{completion}}`, found 2 of them",
        ),
        (
            Suite::Safim,
            &safim,
            "task_id",
            json!("loop_1"),
            "`task_id`: expected an id or a file's name that begins with `api`, `block` or `control`, found `loop_1`",
        ),
        (
            Suite::SantaCoderFim,
            &santacoder,
            "canonical_solution",
            json!(["x"]),
            "`canonical_solution`: expected a text, found `[\"x\"]`",
        ),
        (
            Suite::SantaCoderFim,
            &santacoder,
            "language",
            json!(null),
            "`language`: expected a value, found no such field beside",
        ),
        (
            Suite::RealFimEval,
            &safim,
            "to_remove",
            json!("x"),
            "`to_remove`: expected rows of the split `add`, found a row of the split `edit`, which has no hole",
        ),
        (
            Suite::CrossCodeEval,
            &row,
            "metadata",
            json!("x"),
            "`metadata`: expected an object, found `\"x\"`",
        ),
        (
            Suite::CrossCodeEval,
            &row,
            "metadata",
            json!({"task_id": "project_cc_go/1"}),
            "`metadata.task_id`: expected an id like `project_cc_python/62`, or a folder named by the language, found `project_cc_go/1`",
        ),
        (
            Suite::Contexts,
            &context("o/n", "é"),
            "hole_start",
            json!(3),
            "expected `hole_start` 4 (`window_start` and the prefix's bytes), found 3",
        ),
        (
            Suite::Contexts,
            &context("o/n", "é"),
            "hole_kind",
            json!("gap"),
            "expected a row of `contexts`, found unknown variant `gap`, expected one of `call-site`, `identifier`, `arguments`, `import`, `statement`, `line-end`, `block`",
        ),
        (
            Suite::Pairs,
            &context("o/n", "é"),
            "type",
            json!("lie"),
            "`type`: expected a type of hallucination, found `\"lie\"`",
        ),
        (
            Suite::Mbpp,
            &lists,
            "test_list",
            json!([]),
            "`test_list`: expected at least one test, found none",
        ),
        (
            Suite::Mbpp,
            &lists,
            "task_id",
            json!([1]),
            "`task_id`: expected a number or a text, found `[1]`",
        ),
        (
            Suite::MbppPlus,
            &lists,
            "test_list",
            json!(["a"]),
            "`test`: expected a value, found no such field beside `code`, `task_id`, `test_list`, `text`",
        ),
        (
            Suite::HumanEvalPlus,
            &row,
            "task_id",
            json!("HumanEval/0"),
            "`test`: expected EvalPlus's tests, with a list `inputs`, found other ones; HumanEval's own are the suite `humaneval`",
        ),
        (
            Suite::HumanEval,
            &row,
            "test",
            json!("def check(c):\n    inputs = [[1]]"),
            "`test`: expected HumanEval's own tests, found a list `inputs`; EvalPlus's tests are the suite `humaneval-plus`",
        ),
        (
            Suite::BigCodeBench,
            &row,
            "code_prompt",
            json!(""),
            "`code_prompt`: expected a text that is not empty, found ``",
        ),
    ] {
        let expected = format!("f.jsonl:2: {expected}");
        let error = changed(suite, row, field, value);
        assert!(error.starts_with(&expected), "{error}\n{expected}");
        let advice = format!("; docs/eval.md says which files `{suite}` reads");
        assert!(error.ends_with(&advice), "{error}");
    }
}

#[test]
fn what_is_no_row_is_refused_by_line() {
    let good = lines(&[infilling("SingleLineInfilling/HumanEval/0/L0")]);
    let suite = Suite::HumanEvalInfilling;
    for (second, expected) in [
        (
            &b"{\"task_id\": \n"[..],
            "expected a JSON object, found EOF while parsing a value",
        ),
        (
            b"[1]\n",
            "expected a JSON object, found invalid type: sequence",
        ),
        (
            b"{\"a\": \"\xff\"}\n",
            "expected UTF-8, found invalid utf-8 sequence of 1 bytes from index 7",
        ),
        (
            b"{\"a\": NaN}\n",
            "expected a JSON object, found expected value at column",
        ),
        (
            good.as_bytes(),
            "expected an id that no other row has, found `SingleLineInfilling/HumanEval/0/L0`, which stands at",
        ),
    ] {
        let error = refused(suite, "f.jsonl", &[good.as_bytes(), second].concat());
        assert!(
            error.starts_with(&format!("f.jsonl:2: {expected}")),
            "{error}"
        );
    }
    let twice = refused(suite, "f.jsonl", good.repeat(2).as_bytes());
    assert!(twice.contains("f.jsonl:1 too"), "{twice}");
    let long = [good.as_bytes(), &vec![b' '; 33 << 20], b"{}\n"].concat();
    let error = refused(suite, "f.jsonl", &long);
    let expected = "f.jsonl:2: expected a line of at most 33554432 bytes, found a longer one";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn malformed_csv_is_refused_by_the_line_in_which_a_record_starts() {
    for (rest, expected) in [
        ("go-2,go\n", "f.csv:5: expected 9 fields, found 2"),
        (
            "a,b,c,d,e,f,g,h,i,j\n",
            "f.csv:5: expected 9 fields, found 10",
        ),
        // A quotation mark that is not closed takes the rest.
        (
            "\"go-2,go,a.go\n\n\n",
            "f.csv:5: expected 9 fields, found 1",
        ),
        (
            "go-2,go,a.go,class,p,s,g,h,r\n",
            "f.csv:5: `hallucination_type`: expected one of `import`, `method`, `parameter`, `undefinedvariable`, found `class`",
        ),
        (
            "go-2,go,,method,p,s,g,h,r\n",
            "f.csv:5: `file_path`: expected a text that is not empty, found ``",
        ),
        (
            "go-1,go,a.go,method,p,s,g,h,r\n",
            "f.csv:5: expected an id that no other row has, found `go-1`",
        ),
    ] {
        let error = refused(Suite::Delulu, "f.csv", format!("{CSV}{rest}").as_bytes());
        assert!(error.starts_with(expected), "{error}\n{expected}");
    }
    let latin = [CSV.as_bytes(), b"go-2,go,a.go,method,\xe9,s,g,h,r\n"].concat();
    let error = refused(Suite::Delulu, "f.csv", &latin);
    assert!(
        error.starts_with("f.csv:5: expected UTF-8, found"),
        "{error}"
    );
    let error = refused(
        Suite::Delulu,
        "f.csv",
        CSV.replace("repo_url", "url").as_bytes(),
    );
    assert!(
        error.starts_with(
            "f.csv:2: `repo_url`: expected a column, found no such column beside `benchmark_id`"
        ),
        "{error}"
    );
    let long = format!("{CSV}\"{}", "x".repeat(33 << 20));
    let error = refused(Suite::Delulu, "f.csv", long.as_bytes());
    let expected = "f.csv:5: expected a record of at most 33554432 bytes, found a longer one";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn files_that_are_not_read_are_refused_with_advice() {
    for (suite, name, bytes, expected) in [
        (
            Suite::Safim,
            "f.jsonl",
            &b""[..],
            "f.jsonl: expected rows of `safim`, found none; fetch the file again",
        ),
        (
            Suite::Delulu,
            "f.csv",
            b"",
            "f.csv: expected rows of `delulu`, found none",
        ),
        (
            Suite::Delulu,
            "f.csv",
            b"benchmark_id\n",
            "f.csv: expected rows of `delulu`, found none",
        ),
        (
            Suite::Safim,
            "f.parquet",
            b"PAR1",
            "f.parquet: expected JSON lines, found Parquet; convert it: python3 -c \"import pandas; pandas.read_parquet('",
        ),
        (
            Suite::Safim,
            "f.jsonl",
            b"PAR1",
            "f.jsonl: expected JSON lines, found Parquet",
        ),
        (
            Suite::Safim,
            "f.jsonl.gz",
            b"{\"task_id\": \"not packed\"}\n",
            "f.jsonl.gz: invalid gzip header",
        ),
        (
            Suite::Safim,
            "f.jsonl.gz",
            &gzip("{}\n")[..12],
            "f.jsonl.gz: ",
        ),
    ] {
        let error = refused(suite, name, bytes);
        assert!(error.starts_with(expected), "{error}\n{expected}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("x.txt"), "").expect("written");
    let data = [folder.path().to_owned()];
    let error = load(Suite::Delulu, &data, Form::Complete)
        .expect_err("refused")
        .to_string();
    let expected = "expected files of `delulu` that end in `.csv` (with `.gz` or `.zst`), found 1 entries of other names; name the file itself";
    assert!(error.ends_with(expected), "{error}");
    fs::write(folder.path().join("y.parquet"), "").expect("written");
    let error = load(Suite::Delulu, &data, Form::Complete)
        .expect_err("refused")
        .to_string();
    assert!(error.contains("found Parquet"), "{error}");
    let missing = [folder.path().join("none.jsonl")];
    let error = load(Suite::Safim, &missing, Form::Complete)
        .expect_err("refused")
        .to_string();
    assert!(error.contains("none.jsonl: No such file"), "{error}");
    let error = load(Suite::Safim, &missing, Form::Instruct)
        .expect_err("refused")
        .to_string();
    assert_eq!(
        error,
        "`safim` has no instructions: expected the form `complete`, found `instruct`; leave the form out"
    );
}
