#!/usr/bin/env python3
"""Adds to the lists of standard library names what other versions and platforms have.

    scripts/standard-names.py python FOLDER   # `stdlib` of typeshed (in the wheel `mypy`)
    scripts/standard-names.py node FOLDER     # the npm package `@types/node`

The lists under crates/syntax/src/builtins/data began as what one interpreter on one system shows.
The stubs of both projects (Apache-2.0, MIT) name every version and system, and types besides. Only
modules that are listed already are extended. Names are added, never removed.
"""

import ast
import re
import sys
from pathlib import Path

DATA = Path(__file__).parent.parent / "crates/syntax/src/builtins/data"


def python_file(root, module):
    path = root.joinpath(*module.split("."))
    for file in (path.with_suffix(".pyi"), path / "__init__.pyi"):
        if file.exists():
            return file
    return None


def python_names(root, module, seen=()):
    file = python_file(root, module)
    if file is None or module in seen:
        return set()
    package = module if file.name == "__init__.pyi" else module.rpartition(".")[0]
    names = set()
    pending = list(ast.parse(file.read_text()).body)
    while pending:
        node = pending.pop()
        for field in ("body", "orelse", "handlers", "finalbody"):
            if isinstance(node, (ast.If, ast.Try)):
                pending.extend(getattr(node, field, []))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.Import):
            names.update(alias.asname for alias in node.names if alias.asname)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1]
            source = ".".join((base if node.level else []) + ([node.module] if node.module else []))
            for alias in node.names:
                if alias.name == "*":
                    names |= python_names(root, source, (*seen, module))
                elif alias.asname or node.level:
                    names.add(alias.asname or alias.name)
    return {name for name in names if not name.startswith("_")}


def node_modules(root):
    """Names by module. Nested declarations are taken too: they do no harm."""
    found = {}
    declared = re.compile(
        r"\b(?:function|class|interface|type|const|let|var|enum|namespace)\s+(\w+)"
    )
    for file in root.rglob("*.d.ts"):
        text = file.read_text()
        starts = list(re.finditer(r'^\s*declare module "(?:node:)?([^"]+)" \{', text, re.M))
        for start, end in zip(starts, [*starts[1:], None]):
            body = text[start.end() : end.start() if end else len(text)]
            body = re.sub(r"/\*.*?\*/|//[^\n]*", "", body, flags=re.S)
            names = set(declared.findall(body))
            for exported in re.findall(r"export(?: type)? \{([^}]*)\}", body):
                names.update(part.split()[-1] for part in exported.split(",") if part.strip())
            names.update(re.findall(r"\bimport\s+(\w+)\s*=", body))
            found.setdefault(start[1], set()).update(names)
    return found


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("python", "node"):
        sys.exit(__doc__)
    root = Path(sys.argv[2])
    list_name = {"python": "python.modules.txt", "node": "ecmascript.modules.txt"}[sys.argv[1]]
    node = node_modules(root) if sys.argv[1] == "node" else {}
    lines, added = [], 0
    for line in (DATA / list_name).read_text().splitlines():
        module, _, names = line.partition(":")
        old = set(names.split())
        new = node.get(module, set()) if node else python_names(root, module)
        added += len(new - old)
        lines.append(f"{module}: {' '.join(sorted(old | new))}\n")
    (DATA / list_name).write_text("".join(lines))
    print(f"{added} names added to {list_name}")


main()
