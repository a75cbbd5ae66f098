#!/usr/bin/env python3
"""Lets TRL read a job that `truefill-trainer export --to trl` wrote, and checks what it makes of it.

    .venv-reference/bin/python scripts/reference/check_trl_job.py JOB MODEL [ROWS]

JOB is the exported folder (`sft`), MODEL a folder in the hub's layout (`export --to hub`). TRL's own
SFTTrainer prepares the first ROWS rows (10); of each, the tokens to learn must end with the end token
and have it once, and the prompt must have every sentinel that its text spells.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer


def main() -> None:
    job, model = Path(sys.argv[1]), sys.argv[2]
    rows = int(sys.argv[3]) if len(sys.argv) > 3 else 10
    program = (job / "train.py").read_text()
    end = re.search(r'tokenizer\.eos_token = "(.+)"', program).group(1)
    longest = int(re.search(r"max_length=(\d+)", program).group(1))
    data = load_dataset("json", data_files=str(job / "train.jsonl"), split="train")
    data = data.select(range(min(rows, len(data))))
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.eos_token = end
    with tempfile.TemporaryDirectory() as out:
        config = SFTConfig(output_dir=out, max_length=longest, eos_token=end, report_to="none", use_cpu=True, bf16=False)
        trainer = SFTTrainer(
            model=AutoModelForCausalLM.from_pretrained(model), args=config, train_dataset=data, processing_class=tokenizer
        )
        prepared = trainer.train_dataset
        batch = trainer.data_collator([prepared[at] for at in range(len(prepared))])
    special = set(tokenizer.all_special_ids) | {
        id for id, token in tokenizer.added_tokens_decoder.items() if token.special
    }
    for row, ids, labels in zip(data, batch["input_ids"].tolist(), batch["labels"].tolist()):
        learned = [label for label in labels if label != -100]
        assert learned[-1] == tokenizer.eos_token_id, learned[-3:]
        assert learned.count(tokenizer.eos_token_id) == 1, learned
        prompt = [id for id, label in zip(ids, labels) if label == -100]
        expected = [id for id in tokenizer(row["prompt"]).input_ids if id in special]
        found = [id for id in prompt if id in special][: len(expected)]
        assert found == expected and expected, (found, expected)
        assert tokenizer.decode(learned) == row["completion"], row
    print(f"{len(data)} rows: every completion ends with {end}, no sentinel is lost")


if __name__ == "__main__":
    main()
