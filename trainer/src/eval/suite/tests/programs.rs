//! Programs of suites that are judged by running them: the golden completion passes in the real sandbox and
//! a wrong one fails.

use super::*;
use crate::eval::sandbox::Status;
use crate::eval::sandbox::python::Python;
use crate::eval::sandbox::tests::{PATIENT, python};

fn one(suite: Suite, name: &str, row: &Value, form: Form) -> EvalRow {
    let loaded = read(suite, name, row.to_string().as_bytes(), form).expect("a row");
    assert_eq!(loaded.rows.len(), 1);
    loaded.rows.into_iter().next().expect("a row")
}

fn passes(python: &Python, row: &EvalRow, completion: &str) -> bool {
    let program = row.program.as_ref().expect("a program");
    let completion = row.cut.apply(row, completion);
    let outcome = python.run(&program.with(completion)).expect("a run");
    if outcome.status != Status::Passed {
        println!("{} {completion:?}: {}", row.id, outcome.stderr);
    }
    outcome.status == Status::Passed
}

/// The golden completion passes, also with what a base model adds, and none of the wrong ones.
fn judges(python: &Python, row: &EvalRow, wrong: &[&str]) {
    assert!(passes(python, row, &row.golden), "{row:#?}");
    let longer = format!("{}\nprint(1 / 0)\n", row.golden);
    assert!(passes(python, row, &longer), "{row:#?}");
    for wrong in wrong {
        assert!(!passes(python, row, wrong), "{wrong:?} {row:#?}");
    }
}

fn function() -> Value {
    json!({
        "task_id": "HumanEval/0", "entry_point": "add", "canonical_solution": "    return a + b\n",
        "prompt": "from typing import Any\n\ndef add(a: Any, b: Any):\n    \"\"\"Adds, \"é\\n\".\"\"\"\n",
        "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n",
    })
}

#[test]
fn humaneval_is_judged_by_its_tests() {
    let row = one(Suite::HumanEval, "h.jsonl", &function(), Form::Complete);
    assert_eq!((&*row.kind, &*row.cluster), ("base", "HumanEval/0"));
    assert_eq!(row.program.as_ref().expect("a program").wall.as_secs(), 3);
    let mut plus = function();
    plus["test"] = "def check(candidate):\n    inputs = [[1, 2], [-1, 1]]\n    results = [3, 0]\n    \
        for i, (inp, exp) in enumerate(zip(inputs, results)):\n        assert candidate(*inp) == exp\n"
        .into();
    let plus = one(Suite::HumanEvalPlus, "h.jsonl", &plus, Form::Complete);
    assert_eq!(plus.kind, "plus");
    let Some(python) = python(PATIENT) else {
        return;
    };
    judges(
        &python,
        &row,
        &["    return a - b\n", "    import sys; sys.exit(0)\n", ""],
    );
    judges(&python, &plus, &["    return abs(a) + abs(b)\n"]);
    assert!(passes(&python, &row, "    return abs(a) + abs(b)\n"));
}

/// The form of EvalPlus's release.
fn released() -> Value {
    let mut row = function();
    row["atol"] = 0.into();
    row["base_input"] = json!([[1, 2]]);
    row["plus_input"] = json!([[-1, 1], ["a", "b"], [0.1, 0.2], [[], [1]]]);
    row
}

