//! What a reply says, if it has exactly the form that was asked for.

use std::sync::LazyLock;

use regex::Regex;

use crate::panel::{AskError, Finish, Reply};
use crate::rows::{Subject, VerdictKind};

/// The form that both prompts ask for; `ANSWER` is what differs.
const FORM: &str = r"(?s)\A\s*Detailed Reasoning:(.*)\n\s*ANSWER\s*\z";

const BLIND_LABEL: &str = "Final Average Score for Completion:";
const PREFERENCE_LABEL: &str = "Preferred Completion:";

static BLIND: LazyLock<Regex> = LazyLock::new(|| form(BLIND_LABEL, "([01])"));
static PREFERENCE: LazyLock<Regex> = LazyLock::new(|| form(PREFERENCE_LABEL, "([AB])"));

fn form(label: &str, answer: &str) -> Regex {
    let pattern = FORM.replace("ANSWER", &format!("{label} *{answer}"));
    // The pattern is a constant that the tests use.
    Regex::new(&pattern).unwrap_or_else(|problem| unreachable!("{problem}"))
}

/// A verdict, or why there is none. A blocked, cut or unreadable reply is missing, never 0.
///
/// `first` is the candidate that was shown first, where there were two.
///
/// # Errors
/// The reason why there is no verdict.
pub fn verdict(
    answer: Result<Reply, AskError>,
    kind: VerdictKind,
    first: Option<Subject>,
) -> Result<u8, String> {
    let reply = answer.map_err(|error| match error {
        AskError::Failed(why) => format!("failed: {why}"),
        AskError::Stop(_) => "stopped".to_owned(),
        AskError::Budget(_) => "budget".to_owned(),
        AskError::Secret => "secret".to_owned(),
    })?;
    match reply.finish {
        Finish::Blocked => Err("blocked".into()),
        Finish::Length => Err("cut at the limit of tokens".into()),
        Finish::Stop => match kind {
            VerdictKind::Blind => score(&reply.text),
            VerdictKind::Preference => preferred(&reply.text, first),
        }
        .map_err(|why| format!("unreadable: {why}")),
    }
}

fn score(text: &str) -> Result<u8, &'static str> {
    Ok(u8::from(answer(&BLIND, BLIND_LABEL, text)? == "1"))
}

/// 1 where the negative is preferred.
fn preferred(text: &str, first: Option<Subject>) -> Result<u8, &'static str> {
    let chose_first = answer(&PREFERENCE, PREFERENCE_LABEL, text)? == "A";
    Ok(u8::from(chose_first == (first == Some(Subject::Rejected))))
}

fn answer<'t>(form: &Regex, label: &str, text: &'t str) -> Result<&'t str, &'static str> {
    let Some(found) = form.captures(text) else {
        return Err("not the form that was asked for");
    };
    let [reasoning, answer] = found.extract().1;
    if reasoning.trim().is_empty() {
        return Err("no reasoning");
    }
    if reasoning.contains(label) {
        return Err("more than one answer");
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str, finish: Finish) -> Result<Reply, AskError> {
        Ok(Reply {
            text: text.into(),
            finish,
            input_tokens: 1,
            output_tokens: 1,
        })
    }

    #[test]
    fn blind_replies_are_read_strictly() {
        let table = [
            (
                "Detailed Reasoning: fine\nFinal Average Score for Completion: 1",
                Ok(1),
            ),
            (
                "Detailed Reasoning: a\nb\n\nFinal Average Score for Completion: 0\n",
                Ok(0),
            ),
            (
                " Detailed Reasoning: é\r\n Final Average Score for Completion: 1 ",
                Ok(1),
            ),
            ("Final Average Score for Completion: 1", Err("not the form")),
            (
                "Detailed Reasoning:\nFinal Average Score for Completion: 1",
                Err("no reasoning"),
            ),
            (
                "Detailed Reasoning: x\nFinal Average Score for Completion: 2",
                Err("not the form"),
            ),
            (
                "Detailed Reasoning: x\nFinal Average Score for Completion: 0.5",
                Err("not the form"),
            ),
            (
                "Detailed Reasoning: x\nFinal Average Score for Completion: 10",
                Err("not the form"),
            ),
            (
                "Detailed Reasoning: x\nFinal Average Score for Completion: <1>",
                Err("not the form"),
            ),
            (
                "Detailed Reasoning: x\nfinal average score for completion: 1",
                Err("not the form"),
            ),
            (
                "Detailed Reasoning: x\nFinal Average Score for Completion: 1\nGood",
                Err("not the form"),
            ),
            (
                "**Detailed Reasoning:** x\nFinal Average Score for Completion: 1",
                Err("not the form"),
            ),
            (
                "Detailed Reasoning: x\nFinal Average Score for Completion: 0\nNo:\n\
                 Final Average Score for Completion: 1",
                Err("more than one answer"),
            ),
            ("1", Err("not the form")),
            ("", Err("not the form")),
        ];
        for (text, expected) in table {
            let found = verdict(reply(text, Finish::Stop), VerdictKind::Blind, None);
            match expected {
                Ok(score) => assert_eq!(found, Ok(score), "{text:?}"),
                Err(why) => {
                    let missing = found.expect_err(text);
                    assert!(
                        missing.starts_with("unreadable: ") && missing.contains(why),
                        "{text:?}: {missing}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_preference_is_for_the_negative_or_not() {
        let ask = |letter: &str, first| {
            let text = format!("Detailed Reasoning: x\nPreferred Completion: {letter}");
            verdict(
                reply(&text, Finish::Stop),
                VerdictKind::Preference,
                Some(first),
            )
        };
        assert_eq!(ask("A", Subject::Rejected), Ok(1));
        assert_eq!(ask("B", Subject::Rejected), Ok(0));
        assert_eq!(ask("A", Subject::Golden), Ok(0));
        assert_eq!(ask("B", Subject::Golden), Ok(1));
        assert!(ask("C", Subject::Golden).is_err());
    }

    #[test]
    fn what_is_no_answer_is_missing_with_its_reason() {
        let good = "Detailed Reasoning: x\nFinal Average Score for Completion: 0";
        let read = |answer| verdict(answer, VerdictKind::Blind, None);
        for (answer, expected) in [
            (reply(good, Finish::Blocked), "blocked"),
            (reply(good, Finish::Length), "cut at the limit of tokens"),
            (Err(AskError::Failed("500".into())), "failed: 500"),
            (Err(AskError::Stop("401".into())), "stopped"),
            (Err(AskError::Budget("5 EUR".into())), "budget"),
            (Err(AskError::Secret), "secret"),
        ] {
            assert_eq!(read(answer), Err(expected.to_owned()));
        }
    }
}
