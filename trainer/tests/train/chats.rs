//! Instructions.

use truefill_trainer::train::chat::{Chat, ChatError, ChatRecipe};
use truefill_trainer::train::data::{Question, RowKind, read};
use truefill_trainer::train::error::DataError;
use truefill_trainer::train::example::{Rendered, Renderer, Settings, Skip};
use truefill_trainer::train::held_out::HeldOut;
use truefill_trainer::train::set::{TrainingSet, Unfit};

use crate::support::{bound, everything, example, row, settings, tokenizer};

const CHATML: &str = "<|im_start|>system\n{{system}}<|im_end|>\n<|im_start|>user\n{{instruction}}<|im_end|>\n<|im_start|>assistant\n";

fn recipe(template: &str, end: &str) -> ChatRecipe {
    ChatRecipe {
        template: template.to_owned(),
        end: end.to_owned(),
    }
}

fn renderer(settings: Settings) -> Renderer {
    let chat = Chat::bind(&recipe(CHATML, "<|im_end|>"), &tokenizer("qwen2.5-coder")).unwrap();
    Renderer::new(&bound("qwen2.5-coder"), &[], Some(chat), settings).unwrap()
}

fn instruct(
    instruction: &str,
    chosen: &str,
    rejected: &str,
) -> truefill_trainer::train::data::TrainRow {
    let mut row = row("i", ["", chosen, ""], Some(rejected));
    row.question = Question::Instruct {
        system: "Be brief.".into(),
        instruction: instruction.to_owned(),
    };
    row
}

#[test]
fn a_template_becomes_control_tokens_and_text() {
    let renderer = renderer(settings(everything()));
    let found = example(&renderer, &instruct("Add.", "a + b", "a - b"), 0);
    let tokenizer = renderer.tokenizer();
    assert_eq!(
        tokenizer.decode(&found.prompt),
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nAdd.<|im_end|>\n<|im_start|>assistant\n"
    );
    let id = |token: &str| tokenizer.id(token).unwrap();
    let controls = found.prompt.iter().filter(|id| tokenizer.is_special(**id));
    assert_eq!(controls.count(), 5);
    assert_eq!(found.prompt[0], id("<|im_start|>"));
    // Text between two control tokens is one text, whatever it was put together from.
    let text = tokenizer.encode("user\nAdd.").unwrap();
    assert!(found.prompt.windows(text.len()).any(|part| part == text));
    assert_eq!(found.chosen.last(), Some(&id("<|im_end|>")));
    assert_eq!(found.rejected.last(), Some(&id("<|im_end|>")));
    let marks: Vec<u8> = found.chosen_marks.clone();
    assert!(marks.contains(&1) && found.layout.is_none());
}

#[test]
fn what_fills_a_place_is_no_control_token() {
    let renderer = renderer(settings(everything()));
    let found = example(
        &renderer,
        &instruct("say <|im_end|> {{system}}", "a", "b"),
        0,
    );
    let tokenizer = renderer.tokenizer();
    let controls = found.prompt.iter().filter(|id| tokenizer.is_special(**id));
    assert_eq!(controls.count(), 5);
    assert!(tokenizer.decode(&found.prompt).contains("{{system}}"));
}

#[test]
fn long_instructions_are_left_out_whole() {
    let renderer = renderer(settings(everything()));
    let long = instruct(&"word ".repeat(200), "a", "b");
    let found = renderer.render(&long, 0).unwrap();
    assert_eq!(found, Rendered::Skipped(Skip::TooLong));
}

#[test]
fn templates_that_cannot_be_meant_are_refused() {
    let tokenizer = tokenizer("qwen2.5-coder");
    let bind = |template: &str, end: &str| Chat::bind(&recipe(template, end), &tokenizer).err();
    assert_eq!(bind("{{instruction}}", "<|im_end|>"), None);
    assert_eq!(
        bind("{{wat}}", "<|im_end|>"),
        Some(ChatError::Place("wat".into()))
    );
    assert_eq!(bind("Hello", "<|im_end|>"), Some(ChatError::Instruction(0)));
    // A word is no end: it would stand in code, too.
    assert_eq!(
        bind("{{instruction}}", "end"),
        Some(ChatError::End("end".into()))
    );
    let error = bind("{{wat}}", "<|im_end|>").unwrap().to_string();
    assert!(
        error.contains("found `{{wat}}`") && error.contains("`{{system}}`"),
        "{error}"
    );
}

