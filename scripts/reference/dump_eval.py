"""Dump figures and cuts of completions, as the benchmarks' own programs compute them.

    python3 -m venv .venv-eval
    .venv-eval/bin/pip install -r scripts/reference/eval-requirements.txt
    .venv-eval/bin/python scripts/reference/dump_eval.py PAIRS DELULU SAFIM CCEVAL trainer/tests/data/eval

PAIRS is a JSONL file of `pred` and `gold` (or `difflib.jsonl.gz` itself, to make it again). The others
are clones: github.com/microsoft/delulu, github.com/gonglinyuan/safim,
github.com/amazon-science/cceval. Their functions are called, with what they import and these
cases do not need put aside (torch, model clients), and with the grammars of today: SAFIM and
CrossCodeEval build grammars from whatever their repositories hold that day.

    characters.jsonl    what CPython's `str` takes for white space and line ends
    normalised.jsonl    strip, split and join of CPython
    difflib.jsonl.gz    CPython's SequenceMatcher
    fuzz.jsonl          fuzzywuzzy's ratio, without python-Levenshtein
    delulu.jsonl        evaluations/run_completion_metrics.py
    safim.jsonl         prompt_utils.py
    cross_code.jsonl    scripts/eval_metric.py and eval_utils.py
"""

import difflib
import gzip
import json
import random
import sys
import types
from pathlib import Path
from unittest.mock import MagicMock

import tree_sitter
import tree_sitter_c_sharp
import tree_sitter_cpp
import tree_sitter_java
import tree_sitter_python
import tree_sitter_typescript
from fuzzywuzzy import fuzz

from eval_cases import CROSS_CODE, DELULU, SAFIM, TEXTS

GRAMMARS = {
    "python": tree_sitter_python.language,
    "java": tree_sitter_java.language,
    "cpp": tree_sitter_cpp.language,
    "c_sharp": tree_sitter_c_sharp.language,
    "typescript": tree_sitter_typescript.language_typescript,
}


class Language:
    """The binding's class as it was when the benchmarks were written."""

    build_library = staticmethod(lambda *_: None)

    def __new__(cls, _path, name):
        return tree_sitter.Language(GRAMMARS[name]())


class Parser:
    def set_language(self, language):
        self.parser = tree_sitter.Parser(language)

    def parse(self, code):
        return self.parser.parse(code)


def stand_in():
    """Puts modules aside that the benchmarks' programs import and that nothing here calls."""
    binding = types.ModuleType("tree_sitter")
    binding.Language, binding.Parser = Language, Parser
    sys.modules["tree_sitter"] = binding
    for name in ("torch", "torch.multiprocessing", "model_utils"):
        sys.modules[name] = MagicMock()


def characters():
    every = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    white = [ord(c) for c in every if not c.strip()]
    ends = [ord(c) for c in every if len(f"a{c}b".splitlines()) > 1]
    yield {"white_space": white, "line_ends": ends}


def normalised():
    for text in TEXTS:
        collapsed, removed = " ".join(text.split()), "".join(text.split())
        yield {"text": text, "strip": text.strip(), "collapse": collapsed, "remove_all": removed}


def ratios(pairs):
    for pred, gold in pairs:
        matched = difflib.SequenceMatcher(None, pred, gold)
        yield {
            "pred": pred,
            "gold": gold,
            "ratio_pred_gold": matched.ratio(),
            "ratio_pred_gold_autojunk_false": difflib.SequenceMatcher(None, pred, gold, False).ratio(),
            "ratio_gold_pred": difflib.SequenceMatcher(None, gold, pred).ratio(),
        }


