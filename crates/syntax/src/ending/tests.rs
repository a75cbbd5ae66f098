use proptest::prelude::*;

use super::*;
use crate::{Language, text::floor_boundary};

/// A fixture shows the completion between `⟦` and `⟧`, and `‖` where it should end; without `‖`
/// the completion goes on. The completion is fed character by character: every answer on the way
/// must be the same one.
fn check(language: Language, shape: Shape, fixture: &str) {
    let (prefix, rest) = fixture.split_once('⟦').unwrap();
    let (marked, suffix) = rest.split_once('⟧').unwrap();
    let expected = marked.find('‖');
    let completion = marked.replace('‖', "");
    let finder = EndFinder::new(&Site::new(language, prefix, suffix), shape);
    let mut first = None;
    for (at, character) in completion.char_indices() {
        let so_far = &completion[..at + character.len_utf8()];
        let end = finder.find(so_far);
        if let (Some(earlier), Some(now)) = (first, end) {
            assert_eq!(
                earlier, now,
                "{language} changed its answer at {so_far:?} in\n{fixture}"
            );
        }
        first = first.or(end);
    }
    let shown = first.map(|end| format!("{}‖", &completion[..end]));
    assert_eq!(
        first, expected,
        "{language} {shape:?} ended at {shown:?} in\n{fixture}"
    );
}

#[test]
fn one_line_ends_at_its_line() {
    let cases = [
        (Language::Python, "x = ⟦foo(1)‖\ny⟧\n"),
        (Language::Python, "x = ⟦foo(1)⟧\n"),
        (Language::Python, "x = foo()⟦\n    y = 1‖\nz⟧"),
        (Language::Python, "f(⟦a, b‖)⟧)\n"),
        (Language::Python, "f(⟦g(a), b‖)⟧)\n"),
        (Language::Python, "f(⟦g(a)⟧)\n"),
        (Language::Python, "f(\"⟦it\\\"s‖\")⟧\")\n"),
        (Language::Python, "f(\"⟦its\")‖\nx⟧\n"),
        (Language::JavaScript, "call(⟦a, () => { b(); }‖);⟧);\n"),
        (
            Language::Rust,
            "let x = ⟦a.b(c)?;  ‖\n⟧}\n".replace("  ‖", "‖  ").leak(),
        ),
        (Language::Go, "// adds ⟦two numbers‖\nfunc⟧\n"),
    ];
    for (language, fixture) in cases {
        check(language, Shape::OneLine, fixture);
    }
}

#[test]
fn python_blocks_end_with_their_indentation() {
    for fixture in [
        "def f(x):⟦\n    y = x\n    return y‖\n\n\ndef g⟧\n",
        "def f(x):\n    ⟦if x:\n        return 1\n    return 2‖\n\nclass A⟧:\n",
        "def f(x):\n    ⟦a = 1\n\n    return a‖\nb ⟧",
        "class A:\n    def f(self):\n        ⟦return self.x‖\n\n    def g(⟧",
        "def f(⟦self, a):\n    return a‖\n\nx⟧",
        "x = foo(⟦\n    a,\n    b,\n)‖\ny⟧",
        "if x:⟦\n    a()\nelse:\n    b()‖\nc⟧()",
        "    if x:⟦\n        a()\n    elif y:\n        b()‖\n    c⟧()",
        "def f():\n    s = ⟦\"\"\"a\nb\n\"\"\"‖\n    t⟧",
        "# adds\n⟦def add(a, b):\n    return a + b‖\n\n\ndef s⟧",
        "def f():\n    a = 1\n    ⟦b = 2\n    c = 3‖\n\n    d ⟧\n",
        "try:⟦\n    a()\nexcept E:\n    b()\nfinally:\n    c()‖\nd⟧",
        "x = 1⟦\n\ndef f():\n    return 1‖\n\ny⟧",
        "def f():\n    ⟦x = [\n    1,\n]\n    return x‖\ny⟧",
        "@app.route('/')\n⟦def f():\n    return 1‖\n@app⟧",
        "⟦@app.route('/')\ndef f():\n    return 1‖\n\n@app⟧",
        "def f():\n    return⟦ x‖\n\n⟧",
        "def f():\n    ⟦a = 1\n    b = 2‖\n# next\nx⟧ = 1\n",
    ] {
        check(Language::Python, Shape::Block, fixture);
    }
}

