use super::*;

/// `‸` marks the cursor. Shows the decision for an automatic and for an invoked request.
fn decisions(language: Language, fixture: &str) -> String {
    let (prefix, suffix) = fixture.split_once('‸').unwrap();
    let site = Site::new(language, prefix, suffix);
    let show = |invoked| {
        let decision = site.shape(invoked);
        let shape = if decision.shape == Shape::Block {
            "block"
        } else {
            "line"
        };
        format!("{shape} ({})", decision.reason)
    };
    format!("{} | {}", show(false), show(true))
}

fn table(language: Language, fixtures: &[&str]) -> String {
    fixtures
        .iter()
        .map(|fixture| format!("{fixture}\n=> {}\n\n", decisions(language, fixture)))
        .collect()
}

#[test]
fn python() {
    insta::assert_snapshot!(table(
        Language::Python,
        &[
            "def f(x):‸\n",
            "def f(x):\n    ‸\n",
            "def f(x):\n    ‸\n\ndef g():\n    pass\n",
            "def f(x):\n    ‸\n    return x\n",
            "def f(\n    x,\n):\n    ‸\n",
            "def f(‸",
            "x = foo(‸)\n",
            "x = foo(‸, 1)\n",
            "x = ‸\n",
            "x = foo(1)‸\n",
            "x = foo(\n    ‸\n)\n",
            "# adds two numbers‸\n",
            "# adds two numbers\n‸\n",
            "# adds two numbers\n‸\nx = 1\n",
            "s = \"abc‸\"\n",
            "s = \"abc‸",
            "def f():\n    \"\"\"Adds ‸\n",
            "x = 1\n‸\n\ndef f():\n    pass\n",
            "class A:\n    x = 1\n\n    ‸\n\n    def f(self):\n        pass\n",
            "@app.route('/')\n‸\n",
            "if x:\n    a()\nelse:‸\n",
            "d = {‸}\n",
            "d = {'a': ‸\n",
            "f = lambda x:‸\n",
            "x[1:‸\n",
        ]
    ));
}

#[test]
fn braces() {
    let mut shown = table(
        Language::Rust,
        &[
            "fn f() {‸}\n",
            "fn f() {‸\n}\n",
            "fn f() {\n    ‸\n}\n",
            "fn f() {\n    ‸\n    g();\n}\n",
            "fn f() {\n    g();\n    ‸\n}\n",
            "fn f() {\n    g();‸\n}\n",
            "fn f() {\n    let x = ‸;\n}\n",
            "impl A {\n    ‸\n}\n",
            "impl A {\n    // nothing yet\n    ‸\n}\n",
            "#[test]\n‸\n",
            "/// Adds.\n‸\n",
            "fn f() {\n    match x {‸\n",
            "struct A {‸\n\nfn b() {\n    c();\n}\n",
            "fn add(‸\n",
        ],
    );
    shown += &table(
        Language::TypeScript,
        &[
            "const a = {\n  ‸\n};\n",
            "items.map((x) => {‸})\n",
            "items.map((x) => ‸)\n",
            "import { ‸ } from './a';\n",
            "const s = `a ${‸}`;\n",
            "interface A {\n  ‸\n}\n",
            "// ‸\n",
            "/** ‸ */\n",
        ],
    );
    shown += &table(
        Language::CSharp,
        &["class A\n{\n    ‸\n}\n", "void F()\n{‸\n}\n", "[Test]\n‸\n"],
    );
    shown += &table(
        Language::Go,
        &[
            "func f() {\n\tif err != nil {‸\n}\n",
            "\treturn ‸\n",
            "func f() {\n\t‸\n}\n",
        ],
    );
    shown += &table(
        Language::Java,
        &[
            "class A {\n    void f() {\n        ‸\n    }\n}\n",
            "    @Override\n    ‸\n",
        ],
    );
    shown += &table(
        Language::Cpp,
        &["int main() {‸\n", "class A {\npublic:\n  ‸\n};\n"],
    );
    shown += &table(
        Language::Php,
        &[
            "<?php\nfunction f() {\n    ‸\n}\n",
            "<p>‸\n<?php f(); ?>\n",
            "<?php\n$a = ‸\n",
        ],
    );
    shown += &table(
        Language::Tsx,
        &["return (\n  <div>‸</div>\n);\n", "const A = () => {‸\n"],
    );
    shown += &table(
        Language::JavaScript,
        &["if (a) {\n  ‸\n} else {\n  b();\n}\n"],
    );
    insta::assert_snapshot!(shown);
}

#[test]
fn ruby() {
    insta::assert_snapshot!(table(
        Language::Ruby,
        &[
            "def f(a)\n  ‸\nend\n",
            "def f(a)‸\n",
            "def f(a)\n  ‸\n  b\nend\n",
            "class A\n  ‸\nend\n",
            "items.each do |x|‸\n",
            "items.each do |x|\n  ‸\nend\n",
            "items.map { |x| ‸ }\n",
            "  return 1 if ‸\n",
            "x = \"a#{‸}\"\n",
            "# adds\n‸\n",
        ]
    ));
}

#[test]
fn a_long_file_is_decided_in_milliseconds() {
    let text = "def f(a, b):\n    x = a + b\n    return [x for x in range(10)]\n\n".repeat(500);
    let started = std::time::Instant::now();
    for offset in (0..text.len()).step_by(text.len() / 50) {
        let (prefix, suffix) = text.split_at(offset);
        let decision = Site::new(Language::Python, prefix, suffix).shape(false);
        assert!(!decision.reason.is_empty());
    }
    // A debug build is slow; the figure to hold in a release build is a tenth of this.
    assert!(started.elapsed().as_millis() / 51 < 20);
}
