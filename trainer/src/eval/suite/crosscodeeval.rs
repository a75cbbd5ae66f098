//! CrossCodeEval (`amazon-science/cceval`, `<language>/line_completion*.jsonl`).
//!
//! Its protocol puts what was retrieved (`crossfile_context.text`) before the prompt and lets a model
//! go on from there; the right context is in the files and not in its prompts. Here it is the suffix: that is
//! how models that fill in are measured on this set.

use super::Origin;
use super::error::{Fault, shown};
use super::record::Record;
use crate::eval::cut::Cut;
use crate::eval::row::{EvalRow, Question};

const CONTEXT: &str = "crossfile_context";

const LANGUAGES: [&str; 4] = ["python", "java", "csharp", "typescript"];

pub(super) fn row(record: &Record, origin: &Origin) -> Result<EvalRow, Fault> {
    let metadata = record.inner("metadata")?;
    let id = metadata.name("task_id")?;
    let language = language(&id, origin)?;
    let question = Question::Infill {
        prefix: record.text("prompt")?,
        suffix: record.text("right_context")?,
    };
    let cross_file = match record.has(CONTEXT) {
        true => Some(record.inner(CONTEXT)?.text("text")?),
        false => None,
    };
    Ok(EvalRow {
        kind: origin.name(),
        cluster: metadata.name("repository")?,
        path: Some(metadata.name("file")?),
        cross_file: cross_file.filter(|text| !text.is_empty()),
        cut: Cut::Statement,
        ..EvalRow::new(id, question, record.text("groundtruth")?, language)
    })
}

/// Ids are `project_cc_python/62`; the files of a language lie in a folder of its name.
fn language(id: &str, origin: &Origin) -> Result<&'static str, Fault> {
    let project = id.split('/').next().unwrap_or_default();
    let folder = origin.path.parent().and_then(|folder| folder.file_name());
    let found = LANGUAGES.into_iter().find(|name| {
        project.rsplit('_').next() == Some(*name)
            || folder.is_some_and(|folder| folder.to_str() == Some(*name))
    });
    found.ok_or_else(|| {
        let expected = "an id like `project_cc_python/62`, or a folder named by the language";
        Fault::new("metadata.task_id", expected, shown(id))
    })
}
