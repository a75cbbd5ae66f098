//! What stands in a model's reply: a strict form, with what models do around it taken off.

/// The completion of `Generated completion: …`, laid out as the golden completion is. A golden
/// completion of several lines may be answered by several.
pub(super) fn completion(reply: &str, golden: &str) -> Option<String> {
    let (_, rest) = reply.split_once("Generated completion:")?;
    // A second answer, or an answer that goes on, is none.
    if rest.contains("Generated completion:") {
        return None;
    }
    let text = unwrapped(rest, golden);
    (!text.trim().is_empty()).then(|| laid_out(text, golden))
}

/// The lines of `Original import: …` and `Hallucinated import: …`.
pub(super) fn imports(reply: &str) -> Option<(String, String)> {
    let line = |label: &str| {
        let mut found = reply
            .lines()
            .filter_map(|line| line.trim().strip_prefix(label));
        let first = found.next()?;
        found.next().is_none().then(|| bare(first).to_owned())
    };
    let (original, invented) = (line("Original import:")?, line("Hallucinated import:")?);
    (!original.is_empty() && !invented.is_empty()).then_some((original, invented))
}

/// The inside of the first markdown block, or everything where there is none.
pub(super) fn block(reply: &str, golden: &str) -> Option<String> {
    let text = match reply.split_once("```") {
        Some((_, rest)) => {
            let (_, inside) = rest.split_once('\n')?;
            inside.split_once("```")?.0
        }
        None => reply,
    };
    (!text.trim().is_empty()).then(|| laid_out(text, golden))
}

/// Without the angle brackets, quotes and fences that models copy from the form.
fn bare(text: &str) -> &str {
    let text = text.trim();
    let inside = [("`", "`"), ("<", ">")]
        .into_iter()
        .find_map(|(open, close)| {
            let inside = text.strip_prefix(open)?.strip_suffix(close)?;
            // `<T>` may be code: only a pair that wraps everything is the form's.
            (!inside.contains(open) && !inside.contains(close)).then_some(inside)
        });
    inside.unwrap_or(text)
}

fn unwrapped<'a>(rest: &'a str, golden: &str) -> &'a str {
    let text = rest.trim_matches(['\n', '\r']);
    let fenced = text.trim().strip_prefix("```").and_then(|inside| {
        let (_, inside) = inside.split_once('\n')?;
        inside.trim_end().strip_suffix("```")
    });
    let text = fenced.unwrap_or(text);
    let first_line = text.trim_start().lines().next().unwrap_or_default();
    let several = golden.trim().contains('\n');
    let text = if several { text } else { first_line };
    let trimmed = text.trim();
    let wrapped = golden.trim();
    if wrapped.starts_with(['`', '<']) {
        return trimmed;
    }
    if several { text } else { bare(trimmed) }
}

/// The text with the golden completion's white space at both ends.
fn laid_out(text: &str, golden: &str) -> String {
    let core = golden.trim();
    if core.is_empty() {
        return text.trim().to_owned();
    }
    let lead = &golden[..golden.len() - golden.trim_start().len()];
    let tail = &golden[golden.trim_end().len()..];
    [lead, text.trim(), tail].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completions_are_taken_out_of_their_form() {
        let golden = " load(x)\n";
        for (reply, expected) in [
            ("Generated completion: fetch(x)", Some(" fetch(x)\n")),
            ("Generated completion: <fetch(x)>", Some(" fetch(x)\n")),
            ("Generated completion: `fetch(x)`\n", Some(" fetch(x)\n")),
            (
                "Sure!\nGenerated completion:\n```python\nfetch(x)\n```",
                Some(" fetch(x)\n"),
            ),
            (
                "Generated completion: fetch(x)\nI changed the name.",
                Some(" fetch(x)\n"),
            ),
            ("Generated completion:", None),
            ("fetch(x)", None),
            ("Generated completion: a\nGenerated completion: b", None),
        ] {
            assert_eq!(completion(reply, golden).as_deref(), expected, "{reply}");
        }
        let several = "a(\n    x,\n)";
        assert_eq!(
            completion("Generated completion: b(\n    x,\n)\n", several).as_deref(),
            Some("b(\n    x,\n)")
        );
        assert_eq!(
            completion("Generated completion: <Foo a={1}/>", "<Bar a={1}/>").as_deref(),
            Some("<Foo a={1}/>")
        );
    }

    #[test]
    fn imports_come_in_two_lines() {
        let reply = "Original import: import os\nHallucinated import: import osutil\n";
        assert_eq!(
            imports(reply),
            Some(("import os".into(), "import osutil".into()))
        );
        let include = "Original import: #include <a.h>\nHallucinated import: #include <b.h>";
        assert_eq!(
            imports(include),
            Some(("#include <a.h>".into(), "#include <b.h>".into()))
        );
        for bad in [
            "Original import: import os",
            "Hallucinated import: import os",
            "Original import: a\nOriginal import: b\nHallucinated import: c",
            "",
        ] {
            assert_eq!(imports(bad), None, "{bad}");
        }
    }

    #[test]
    fn blocks_are_taken_out_of_markdown() {
        let golden = "return a + b";
        assert_eq!(
            block("```py\nreturn a - b\n```\nDone", golden).as_deref(),
            Some("return a - b")
        );
        assert_eq!(
            block("return a - b", golden).as_deref(),
            Some("return a - b")
        );
        assert_eq!(block("```py\n\n```", golden), None);
    }
}