def drawn_pairs():
    """Where popular characters begin, characters beyond ASCII, and long texts."""
    draw = random.Random(5)
    for length in (1, 7, 199, 200, 201, 299, 300, 400, 901):
        for letters in ("ab", "abcdefgh é→𝔸\n", "".join(map(chr, range(0x100, 0x1C0)))):
            gold = "".join(draw.choices(letters, k=length))
            at = draw.randrange(length)
            edited = gold[:at] + "".join(draw.choices(letters, k=3)) + gold[at + 2 :]
            yield edited, gold
            yield "".join(draw.choices(letters, k=length)), gold
    yield from (("", ""), ("a", ""), ("", "a"), ("a" * 250, "a" * 250), ("ab" * 120, "ba" * 120))


def fuzzes(pairs):
    for prediction, golden in pairs:
        yield {"prediction": prediction, "golden": golden, "ratio": fuzz.ratio(prediction, golden)}


def delulu(clone):
    sys.path.insert(0, str(clone / "evaluations"))
    import run_completion_metrics as reference

    for prediction, golden, rejected in DELULU:
        yield {
            "prediction": prediction,
            "golden": golden,
            "rejected": rejected,
            "exact_match": prediction.strip() == golden.strip(),
            "edit_similarity": reference.edit_similarity(prediction, golden),
            "aligned": reference.is_hallucinated_aligned(prediction, golden, rejected),
        }


def safim(clone):
    sys.path.insert(0, str(clone))
    import prompt_utils as reference

    for language, prefix, suffix, completion in SAFIM:
        sample = {"lang": language, "eval_prompt": prefix + "{{completion}}" + suffix}

        def cut(name):
            return reference.apply_postprocessors(completion, sample, "block", [name])

        try:
            block = cut("truncate_line_until_block")
        except AssertionError:
            block = None
        yield {
            "language": language,
            "prefix": prefix,
            "suffix": suffix,
            "completion": completion,
            "control": cut("truncate_control"),
            "api_call": cut("truncate_api_call"),
            "block": block,
        }


def cross_code(clone):
    sys.path.insert(0, str(clone / "scripts"))
    import eval_metric as reference

    for language, prompt, prediction, golden in CROSS_CODE:
        reference.parser = Parser()
        reference.parser.set_language(Language(None, "c_sharp" if language == "csharp" else language))
        example = {"prompt": prompt, "groundtruth": golden}
        cut, exact = reference.process_examples(language, ({"task_id": 0, "pred": prediction}, example))
        true, extra, missed = reference.compute_id_match(cut["pred_ids"], cut["target_ids"])

        def share(part, whole):
            return part / whole if whole else 0.0

        yield {
            "language": language,
            "prompt": prompt,
            "prediction": prediction,
            "golden": golden,
            "cut": cut["pred"],
            "exact_match": bool(exact),
            "edit_similarity": reference.compute_edit_sim([cut]),
            "identifiers": cut["pred_ids"],
            "identifier_exact_match": cut["pred_ids"] == cut["target_ids"],
            "precision": share(true, true + extra),
            "recall": share(true, true + missed),
            "f1": share(2 * true, 2 * true + extra + missed),
        }


def read_pairs(path):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return list(dict.fromkeys((row["pred"], row["gold"]) for row in rows))


def write(path, rows):
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    # Without a time, so that the same rows are the same bytes.
    path.write_bytes(gzip.compress(text, 9, mtime=0) if path.suffix == ".gz" else text)


def main(pairs, delulu_clone, safim_clone, cceval_clone, out):
    stand_in()
    out.mkdir(parents=True, exist_ok=True)
    pairs = list(dict.fromkeys([*read_pairs(pairs), *drawn_pairs()]))
    write(out / "characters.jsonl", characters())
    write(out / "normalised.jsonl", normalised())
    write(out / "difflib.jsonl.gz", ratios(pairs))
    write(out / "fuzz.jsonl", fuzzes([*pairs[:20], *list(drawn_pairs())[-12:]]))
    write(out / "delulu.jsonl", delulu(delulu_clone))
    write(out / "safim.jsonl", safim(safim_clone))
    write(out / "cross_code.jsonl", cross_code(cceval_clone))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
