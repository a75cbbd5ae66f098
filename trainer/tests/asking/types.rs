//! All four types from a member; the import type moves the hole onto an import's line.

use truefill_syntax::Language;
use truefill_trainer::corpus::WindowCheck;
use truefill_trainer::rows::{Context, HallucinationType, Negative};

use crate::mock::{self, Books};
use crate::process::{Bench, Step, told};

/// The types that [`Bench`] does not ask for itself; flags of one name add up.
pub const OTHERS: [&str; 2] = ["--types", "parameter,undefined_variable,import"];

const KEYS: &str = "[generate]\ngenerators = ['mock', 'mutate']\n";
const CONTEXTS: usize = 40;

/// A file with two imports, one of which stands there twice, and with lines that end as on Windows.
pub fn context(number: usize) -> Context {
    let prefix = format!(
        "# Größe {number}\r\nimport json\r\n\r\n\r\ndef f{number}(store, row):\r\n    import json\r\n    \
         from os  import path\r\n    x = "
    );
    let parts = [&*prefix, "store.load(row)", "\r\n    return x\r\n"];
    let path = format!("f{number}.py");
    Context::of_file(Language::Python, "o/r", "MIT", &path, parts)
}

fn count(bench: &Bench, name: &str) -> u64 {
    bench.manifest()["counts"][name].as_u64().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_is_asked_for_all_types_and_imports_are_cut_out_of_their_file() {
    let books = Books::default();
    let server = mock::serve(&books, false).await;
    let contexts: Vec<Context> = (0..CONTEXTS).map(context).collect();
    let bench = Bench::of(&contexts, &server.url, KEYS);
    let ran = bench.run_with(Step::Generate, &OTHERS);
    assert!(ran.status.success(), "{}", told(&ran));
    assert_eq!(books.questions(), 4 * CONTEXTS);
    let rows = bench.generated();
    let mut lines = [0, 0];
    for row in rows.iter().filter(|row| row.generator == "mock") {
        let of = contexts.iter().find(|context| context.id == row.context_id);
        let of = of.unwrap();
        WindowCheck::of(of).check(row).unwrap();
        match row.kind {
            HallucinationType::Import => lines[is_cut(row, of)] += 1,
            _ => assert!(row.split.is_none() && row.rejected.contains("kit")),
        }
    }
    assert!(lines[0] > 3 && lines[1] > 3, "{lines:?}");
    // Each reply is a row or counted with its reason.
    for (kind, reasons) in [
        ("method", ["no_contract", "same_as_golden"]),
        ("parameter", ["no_contract", "same_as_golden"]),
        ("undefined_variable", ["no_contract", "same_as_golden"]),
        ("import", ["no_contract", "no_such_import"]),
    ] {
        let kept = count(&bench, &format!("kept.mock.{kind}"));
        let [first, second] =
            reasons.map(|why| count(&bench, &format!("rejected.mock.{kind}.{why}")));
        assert!(first > 0 && second > 0, "{kind}: {first}, {second}");
        assert_eq!(kept + first + second, CONTEXTS as u64, "{kind}");
    }
}

/// The import that a row cuts out, of the two; the first of equal lines.
fn is_cut(row: &Negative, context: &Context) -> usize {
    let split = row.split.as_ref().unwrap();
    let imports = ["import json", "from os  import path"];
    let at = imports.iter().position(|line| *line == split.golden);
    let at = at.unwrap();
    let window = context.window();
    let start = window.find(imports[at]).unwrap();
    assert_eq!(split.prefix, window[..start]);
    assert_eq!(split.suffix, window[start + imports[at].len()..]);
    assert_eq!(
        [split.hole_start, split.hole_end],
        [start, start + imports[at].len()]
    );
    assert_eq!(row.rejected, format!("{}_kit", imports[at]));
    at
}

/// The imports of a larger file, or the first uses of them, may lie outside of the row.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_asked_for_and_made_up_where_the_row_holds_its_whole_file() {
    let books = Books::default();
    let server = mock::serve(&books, false).await;
    let mut part = context(1);
    part.span.window_start += 100;
    part.span.hole_start += 100;
    part.span.hole_end += 100;
    part.id = part.span.id();
    let bench = Bench::of(&[context(0), part.clone()], &server.url, KEYS);
    let ran = bench.run_with(Step::Generate, &OTHERS);
    assert!(ran.status.success(), "{}", told(&ran));
    assert_eq!(books.questions(), 7);
    for generator in ["mock", "mutate"] {
        let name = format!("rejected.{generator}.import.part_of_file");
        assert_eq!(count(&bench, &name), 1, "{generator}");
    }
    let of_part = |row: &Negative| row.context_id == part.id && row.split.is_some();
    assert!(!bench.generated().iter().any(of_part));
}