#[test]
fn a_release_of_evalplus_is_judged_by_its_solution() {
    let base = one(Suite::HumanEval, "h.jsonl", &released(), Form::Complete);
    let plus = one(Suite::HumanEvalPlus, "h.jsonl", &released(), Form::Complete);
    assert_eq!((&*base.kind, &*plus.kind), ("base", "plus"));
    assert!(
        !base
            .program
            .as_ref()
            .expect("a program")
            .tail
            .contains("[-1,1]")
    );
    // Numbers that no type of ours has.
    let line = released().to_string();
    let huge = format!("[[Infinity, 1], [{}, 1], [-1, 1]]", "9".repeat(5000));
    let line = line.replace(r#"[[-1,1],["a","b"],[0.1,0.2],[[],[1]]]"#, &huge);
    assert!(line.contains("Infinity"));
    let loaded = read(
        Suite::HumanEvalPlus,
        "h.jsonl",
        line.as_bytes(),
        Form::Complete,
    );
    let huge = loaded.expect("a row").rows.remove(0);
    let Some(python) = python(PATIENT) else {
        return;
    };
    judges(&python, &base, &["    return a - b\n"]);
    let short = "    return abs(a) + abs(b)\n";
    assert!(passes(&python, &base, short));
    let endless = "    while a == -1:\n        pass\n    return a + b\n";
    judges(
        &python,
        &plus,
        &[short, "    return a + b + 1e-3\n", endless],
    );
    // Floats need not be the same to the last bit.
    let near = "    return a + b + 1e-9 if isinstance(a, float) else a + b\n";
    assert!(passes(&python, &plus, near));
    judges(&python, &huge, &["    return max(a + b, 1)\n"]);
}

#[test]
fn a_root_need_not_be_the_same_root() {
    let mut row = released();
    row["entry_point"] = "find_zero".into();
    row["prompt"] = "def find_zero(xs: list):\n".into();
    row["canonical_solution"] = "    return 1.0\n".into();
    row["base_input"] = json!([[[-1, 0, 1]]]);
    row["plus_input"] = json!([]);
    row["atol"] = json!(1e-4);
    let row = one(Suite::HumanEvalPlus, "h.jsonl", &row, Form::Complete);
    let Some(python) = python(PATIENT) else {
        return;
    };
    judges(&python, &row, &["    return 0.5\n"]);
    assert!(passes(&python, &row, "    return -1.0\n"));
}

fn mbpp(number: u32, entry: &str, code: &str, inputs: Value) -> Value {
    json!({
        "task_id": format!("Mbpp/{number}"), "entry_point": entry, "canonical_solution": code,
        "prompt": "\"\"\"\nDo it.\nassert True\n\"\"\"\n", "atol": 0, "base_input": inputs, "plus_input": {},
    })
}

#[test]
fn arguments_of_mbpp_have_their_types_again() {
    let sets =
        "def similar_elements(a, b):\n    {hash(a), hash(b)}\n    return tuple(set(a) & set(b))\n";
    let not_none = "import re\ndef check_str(s):\n    return re.match('a', s)\n";
    let deep = "def f(a, b):\n    return hash((a, b))\n";
    let rows = [
        (
            mbpp(
                2,
                "similar_elements",
                sets,
                json!([[[3, 4], [4, 5]], [[1, 2, 3], [3, 2]]]),
            ),
            "def similar_elements(a, b):\n    return sorted(set(a) & set(b))[::-1]\n",
            "def similar_elements(a, b):\n    return a\n",
        ),
        (
            mbpp(1, "check_str", not_none, json!([["a"], ["b"]])),
            "def check_str(s):\n    return s[0] == 'a'\n",
            "def check_str(s):\n    return 1\n",
        ),
        (
            mbpp(580, "f", deep, json!([[[1, [2]], 3]])),
            deep,
            "def f(a, b):\n    return 0\n",
        ),
        (
            mbpp(
                252,
                "f",
                "def f(z):\n    return (abs(z), 0.0)\n",
                json!([["3+4j"]]),
            ),
            "def f(z):\n    return (5.0000000001, 0.0)\n",
            "def f(z):\n    return [5.0, 0.0]\n",
        ),
        (
            mbpp(
                558,
                "digit_distance_nums",
                "def digit_distance_nums(a, b):\n    return 0\n",
                json!([[12, 3]]),
            ),
            "def digit_distance_nums(a, b):\n    return 2\n",
            "def digit_distance_nums(a, b):\n    return 1\n",
        ),
    ];
    let rows = rows.map(|(row, other, wrong)| {
        (
            one(Suite::MbppPlus, "m.jsonl", &row, Form::Complete),
            other,
            wrong,
        )
    });
    let Some(python) = python(PATIENT) else {
        return;
    };
    for (row, other, wrong) in &rows {
        judges(&python, row, &[wrong]);
        assert!(passes(&python, row, other), "{other:?}");
    }
}

#[test]
fn mbpp_is_judged_by_its_list_of_tests() {
    let full = json!({
        "task_id": 7, "text": "Add.", "code": "def add(a, b):\n    return a + b\n",
        "test_setup_code": "one = 1", "challenge_test_list": [],
        "test_list": ["assert add(one, 2) == 3", "assert add(0, 0) == 0"],
    });
    let plus = json!({
        "task_id": 7, "prompt": "Add.", "code": "def add(a, b):\n    return a + b\n", "source_file": "x",
        "test_imports": ["from math import inf"], "test_list": ["assert add(1, 2) == 3"],
        "test": "inputs = [[inf, 1], [-1, 1]]\nresults = [inf, 0]\n\
            for i, (inp, exp) in enumerate(zip(inputs, results)):\n    assert add(*inp) == exp\n",
    });
    let base = one(Suite::Mbpp, "m.jsonl", &full, Form::Complete);
    assert_eq!((&*base.id, &*base.kind), ("Mbpp/7", "base"));
    let prompt = "\"\"\"\nAdd.\nassert add(one, 2) == 3\n\"\"\"\n".to_owned();
    assert_eq!(base.question, Question::Continue { prompt });
    let sanitised = one(Suite::Mbpp, "m.jsonl", &plus, Form::Complete);
    let plus = one(Suite::MbppPlus, "m.jsonl", &plus, Form::Complete);
    let Some(python) = python(PATIENT) else {
        return;
    };
    let short = "def add(a, b):\n    return abs(a) + abs(b)\n";
    judges(&python, &base, &["def add(a, b):\n    return 3\n"]);
    assert!(passes(&python, &sanitised, short));
    judges(&python, &plus, &[short]);
}

fn big() -> Value {
    json!({
        "task_id": "BigCodeBench/0", "entry_point": "task_func", "libs": "['os']", "doc_struct": "{}",
        "complete_prompt": "import os\nimport math\ndef task_func(a):\n    \"\"\"Root.\"\"\"\n",
        "instruct_prompt": "Write task_func.", "code_prompt": "import os\nimport math\ndef task_func(a):",
        "canonical_solution": "    return math.sqrt(a)\n",
        "test": "import unittest\nclass TestCases(unittest.TestCase):\n    def test_root(self):\n        \
            self.assertEqual(task_func(4), 2)\n    def test_name(self):\n        \
            self.assertTrue(__file__ and environ is os.environ)\n",
    })
}

#[test]
fn bigcodebench_is_judged_by_unit_tests() {
    let row = one(
        Suite::BigCodeBench,
        "BigCodeBench-Hard.jsonl",
        &big(),
        Form::Complete,
    );
    assert_eq!(
        (&*row.kind, row.program.as_ref().map(|p| p.wall.as_secs())),
        ("hard", Some(240))
    );
    let answered = one(
        Suite::BigCodeBench,
        "bigcodebench.jsonl",
        &big(),
        Form::Instruct,
    );
    assert_eq!(answered.kind, "full");
    let prompt = "Write task_func.".to_owned();
    assert_eq!(answered.question, Question::Instruct { prompt });
    let Some(python) = python(PATIENT) else {
        return;
    };
    let wrong = ["    return a\n", "    raise SystemExit(0)\n"];
    judges(&python, &row, &wrong);
    assert!(passes(&python, &answered, &answered.golden));
    // The imports are there without being said again.
    let answer = "Sure:\n```python\ndef task_func(a):\n    return math.sqrt(a)\n```\nDone.";
    assert!(passes(&python, &answered, answer));
    assert!(!passes(&python, &answered, "I cannot."));
}

#[test]
fn answers_are_whole_programs() {
    let rows = [
        one(Suite::HumanEval, "h.jsonl", &function(), Form::Instruct),
        one(Suite::HumanEvalPlus, "h.jsonl", &released(), Form::Instruct),
    ];
    let Some(python) = python(PATIENT) else {
        return;
    };
    for row in &rows {
        let Question::Instruct { prompt } = &row.question else {
            panic!("{row:?}")
        };
        assert!(
            prompt.contains("```python\nfrom typing import Any\n"),
            "{prompt}"
        );
        assert!(passes(&python, row, &row.golden));
        assert!(passes(
            &python,
            row,
            "```python\ndef add(a, b):\n    return a + b\n```"
        ));
        assert!(!passes(
            &python,
            row,
            "```python\ndef add(a, b):\n    return a\n```"
        ));
    }
}