#[test]
fn a_begin_token_stands_first_where_the_model_expects_one() {
    let tokenizer = tokenizer("codellama-spm");
    let chat = Chat::bind(
        &recipe("[INST] {{instruction}} [/INST]", "</s>"),
        &tokenizer,
    )
    .unwrap();
    let tokens = chat.prompt(&tokenizer, "", "x").unwrap();
    assert_eq!(tokens.first().copied(), tokenizer.bos());
    assert!(tokens[1..].iter().all(|id| !tokenizer.is_special(*id)));
    // A template that spells it has no second one.
    let spelled = recipe("<s>[INST] {{instruction}} [/INST]", "</s>");
    let chat = Chat::bind(&spelled, &tokenizer).unwrap();
    assert_eq!(chat.prompt(&tokenizer, "", "x").unwrap(), tokens);
}

#[test]
fn the_common_columns_of_instruction_data_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("i.jsonl");
    let lines = [
        r#"{"instruction": "Add.", "response": "a + b", "source": "x"}"#,
        r#"{"prompt": "Add.", "chosen": "a + b", "rejected": "a - b", "id": "7"}"#,
        r#"{"problem": "Add.", "solution": "a + b"}"#,
        r#"{"task_id": 11, "instruction": "Sort.", "input": "3 1 2", "output": "1 2 3"}"#,
        r#"{"instruction": "Name.", "prompt": "Name.", "input": "", "output": "Ada"}"#,
    ];
    std::fs::write(&file, lines.join("\n")).unwrap();
    let rows = read(&file, RowKind::Instruct).unwrap();
    assert_eq!(rows[1].place.id, "7");
    assert_eq!(rows[1].rejected.as_deref(), Some("a - b"));
    // Without an id, what a row says is its name.
    assert_eq!(rows[0].place.id, rows[2].place.id);
    let held_out = HeldOut::default();
    let renderer = renderer(settings(
        truefill_trainer::train::objective::Needs::default(),
    ));
    let files = [file.clone()];
    let set = TrainingSet::load(
        &files,
        RowKind::Instruct,
        &renderer,
        (&held_out, Unfit::Refuse),
        Unfit::Refuse,
    );
    assert_eq!(set.unwrap().rows.len(), 5);
    let asked = |row: usize| match &rows[row].question {
        Question::Instruct { instruction, .. } => instruction.as_str(),
        other @ Question::Fim { .. } => panic!("{other:?}"),
    };
    assert_eq!(
        (rows[3].place.id.as_str(), asked(3)),
        ("11", "Sort.\n3 1 2")
    );
    assert_eq!(asked(4), "Name.");
}

#[test]
fn instructions_are_held_out_by_what_they_ask() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, line: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, line).unwrap();
        file
    };
    let train = write(
        "train.jsonl",
        r#"{"id": 1, "instruction": "Sort.", "input": "3 1 2", "output": "1 2 3"}"#,
    );
    let cases = [
        // Its number is another set's number.
        (r#"{"id": 1, "prompt": "Add.", "solution": "a + b"}"#, None),
        (r#"{"id": "1"}"#, Some("by its id")),
        (
            r#"{"id": 9, "problem": "Sort.\n3 1 2", "response": "[1, 2, 3]"}"#,
            Some("by its instruction"),
        ),
    ];
    for (line, expected) in cases {
        let mut held_out = HeldOut::default();
        let file = write("held_out.jsonl", line);
        held_out.read(&file, RowKind::Instruct).unwrap();
        let renderer = renderer(settings(
            truefill_trainer::train::objective::Needs::default(),
        ));
        let set = TrainingSet::load(
            std::slice::from_ref(&train),
            RowKind::Instruct,
            &renderer,
            (&held_out, Unfit::Refuse),
            Unfit::Refuse,
        );
        match expected {
            None => assert_eq!(set.unwrap().rows.len(), 1),
            Some(expected) => {
                let error = set.unwrap_err();
                assert!(matches!(error, DataError::HeldOut { .. }), "{error}");
                assert!(error.to_string().contains(expected), "{error}");
            }
        }
    }
}

#[test]
fn columns_that_contradict_each_other_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("i.jsonl");
    for (line, expected) in [
        (
            r#"{"prompt": "Add.", "response": "a", "output": "b"}"#,
            "`response` and `output`",
        ),
        (r#"{"prompt": "Add."}"#, "no `response`, `chosen`"),
        (r#"{"output": "a"}"#, "no `instruction`, `prompt`"),
    ] {
        std::fs::write(&file, line).unwrap();
        let error = read(&file, RowKind::Instruct).unwrap_err().to_string();
        assert!(
            error.contains("i.jsonl:1") && error.contains(expected),
            "{error}"
        );
    }
}
