//! Whether an engine that was just opened gives sense: it is asked a few prompts before anybody's.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::{
    CancelToken, Engine, EngineError, EngineKind, EngineRequest, Flow, Generated, Sampling,
};

/// Beginnings that any code model goes on with, and what stands behind.
const PROMPTS: [(&str, &str); 4] = [
    ("def add(a, b):\n    return ", "\n\nprint(add(1, 2))\n"),
    ("for (let i = 0; i < ", "; i++) {\n  console.log(i);\n}\n"),
    (
        "fn main() {\n    let name = \"world\";\n    println!(",
        ");\n}\n",
    ),
    ("if err != nil {\n\treturn ", "\n}\n"),
];

/// Tokens of an answer at most.
const TOKENS: usize = 16;

/// One token so often in a row is no code.
const REPEATED: usize = 12;

/// Time for one answer: whoever is slower than that serves nobody.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks the prompts; they also warm the engine up.
///
/// # Errors
/// What is wrong with it, as a sentence's end.
pub fn check(engine: &dyn Engine) -> Result<(), String> {
    // A remote backend is asked by the user's requests alone.
    if engine.info().kind == EngineKind::Remote {
        return Ok(());
    }
    let mut silent = 0;
    for (prefix, suffix) in PROMPTS {
        let answer = ask(engine, prefix, suffix).map_err(|error| error.to_string())?;
        if repeats(&answer.tokens) {
            return Err("it says one token again and again".to_owned());
        }
        silent += usize::from(answer.text.trim().is_empty());
    }
    let says_nothing = silent == PROMPTS.len() && engine.info().kind == EngineKind::Local;
    match says_nothing {
        true => Err("it says nothing to any of the canary prompts".to_owned()),
        false => Ok(()),
    }
}

fn ask(engine: &dyn Engine, prefix: &str, suffix: &str) -> Result<Generated, EngineError> {
    let request = EngineRequest {
        document: "canary:".to_owned(),
        prefix: prefix.to_owned(),
        suffix: suffix.to_owned(),
        path: None,
        repo: None,
        chunks: Vec::new(),
        window_tokens: 64,
        suffix_share: 0.5,
        max_new_tokens: TOKENS,
        sampling: Sampling::GREEDY,
        deadline: Some(Instant::now() + PATIENCE),
    };
    let asked = catch_unwind(AssertUnwindSafe(|| {
        engine.complete(&request, &CancelToken::new(), &mut |_| Flow::Continue)
    }));
    engine.forget(&request.document);
    asked.unwrap_or(Err(EngineError::Panicked))
}

fn repeats(tokens: &[u32]) -> bool {
    tokens
        .windows(REPEATED)
        .any(|run| run.iter().all(|token| *token == run[0]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::scripted::{Script, Scripted, ScriptedEngine};

    fn checked(answer: Scripted) -> Result<(), String> {
        let script = Script {
            answers: vec![answer],
            ..Script::default()
        };
        check(&ScriptedEngine::new(script).expect("an engine"))
    }

    #[test]
    fn an_engine_that_fails_or_panics_is_found_out() {
        let fine = Scripted {
            texts: vec!["a + b".into()],
            ..Scripted::default()
        };
        assert_eq!(checked(fine.clone()), Ok(()));
        let panics = Scripted {
            panic: true,
            ..fine.clone()
        };
        assert!(checked(panics).unwrap_err().contains("panicked"));
        let fails = Scripted {
            error: Some("broken weights".into()),
            ..fine
        };
        assert!(checked(fails).unwrap_err().contains("broken weights"));
    }

    #[test]
    fn one_token_again_and_again_is_no_code() {
        assert!(repeats(&[[5].as_slice(), &[7; 12]].concat()));
        assert!(!repeats(&[7; 11]));
        assert!(!repeats(&[[7; 11].as_slice(), &[8; 11]].concat()));
    }
}
