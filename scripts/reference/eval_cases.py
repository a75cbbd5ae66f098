"""The completions that dump_eval.py runs: right ones, and what models make of them."""

TEXTS = [
    "",
    " ",
    "a",
    "  f(a,\n\t b) \r\n",
    "\x1ca\x1d b\x1ec\x1f",
    "\u00a0a\u2003\u3000b\u202f",
    "\u200ba\u200b",
    "\ufeffa",
    "\x85a\x0bb\x0c",
    "return  x\n\n    y",
    "é  𝔸\u2028z\u2029",
    "\u180ea\u2060b",
]

_CALLS = [
    ("client.send(request)", "client.dispatch(request)"),
    ("sorted(items, key=len)", "sorted(items, by=len)"),
    ("from pathlib import Path", "from pathlib import FilePath"),
    ("naïve_é = größe", "naïve_é = breite"),
    ("", "x"),
    ("ab", "cd"),
]


def _delulu():
    for golden, rejected in _CALLS:
        for prediction in (golden, rejected, f"  {golden}\n", f"{rejected}\nmore", "", golden[:3], "return None"):
            yield prediction, golden, rejected
    yield "ac", "ab", "cd"
    yield "x", "", ""
    yield "", "", ""


DELULU = list(_delulu())

_PYTHON = (
    "def solve(n):\n    total = 0\n    for i in range(n):\n        ",
    "\n    return total\n\nprint(solve(int(input())))\n",
    "total += i\n        if i % 2:\n            total -= 1",
)
_JAVA = (
    "class Main {\n    static int f(int n) {\n        int t = 0;\n        while (n > 0) {\n            ",
    "\n        }\n        return t;\n    }\n}\n",
    "t += n;\n            n--;",
)
_CPP = (
    "#include <vector>\nint f(int n) {\n    std::vector<int> v;\n    if (n > 1) {\n        ",
    "\n    }\n    return v.size();\n}\n",
    "v.push_back(n);\n        v.push_back(n / 2);",
)
_CSHARP = (
    "using System;\nclass P {\n    static void Main() {\n        int t = 0;\n        foreach (var x in new[] {1, 2}) {\n            ",
    "\n        }\n        Console.WriteLine(t);\n    }\n}\n",
    "t += x;\n            if (t > 2) { t = 0; }",
)
_PROGRAMS = {"python": _PYTHON, "java": _JAVA, "cpp": _CPP, "csharp": _CSHARP}

_AFTER = {
    "python": "\n    return total\n\ndef other():\n    pass\n",
    "java": "\n        }\n        return t;\n    }\n",
    "cpp": "\n    }\n    return 0;\n}\n",
    "csharp": "\n        }\n    }\n}\n",
}

_CONTROL = [
    "",
    "\n\n  \n",
    "n > 0 and f(n):\n        n -= 1",
    "\n  i < n; i++) {\n  g(i);\n}",
    "(a) && (b)",
    "x) + (y)",
    "a(b(c), d)(e).f()",
    ")",
    "no call",
    "\x0cfirst\x0csecond",
    "é(ü) ö)",
    "\r\nnext(\r\n)",
]


def _completions(language, golden):
    yield from _CONTROL
    yield golden
    yield golden + "\n"
    yield golden + _AFTER[language]
    lines = golden.splitlines(keepends=True)
    yield lines[0]
    yield golden.replace("\n", "\r\n")
    yield golden + "\n@@ ((("
    yield lines[0] + "@@ (((\n" + "".join(lines[1:])
    yield golden + "\n// note\n"
    yield golden + "\n            # note\n"
    yield golden + "\n" + golden
    yield golden + ";"
    yield ";"
    yield "pass" if language == "python" else "{ }"
    yield "}" if language != "python" else "x = (1,"
    yield golden + "\n\n\n\u2028tail"
    yield "\n".join(golden.split("\n")[::-1])


def _safim():
    for language, (prefix, suffix, golden) in _PROGRAMS.items():
        for completion in _completions(language, golden):
            yield language, prefix, suffix, completion
    # The same statement stands around the hole, so that start and end overlap.
    yield "java", "class A { void f() {\n a();\n", "\n a();\n}}\n", "a();\na();\n"
    yield "python", "def f():\n    a()\n    ", "\n    a()\n", "a()\n    a()"
    # Programs that do not parse without the completion.
    yield "java", "class A { int x = ", "; }}\n", "1"
    yield "python", "x = (1,\n", "\n", "2)"
    yield "cpp", "int main() { if (", ") { } return 0; }\n", "true"


SAFIM = list(_safim())

_PROMPTS = {
    "python": "import os\n\n\nclass Store:\n    def load(self, path):\n        # read it\n        data = ",
    "java": "class Store {\n    void load(String path) {\n        Data data = ",
    "csharp": "class Store {\n    void Load(string path) {\n        var data = ",
    "typescript": "class Store {\n    load(path: string) {\n        const data = ",
}
_GOLDEN = {
    "python": "self.reader.read(path, encoding='utf-8', strict=True)",
    "java": "reader.read(path, \"utf-8\", null);",
    "csharp": "reader.Read(path, \"utf-8\", null);",
    "typescript": "this.reader.read(path, 'utf-8', { strict: true });",
}


def _predictions(language, golden):
    more = "\n        return data\n" if language == "python" else "\n        return data;\n    }\n"
    yield golden
    yield golden + more
    yield golden.replace("read", "fetch", 1) + more
    yield golden + "  # note" + more
    yield golden + "  // note" + more
    yield golden.replace("(", "(\n            ").replace(")", ",\n        )") + more
    yield golden[:10]
    yield ""
    yield "\n" + golden + more
    yield ";" + golden
    yield golden.replace("path", "pfad_ö²") + more
    yield golden.replace("path", "\"it's\" + path + 'a \"b\" \\'c'") + more
    yield "(((" + more
    yield "None if True else null; // rest"
    yield "'open " + golden + more
    yield "reader\u00a0.read(x\u0301y, 1abc, _z)\r\n" + more
    yield "\"url: http://a.b/c\" + d" + more


def _cross_code():
    for language, golden in _GOLDEN.items():
        for prediction in _predictions(language, golden):
            yield language, _PROMPTS[language], prediction, golden
    yield "python", "def f(:\n    x = ", "1\n    y = 2\n", "1"
    yield "python", "x = [\n", "    1,\n    2,\n]\ny = 3\n", "    1,\n    2,\n]"
    yield "java", "", "\"", "1;"
    long = "alpha.beta(gamma).delta(epsilon, zeta).eta(theta)"
    yield "java", "x = ", f"{long}.iota({long}, {long}, {long})", f"{long}.iota({long}, kappa, {long}, {long})"


CROSS_CODE = list(_cross_code())
