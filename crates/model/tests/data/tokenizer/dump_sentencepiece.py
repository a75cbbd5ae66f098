"""Trains a tiny SentencePiece BPE model on a text and writes its pieces, and the ids that it gives to some texts.

    python dump_sentencepiece.py TEXT...

Needs sentencepiece 0.2. The texts are files of code; the output is `sentencepiece.json` beside this script.
"""

import io
import json
import sys
from pathlib import Path

import sentencepiece

PROBES = [
    "",
    " ",
    "  two spaces",
    "def add(self, other):\n    return self.value + other.value\n",
    "\t\treturn nil, err\r\n",
    "x1234 = 56.78e-9  # 0xFF",
    "na\u00efve caf\u00e9 \u2014 \u65e5\u672c\u8a9e",
    "emoji \U0001f469\u200d\U0001f467 \U0001f3f3\ufe0f",
    "a  b   c    d\n\n\n    e \n",
    "<s></s><unk><0x0A>",
    "\x00\x01\x7f\u2028\ufeff",
    "for (let index = 0; index < items.length; index++) {",
    "trailing spaces    ",
]


def main(paths: list[str]) -> None:
    out = io.BytesIO()
    lines = [line for path in paths for line in Path(path).read_text().splitlines() if line.strip()]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=out,
        model_type="bpe",
        vocab_size=700,
        byte_fallback=True,
        split_digits=True,
        allow_whitespace_only_pieces=True,
        remove_extra_whitespaces=False,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        character_coverage=0.995,
    )
    model = sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())
    kinds = {
        "unknown": model.is_unknown,
        "control": model.is_control,
        "unused": model.is_unused,
        "byte": model.is_byte,
    }
    types = {"unknown": 2, "control": 3, "unused": 5, "byte": 6}
    pieces = []
    for piece in range(model.get_piece_size()):
        kind = next((types[name] for name, has in kinds.items() if has(piece)), 1)
        pieces.append([model.id_to_piece(piece), round(model.get_score(piece), 3), kind])
    probes = [{"text": text, "ids": model.encode(text)} for text in PROBES]
    target = Path(__file__).with_name("sentencepiece.json")
    rows = ",\n".join(json.dumps(piece, ensure_ascii=True) for piece in pieces)
    texts = ",\n".join(json.dumps(probe, ensure_ascii=True) for probe in probes)
    target.write_text(f'{{"pieces": [\n{rows}\n], "probes": [\n{texts}\n]}}\n')


if __name__ == "__main__":
    main(sys.argv[1:])
