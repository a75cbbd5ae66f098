"""The 200 code snippets and ten prompts of the default model's references; deterministic."""

from __future__ import annotations

import random
from pathlib import Path

FOLDER = Path(__file__).parent / "snippets"
TOTAL = 200

SPECIALS_AS_TEXT = [
    "<|endoftext|>",
    "<|im_start|>user\nhello<|im_end|>\n",
    "print('<|endoftext|>')",
    "const STOP = [\"<|im_end|>\", \"<file_sep>\"];",
    "<repo_name>acme/tool<file_sep>src/main.rs\n",
    "<reponame>x<filename>y<gh_stars>100-1000",
    "<issue_start><issue_comment>text<issue_closed>",
    "<jupyter_start><jupyter_text>a<jupyter_code>b<jupyter_output>c<jupyter_script>d<empty_output>",
    "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>",
    "< |endoftext|> <|endoftext|",
]

NUMBERS = [
    "1234567890",
    "x = 3.141592653589793238462643383279502884197",
    "0xDEADBEEF 0b1010_1010 0o755 1_000_000 1e-9 .5f 6.02214076E+23",
    "a1b22c333d4444 v1.2.3-rc.10 2024-02-29T23:59:59.999Z",
    "  12   34\t56\n78\r\n90",
    "arr[0]  =  1 ;  arr[10]=  -1",
    "½ ² ³ ¼ Ⅷ ٣٤٥ १२३ ４２ ➂ 〇 五 𝟙𝟚",
    "0000000000000000000000000000000000000000000000000000000000000001",
    "192.168.100.254:8080 fe80::1%eth0 10.0.0.0/8",
    "99999999999999999999999999999999.99999999999999999999",
]

WHITESPACE = [
    " ",
    "  ",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "\n\n\n",
    "\t\t\tx",
    "    ",
    "     x",
    "x    ",
    "a\rb\rc\r",
    "a\r\nb\r\n\r\nc",
    "\n\r\n\r\r\n",
    "if (a)\n\t  \t  b();\n \t\n",
    "line one   \n   line two\t\n\t\n",
    "a\u00a0b\u2003c\u3000d\u200be\ufefff",
    "\ufeffusing System;\r\n",
    "one\u2028two\u2029three\u0085four\x0bfive\x0csix",
    " " * 31 + "deep();" + " " * 17,
    "\t" * 9 + "return;\n" + "\t" * 8 + "}\n",
]

UNICODE = [
    "naïve = café + Ærøskøbing // größer als ß?",
    "let π = 3.14; let Δx = ψ − φ; // ∑ ∀ x ∈ ℝ",
    "変数 = 計算(値, 値２)  # 日本語のコメント。",
    "var имя = \"Привет, мир\"; // комментарий",
    "파일 = 열기('경로.txt')",
    "print('مرحبا بالعالم', 'שלום עולם')",
    "नमस्ते = \"दुनिया\"",
    "// 🎉 done ✅ 👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪",
    "s = \"e\u0301 vs \u00e9 \u1e9b\u0323\"",
    "const zalgo = 'z\u0335\u0321\u033fa\u0336\u0322l\u0337g\u0338o\u0334';",
    "𝕊𝕔𝕣𝕚𝕡𝕥 𓀀 \U0001f9ea\U0010ffff",
    "“smart quotes” ‘single’ — dash … ellipsis",
    "\u200d\u200c\u2060 zero width",
    "ﬁ ﬂ Ａｂｃ １２３",
    "\ud7ff\ue000\uf8ff\ufffd\ufffc",
    "\U00020000\U0002a6df 𠮷野家",
]