#[test]
fn brace_blocks_end_with_their_braces() {
    let cases = [
        (Language::Rust, "fn f() {⟦\n    a();\n    b()\n}‖\n\nf⟧"),
        (Language::Rust, "fn f() {⟦\n    a();‖\n}⟧\n}\n"),
        (Language::Rust, "fn f() {\n    ⟦a();\n\n    b()‖\n}⟧\n}\n"),
        (Language::Rust, "fn f() {\n    ⟦a();\n    b()\n}‖\n⟧"),
        (
            Language::Rust,
            "impl A {\n    fn f() {\n        ⟦a()\n    }‖\n⟧\n}\n",
        ),
        (
            Language::Rust,
            "    if a {⟦\n        b()\n    } else {\n        c()\n    }‖\n    d⟧",
        ),
        (
            Language::Rust,
            "    let x = match a {⟦\n        B => 1,\n    };‖\n⟧    y",
        ),
        (
            Language::Rust,
            "    let x = a⟦\n        .b()\n        .c();‖\n⟧    y",
        ),
        (
            Language::Rust,
            "/// Adds.\n⟦pub fn add(a: u8) -> u8 {\n    a\n}‖\n\n⟧",
        ),
        (Language::Rust, "#[test]\n⟦fn a() {\n    b();\n}‖\n\n⟧fn"),
        (
            Language::JavaScript,
            "app.get('/', (req, res) => {⟦\n  res.send(1);\n});‖\n⟧\n",
        ),
        (
            Language::JavaScript,
            "app.get('/', (req, res) => {⟦\n  res.send(1);‖\n});⟧\n});\n",
        ),
        (
            Language::JavaScript,
            "app.get('/', (req, res) => {\n  ⟦res.send(1)\n});‖⟧\n",
        ),
        (
            Language::JavaScript,
            "const x = ⟦{\n  a: 1,\n}‖\nconst⟧ y\n",
        ),
        (
            Language::JavaScript,
            "function f() {\n  if (a) {⟦\n    b()\n  } else {\n    c()\n  }‖\n}⟧",
        ),
        (
            Language::TypeScript,
            "interface A {\n  ⟦a: string;\n  b: number;\n}‖\n⟧",
        ),
        (Language::Go, "func f() error {⟦\n\treturn nil\n}‖\n\n⟧"),
        (
            Language::Go,
            "\tif err != nil {⟦\n\t\treturn err\n\t}‖\n\tx⟧",
        ),
        (Language::Go, "\tx := foo(⟦a,\n\t\tb)‖\n⟧"),
        (
            Language::Java,
            "class A {\n    int f()\n    {⟦\n        return 1;\n    }‖\n\n⟧\n}\n",
        ),
        (
            Language::CSharp,
            "    void F()⟦\n    {\n        a();\n    }‖\n\n    v⟧",
        ),
        (
            Language::CSharp,
            "class A\n{\n    ⟦int x;\n    int F()\n    {\n        return 1;\n    }‖\n\n    int⟧\n}\n",
        ),
        (
            Language::Cpp,
            "int f() {⟦\n#ifdef A\n  a();\n#endif\n  return 1;\n}‖\n\n⟧",
        ),
        (Language::Cpp, "do {⟦\n  a();\n} while (b);‖\n⟧c"),
        (
            Language::Php,
            "<?php\nfunction f() {⟦\n    return 1;\n}‖\n\n⟧",
        ),
        (Language::Tsx, "return (⟦\n    <p>don't</p>\n  );‖\n⟧}"),
        // A namespace that is not indented closes at the depth of what it holds.
        (
            Language::Cpp,
            "namespace a {\n\nvoid f() {⟦\n  b();\n}‖\n\nv⟧\n\nvoid g() {\n}\n\n}  // namespace a\n",
        ),
        (
            Language::Cpp,
            "namespace a {\nint f() {⟦\n  return 1;\n}‖\n\n⟧\n}  // namespace a\n",
        ),
        (
            Language::Cpp,
            "namespace a {\nint f() {\n  ⟦return 1;‖\n}⟧\n}\n}  // namespace a\n",
        ),
        // The header's brace stands deeper than the statement.
        (
            Language::Java,
            "class A\n        extends B {⟦\n    int x;\n}‖\n\nc⟧",
        ),
        (
            Language::Java,
            "class A\n        extends B {\n    ⟦int x;\n    int y;‖\n}⟧\n}\n",
        ),
        // What else the line opened.
        (
            Language::Go,
            "\tm.Ns = []RR{&C{⟦\n\t\tHdr: 1,\n\t}}‖\n\tc⟧\n",
        ),
        // Code that was commented out stands at the line's start.
        (
            Language::CSharp,
            "    if (a)\n    {⟦\n        b();\n//      c();\n        d();\n    }‖\n    x⟧",
        ),
    ];
    for (language, fixture) in cases {
        check(language, Shape::Block, fixture);
    }
}

