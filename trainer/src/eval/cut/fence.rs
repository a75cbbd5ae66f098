//! The code of an answer in Markdown: chat models put it between fences and talk around it.
//!
//! EvalPlus and BigCodeBench look for the longest run of lines that is a Python program. A fence says where
//! it is, so that nothing has to be parsed for that; a program without a fence is the whole answer.

/// The longest block of Python, with the line end of its last line; the whole answer where there is no
/// block. A block that is not labelled counts as Python, and one that is not closed ends with the answer.
#[must_use]
pub fn code_block(answer: &str) -> &str {
    let mut longest: Option<&str> = None;
    let mut open: Option<(Fence, usize)> = None;
    let mut at = 0;
    for line in answer.split_inclusive('\n') {
        let next = at + line.len();
        match (&open, Fence::of(line)) {
            (None, Some(fence)) => open = Some((fence, next)),
            (Some((fence, start)), Some(end)) if end.closes(fence) => {
                keep(&mut longest, fence, &answer[*start..at]);
                open = None;
            }
            _ => {}
        }
        at = next;
    }
    if let Some((fence, start)) = open {
        keep(&mut longest, &fence, &answer[start..]);
    }
    longest.unwrap_or(answer)
}

fn keep<'a>(longest: &mut Option<&'a str>, fence: &Fence, block: &'a str) {
    let longer = longest.is_none_or(|longest| block.len() > longest.len());
    let labels = ["", "py", "python", "python3"];
    if longer
        && labels
            .iter()
            .any(|label| fence.label.eq_ignore_ascii_case(label))
    {
        *longest = Some(block);
    }
}

/// A line of three or more backticks or tildes.
struct Fence<'a> {
    mark: char,
    length: usize,
    label: &'a str,
}

impl<'a> Fence<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let line = line.trim();
        let mark = line.chars().next().filter(|mark| "`~".contains(*mark))?;
        let rest = line.trim_start_matches(mark);
        let length = line.len() - rest.len();
        let label = rest.split_whitespace().next().unwrap_or_default();
        // Inline code may start a line with as many backticks.
        (length >= 3 && !rest.contains(mark)).then_some(Self {
            mark,
            length,
            label,
        })
    }

    fn closes(&self, open: &Self) -> bool {
        self.mark == open.mark && self.length >= open.length && self.label.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_block_of_python_counts() {
        for (answer, expected) in [
            ("def f():\n    pass\n", "def f():\n    pass\n"),
            ("Here:\n```python\na = 1\n```\nDone.", "a = 1\n"),
            ("```Python\na = 1\n```", "a = 1\n"),
            ("```\na\n```\n```py\nab\n```\n```python\nc\n```", "ab\n"),
            // As long as the first.
            ("```\na\n```\n```\nb\n```", "a\n"),
            ("```bash\npip install it\n```\n```\na\n```", "a\n"),
            ("```bash\nls\n```\n", "```bash\nls\n```\n"),
            // The length was reached before the end.
            ("```python\na\nb", "a\nb"),
            // A block in a block.
            ("````python\na\n```\nb\n````\n", "a\n```\nb\n"),
            ("  ~~~ python\n  é\n  ~~~\n", "  é\n"),
            ("```x``` is code", "```x``` is code"),
            ("```python\n```", ""),
            ("", ""),
        ] {
            assert_eq!(code_block(answer), expected, "{answer:?}");
        }
    }
}
