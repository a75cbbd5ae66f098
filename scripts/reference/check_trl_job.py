#!/usr/bin/env python3
"""Lets TRL read a job that `truefill-trainer export --to trl` wrote, and checks what it makes of it.

    .venv-reference/bin/python scripts/reference/check_trl_job.py JOB [MODEL [ROWS]]

JOB is the exported folder. Its `train.py` is run up to the trainer, for the CPU: its configuration must be one that
this TRL takes. With MODEL, a folder in the hub's layout (`export --to hub`), and a job of `sft`, TRL's own SFTTrainer
prepares the first ROWS rows (10) by that configuration, those for evaluation beside them; of each, the tokens to learn
must end with the end token and have it once, the prompt must have every sentinel that its text spells, and all tokens
together must be the row's text. TRL makes tokens of prompt and completion together: where the prompt ends within a
line, as in the layout `psm-line`, a word may begin in the one and end in the other. Such rows are counted; the job's
README has them among those that are cut into other tokens.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from transformers import AutoModelForCausalLM
from trl import SFTTrainer


def configuration(job: Path, model: str | None) -> dict:
    """What `train.py` has defined when it would make its trainer: `config`, `tokenizer`, `rows`."""
    program = (job / "train.py").read_text()
    program = program.split("\ntrainer = ")[0]
    replaced = {"    bf16=True,\n": "    bf16=False,\n    use_cpu=True,\n"}
    if model is None:
        replaced["tokenizer = AutoTokenizer.from_pretrained(MODEL)"] = "tokenizer = type('', (), {})()"
    for old, new in replaced.items():
        assert program.count(old) == 1, old
        program = program.replace(old, new)
    first, rest = program.split("\nMODEL = ", 1)
    program = f"{first}\nMODEL = {model!r}\n{rest.split(chr(10), 1)[1]}"
    defined: dict = {}
    os.chdir(job)
    exec(compile(program, "train.py", "exec"), defined)  # noqa: S102
    return defined


def check_rows(defined: dict, model: str, rows: int) -> None:
    tokenizer, data = defined["tokenizer"], defined["rows"]
    parts = {name: part.select(range(min(rows, len(part)))) for name, part in data.items()}
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(model),
        args=defined["config"],
        train_dataset=parts["train"],
        eval_dataset=parts.get("eval"),
        processing_class=tokenizer,
    )
    for name, prepared in [("train", trainer.train_dataset), ("eval", trainer.eval_dataset)]:
        if prepared is not None:
            batch = trainer.data_collator([prepared[at] for at in range(len(prepared))])
            shared = sum(check_row(tokenizer, *row) for row in zip(parts[name], *read(batch)))
            print(
                f"{name}, {len(parts[name])} rows: every completion ends with {tokenizer.eos_token}, no sentinel is "
                f"lost; in {shared} a word begins in the prompt and ends in the completion"
            )


def read(batch: dict) -> tuple[list, list]:
    """Tokens and labels of a batch's rows, their padding aside."""
    ids, labels, seen = (batch[key].tolist() for key in ("input_ids", "labels", "attention_mask"))
    whole = [[value for value, here in zip(row, mask) if here] for row, mask in zip(ids + labels, seen + seen)]
    return whole[: len(ids)], whole[len(ids) :]


def check_row(tokenizer, row: dict, ids: list[int], labels: list[int]) -> bool:
    """Whether the tokens to learn begin elsewhere than the completion, in a word that the prompt begins."""
    special = set(tokenizer.all_special_ids) | {
        id for id, token in tokenizer.added_tokens_decoder.items() if token.special
    }
    learned = [label for label in labels if label != -100]
    assert learned[-1] == tokenizer.eos_token_id, learned[-3:]
    assert learned.count(tokenizer.eos_token_id) == 1, learned
    prompt = [id for id, label in zip(ids, labels) if label == -100]
    expected = [id for id in tokenizer(row["prompt"]).input_ids if id in special]
    found = [id for id in prompt if id in special]
    assert found == expected and expected, (found, expected)
    # SentencePiece's decoding writes U+2581 as a space, also in a control token's name.
    plain = lambda text: text.replace("\u2581", " ")  # noqa: E731
    whole, completion = plain(row["prompt"] + row["completion"]), plain(row["completion"])
    assert tokenizer.decode(ids).endswith(whole), row
    said = tokenizer.decode(learned)
    assert whole.endswith(said) and abs(len(said) - len(completion)) < 20, row
    return said != completion


def main() -> None:
    job = Path(sys.argv[1]).resolve()
    model = str(Path(sys.argv[2]).resolve()) if len(sys.argv) > 2 else None
    defined = configuration(job, model)
    config = defined["config"]
    name = type(config).__name__
    print(f"{name}: {config.warmup_steps} steps of warm-up, {config.lr_scheduler_type}, {config.save_total_limit} states")
    if model is not None and name == "SFTConfig":
        check_rows(defined, model, int(sys.argv[3]) if len(sys.argv) > 3 else 10)


if __name__ == "__main__":
    main()
