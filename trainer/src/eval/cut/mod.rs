//! Where a completion ends for a benchmark: models go on after the hole, and each protocol says how much
//! of that it forgives.
//!
//! Pure functions that return a prefix of the completion. Their names follow the protocols, which are
//! named with them.

pub mod fence;
pub mod lines;
pub mod safim;
pub mod statement;
pub mod stops;

use super::row::EvalRow;

/// Where a benchmark ends a completion, beside the texts at which generation stops.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cut {
    /// Nowhere.
    #[default]
    None,
    /// After the first statement (CrossCodeEval).
    Statement,
    /// After the call (SAFIM, API).
    SafimApi,
    /// After the expression that controls (SAFIM, control).
    SafimControl,
    /// After the block (SAFIM, block and block-v2).
    SafimBlock {
        /// What stands before the hole in the program that is run, which is not the prompt.
        eval_prefix: String,
        /// What stands after it there.
        eval_suffix: String,
    },
    /// The code alone, of an answer in words and code.
    Code,
}

impl Cut {
    /// What a benchmark takes of a completion: up to the first of the row's stops, then as the cut says.
    /// What cannot be judged (a language without a grammar, a program that does not parse) is left as
    /// it is.
    #[must_use]
    pub fn apply<'a>(&self, row: &EvalRow, completion: &'a str) -> &'a str {
        let completion = stops::before_stop(completion, row.stops);
        match (self, row.grammar) {
            (Self::Code, _) => fence::code_block(completion),
            (Self::SafimApi, _) => safim::api_call(completion),
            (Self::SafimControl, Some(language)) => safim::control(language, completion),
            (Self::Statement, Some(language)) => {
                statement::first_statement(language, row.question.before(), completion)
            }
            (
                Self::SafimBlock {
                    eval_prefix,
                    eval_suffix,
                },
                Some(language),
            ) => safim::block(language, eval_prefix, eval_suffix, completion).unwrap_or(completion),
            _ => completion,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::row::Question;

    #[test]
    fn each_cut_ends_a_completion_in_its_way() {
        let prefix = "x = ".to_owned();
        let suffix = String::new();
        let question = Question::Infill { prefix, suffix };
        let mut row = EvalRow::new("r".into(), question, String::new(), "Py");
        let block = Cut::SafimBlock {
            eval_prefix: "while a:\n    ".into(),
            eval_suffix: "\nb()\n".into(),
        };
        for (cut, completion, expected) in [
            (Cut::None, "1\n2", "1\n2"),
            (Cut::Statement, "f(\n1)\ny = 2\n", "f(\n1)"),
            (Cut::SafimApi, "f(g(1)) + 2", "f(g(1))"),
            (Cut::SafimControl, "\na < b\nc", "a < b"),
            (block, "c()\nd()\n", "c()\n"),
            (Cut::Code, "So:\n```python\na\n```\n", "a\n"),
        ] {
            assert_eq!(cut.apply(&row, completion), expected, "{cut:?}");
        }
        row.stops = &["\n#"];
        assert_eq!(Cut::None.apply(&row, "1\n# 2"), "1");
        // Without a grammar there is nothing to judge by.
        row.grammar = None;
        assert_eq!(Cut::SafimControl.apply(&row, "a\nb"), "a\nb");
    }
}