#[test]
fn an_end_behind_tabs_is_kept_and_nothing_behind_it() {
    let site = Site::new(Language::Ruby, "class A\n\tdef f\n\t\t", "\n");
    let finder = EndFinder::new(&site, Shape::Block);
    assert_eq!(finder.find("x\n\tend; é\n"), Some("x\n\tend".len()));
}

#[test]
fn ruby_blocks_end_with_end() {
    for fixture in [
        "def f(a)⟦\n  a + 1\nend‖\n\nd⟧",
        "def f(a)\n  ⟦a + 1‖\nend\n⟧\nend\n",
        "def f(a)\n  ⟦a + 1\nend‖\n\ndef ⟧",
        "class A\n  def f\n    ⟦b\n  end‖\n\n  def⟧\nend\n",
        "items.each do |x|⟦\n  puts x\nend‖\nfoo⟧",
        "  if a⟦\n    b\n  else\n    c\n  end‖\n  d⟧",
        "x = foo(⟦a,\n  b)‖\ny⟧",
        "def f(a, b = nil)\n  ⟦c = a\n\n  c + b‖\nend\n⟧\nend\n",
        "def f\n  ⟦a\nrescue E\n  b\nend‖\n\nd⟧",
        "def f\n  ⟦a‖\nrescue \n⟧\nrescue E\n  b\nend\n",
        "state :root do\n  ⟦rule %r/}C/, 1\n  rule %w[a}], 2‖\nend\n⟧\nend\n",
    ] {
        check(Language::Ruby, Shape::Block, fixture);
    }
}

fn languages() -> impl Strategy<Value = Language> {
    proptest::sample::select(Language::ALL.to_vec())
}

fn code() -> impl Strategy<Value = String> {
    let pieces = proptest::sample::select(vec![
        "\n",
        "    ",
        "\t",
        "(",
        ")",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "'",
        "`",
        "\"\"\"",
        "//",
        "/*",
        "*/",
        "#",
        "=begin\n",
        "<<~SQL",
        "<?php",
        "?>",
        "r#\"",
        "${",
        "#{",
        "def f():",
        "class A",
        "end",
        "else",
        "é",
        "世",
        "\u{1F600}",
        "\r\n",
        "\\",
        "x",
        ";",
        ",",
        ".",
        "%w[",
        "@\"",
        "R\"x(",
        "if a",
        "do |x|",
    ]);
    proptest::collection::vec(
        prop_oneof![3 => pieces.prop_map(str::to_owned), 1 => any::<String>()],
        0..40,
    )
    .prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_gets_an_end_within_the_completion(
        language in languages(), prefix in code(), completion in code(), suffix in code(),
    ) {
        for shape in [Shape::OneLine, Shape::Block] {
            let finder = EndFinder::new(&Site::new(language, &prefix, &suffix), shape);
            if let Some(end) = finder.find(&completion) {
                prop_assert!(end <= completion.len());
                prop_assert!(completion.is_char_boundary(end));
            }
        }
    }

    #[test]
    fn any_text_gets_a_shape(language in languages(), text in code(), offset in 0usize..400) {
        for invoked in [false, true] {
            let (prefix, suffix) = text.split_at(floor_boundary(&text, offset));
            let decision = Site::new(language, prefix, suffix).shape(invoked);
            prop_assert!(!decision.reason.is_empty());
        }
    }
}
