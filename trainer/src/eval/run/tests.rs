use anyhow::bail;

use super::*;

/// Cannot complete `a`, nor say how likely anything in `b` is.
struct Broken;

impl Backend for Broken {
    fn identity(&self) -> &'static str {
        "broken"
    }

    fn complete(&mut self, rows: &[&EvalRow], hear: Hear<'_>) -> Result<()> {
        for (at, row) in rows.iter().enumerate().rev() {
            let told = match &*row.id {
                "a" => Err("no numbers".to_owned()),
                _ => Ok(Timed::ended(row.id.clone())),
            };
            (hear.done)(at, told)?;
        }
        Ok(())
    }

    fn likelihood(&mut self, row: &EvalRow, _: &str) -> Result<Option<Likelihood>> {
        match &*row.id {
            "a" => bail!("asked for a row that failed"),
            "b" => bail!("not finite"),
            _ => Ok(Some(Likelihood {
                log_probability: -1.0,
                tokens: 1,
            })),
        }
    }
}

#[test]
fn a_row_that_fails_fails_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let row = |id: &str| {
        let question = Question::Infill {
            prefix: format!("{id} = "),
            suffix: String::new(),
        };
        EvalRow {
            rejected: Some("no".into()),
            ..EvalRow::new(id.into(), question, "yes".into(), "python")
        }
    };
    let rows = ["c", "b", "a", "d"].map(row);
    let evaluation = Evaluation {
        rows: &rows,
        backend: &mut Broken,
        decoding: &Decoding::default(),
        cache: folder.path(),
        runner: None,
        workers: 1,
        progress: &Progress::new("test"),
        stop: &|| false,
    };
    let outcome = evaluation.run().expect("runs");
    let failed: Vec<(usize, &str)> = outcome
        .failed
        .iter()
        .map(|(at, problem)| (*at, &**problem))
        .collect();
    assert_eq!(failed, [(1, "not finite"), (2, "no numbers")]);
    let text = |result: &Option<RowResult>| Some(result.as_ref()?.completion.text.clone());
    let texts: Vec<Option<String>> = outcome.results.iter().map(text).collect();
    assert_eq!(texts, [Some("c".into()), None, None, Some("d".into())]);
    assert_eq!(outcome.timings.len(), 3);
}

#[test]
fn an_error_ends_what_is_not_begun() {
    let begun = AtomicUsize::new(0);
    let one = |at: usize| {
        begun.fetch_add(1, Ordering::Relaxed);
        match at {
            0 => bail!("broken"),
            _ => {
                std::thread::sleep(std::time::Duration::from_millis(1));
                Ok(())
            }
        }
    };
    let ended = spread(10_000, 2, &|| false, &one);
    assert_eq!(ended.expect_err("broken").to_string(), "broken");
    assert!(begun.load(Ordering::Relaxed) < 10_000);
}
