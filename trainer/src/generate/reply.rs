//! What stands in a model's reply: a strict form, with what models do around it taken off.

/// The completion of `Generated completion: …`, laid out as the golden completion is. A golden
/// completion of several lines may be answered by several; a single line by a single one, with
/// nothing before the label and nothing behind it.
pub(super) fn completion(reply: &str, golden: &str) -> Option<String> {
    let rest = reply.trim_start().strip_prefix("Generated completion:")?;
    // A second answer is none.
    if rest.contains("Generated completion:") {
        return None;
    }
    let text = unwrapped(rest, golden)?;
    (!text.trim().is_empty()).then(|| laid_out(text, golden))
}

/// The lines `Original import: …` and `Hallucinated import: …`, and no others.
pub(super) fn imports(reply: &str) -> Option<(String, String)> {
    let mut lines = reply.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut line = |label: &str| Some(bare(lines.next()?.strip_prefix(label)?).to_owned());
    let (original, invented) = (line("Original import:")?, line("Hallucinated import:")?);
    if lines.next().is_some() {
        return None;
    }
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

fn unwrapped<'a>(rest: &'a str, golden: &str) -> Option<&'a str> {
    let text = rest.trim_matches(['\n', '\r']);
    let fenced = text.trim().strip_prefix("```").and_then(|inside| {
        let (_, inside) = inside.split_once('\n')?;
        inside.trim_end().strip_suffix("```")
    });
    let text = fenced.unwrap_or(text);
    if golden.trim().contains('\n') {
        return Some(text);
    }
    let text = text.trim();
    if text.contains('\n') {
        return None;
    }
    // Code that begins like the form's own marks keeps them.
    let keeps = golden.trim().starts_with(['`', '<']);
    Some(if keeps { text } else { bare(text) })
}

/// The text with the golden completion's white space at both ends.
pub(super) fn laid_out(text: &str, golden: &str) -> String {
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
                "Generated completion:\n```python\nfetch(x)\n```",
                Some(" fetch(x)\n"),
            ),
            ("Sure!\nGenerated completion: fetch(x)", None),
            ("Generated completion: fetch(x)\nI changed the name.", None),
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
            "Here:\nOriginal import: a\nHallucinated import: b",
            "Original import: a\nHallucinated import: b\nDone.",
            "Hallucinated import: b\nOriginal import: a",
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