SYNTAX = [
    "",
    "a",
    "it's they're we've I'd you'll he'LL SHE'S don't'",
    "''' \"\"\" ``` \\\\ \\n \\u0041 \\x41",
    "!==??=>>>=...**=<=>->=>::<>@#$%^&*()_+-={}[]|;:'\",./?~`",
    "((((((((((()))))))))))",
    "----------------------------------------------------------------",
    "// ======================== section ========================",
    "#include <bits/stdc++.h>\n#define FOR(i,n) for(int i=0;i<(n);++i)\n",
    "SELECT u.id, COUNT(*) FROM users AS u WHERE u.name LIKE '%O''Brien%' GROUP BY 1;",
    "<div className={`card ${open ? 'open' : ''}`} onClick={() => setOpen(!open)}>{children}</div>",
    "s/\\b(\\w+)\\s+\\1\\b/$1/gi; m{^/usr/(?:local/)?bin}",
    "XMLHttpRequestHandlerFactoryBean snake_case_with_2_digits SCREAMING_CASE kebab-case",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
    "\x00\x01\x02\x1b[31mred\x1b[0m\x7f",
    "def f(x): return x if x else None # TODO(fixme): don't\n\n\n\nclass A: pass",
    "type F<T> = T extends (...args: infer A) => infer R ? [A, R] : never;",
    "fn f<'a, T: ?Sized + 'a>(x: &'a mut T) -> Box<dyn Fn() + 'a> { todo!() }",
    "try{await(0,_x.default)(e)}catch(t){n(t)}finally{r=void 0}",
    "if [[ -n \"${FOO:-}\" && $# -gt 0 ]]; then echo \"$@\" | sed 's/^/> /'; fi",
]

EDGES = SPECIALS_AS_TEXT + NUMBERS + WHITESPACE + UNICODE + SYNTAX

RENAMES = {"value": "größe", "count": "数量", "name": "имя", "error": "erreur_é", "index": "ι"}


def tabs(text: str) -> str:
    return text.replace("    ", "\t")


def carriage_returns(text: str) -> str:
    return text.replace("\n", "\r\n")


def foreign_names(text: str) -> str:
    for plain, foreign in RENAMES.items():
        text = text.replace(plain, foreign)
    return text


def trailing_spaces(text: str) -> str:
    return text.replace("\n", "  \n")


TRANSFORMS = (str, carriage_returns, tabs, foreign_names, trailing_spaces)


def windows() -> list[str]:
    """Windows of the ten files: most start and end in the middle of a line."""
    files = [path.read_text(encoding="utf-8") for path in sorted(FOLDER.iterdir())]
    randomness = random.Random(20240229)
    result = []
    for number in range(TOTAL - len(EDGES)):
        text = files[number % len(files)]
        length = randomness.randint(40, 420)
        start = randomness.randrange(len(text) - length)
        transform = TRANSFORMS[(number // len(files)) % len(TRANSFORMS)]
        result.append(transform(text[start : start + length]))
    return result


def snippets() -> list[str]:
    return EDGES + windows()


def head(name: str, until: str) -> str:
    """A file of the folder up to and including the first occurrence of `until`."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    return text[: text.index(until) + len(until)]


def prompts() -> list[str]:
    """Where a developer would ask for a completion: after a line, after an operator, in a body."""
    return [
        "def fibonacci(n):\n    ",
        "# Python 3\nimport os\nimport sys\n\ndef read_lines(path):\n    with open(path) as f:\n",
        "function debounce(fn, wait) {\n  let timer = null;\n  return function (...args) {\n    ",
        "public class Point {\n    private final int x;\n    private final int y;\n\n    public Point(int x, int y) {\n        this.x = x;\n",
        "SELECT name, COUNT(*) AS total\nFROM orders\nWHERE status = 'paid'\n",
        head("ledger.py", "def post(self, *entries: Entry) -> None:\n"),
        head("cache.rs", "pub fn with_limit(limit: usize) -> Self {\n"),
        head("server.go", "func NewStore() *Store {\n"),
        head("queue.js", "constructor(options = {}) {\n"),
        head("Pipeline.cs", "public double Fahrenheit => "),
    ]
