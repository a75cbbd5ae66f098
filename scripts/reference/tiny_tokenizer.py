"""A tiny byte-level BPE vocabulary for the tiny GGUF files, in the flavours that their `pre` names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import gguf
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

VOCABULARY = 320

QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)

# The sentinels of the published tokenizers; the first one is also the end token.
SPECIALS = {
    "smollm": ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>", "<file_sep>"],
    "qwen2": ["<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>",
              "<|repo_name|>", "<|file_sep|>"],
    "starcoder": ["<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>",
                  "<repo_name>", "<file_sep>"],
}

TRAINING_TEXT = [
    "def add(self, other):\n    return self.value + other.value\n",
    "for (int index = 0; index < length; index++) {\n\t\tsum += values[index];\n\t}\n",
    "fn main() -> Result<(), Error> {\n    let value = read(\"input.txt\")?;\n    Ok(())\n}\n",
    "const total = items.reduce((sum, item) => sum + item.price, 0);\r\n",
    "if err != nil {\n\t\treturn nil, fmt.Errorf(\"read: %w\", err)\n\t}\n",
]

# Merges of the highest priority that only fire where the pre-tokenizer leaves
# both halves in one piece, so that each flavour cuts the same text differently:
# digits stay single everywhere, `.v` and `;\n` merge under qwen2 alone.
TELLTALE_MERGES = [("1", "2"), ("\u0120", "1"), (".", "v"), (";", "\u010a")]

PROBES = [
    "",
    " ",
    "def add(self, other):\n    return self.value\n",
    "\t\treturn nil, err\r\n\r\n",
    "x1234 = 56.78e-9  # 0xFF",
    "self.value = 12;\nother.v  12;\n\n",
    "It's they'LL we'Ve \"don't\"",
    "naïve café — 日本語 Ωmega ½ ² Ⅷ ٣",
    "emoji 👩‍👩‍👧‍👦 🏳️‍🌈 é vs e\u0301",
    "<|endoftext|><fim_prefix>x<|fim_middle|>",
    "a  b   c    d\n\n\n    e \n",
    "foo_bar::baz->qux?.quux ?? !== =>",
    "\u2028\u00a0\u3000\ufeffend",
    "\x00\x01\x7f",
]


@dataclass(frozen=True)
class Vocabulary:
    pre: str
    tokens: list[str]
    merges: list[str]
    specials: list[str]
    tokenizer: Tokenizer


def smollm_pre_tokenizer():
    """What the tokenizer.json of SmolLM2 and of StarCoder2 says."""
    return pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    )


def qwen2_pre_tokenizer():
    """What the tokenizer.json of Qwen2.5-Coder says.

    Its NFC normalizer is left out: GGUF files do not name it, and text that is
    completed must come back byte for byte.
    """
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


PRE_TOKENIZERS = {"smollm": smollm_pre_tokenizer, "qwen2": qwen2_pre_tokenizer, "starcoder": smollm_pre_tokenizer}


def learn_merges(pre: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Tokens by id and merges, learned from the training text; the trainer is deterministic."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = PRE_TOKENIZERS[pre]()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(TELLTALE_MERGES),
        special_tokens=SPECIALS[pre],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TRAINING_TEXT, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    return tokens, [tuple(pair) for pair in model["merges"]]


def train(pre: str) -> Vocabulary:
    tokens, merges = learn_merges(pre)
    extra = [pair for pair in TELLTALE_MERGES if pair not in merges]
    tokens += ["".join(pair) for pair in extra]
    tokens += [f"<unused_{index}>" for index in range(VOCABULARY - len(tokens))]
    merges = extra + merges
    tokenizer = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = PRE_TOKENIZERS[pre]()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIALS[pre]])
    return Vocabulary(pre, tokens, [" ".join(pair) for pair in merges], SPECIALS[pre], tokenizer)


def token_type(token: str, vocabulary: Vocabulary) -> gguf.TokenType:
    if token in vocabulary.specials:
        return gguf.TokenType.CONTROL
    return gguf.TokenType.UNUSED if token.startswith("<unused_") else gguf.TokenType.NORMAL


def write_metadata(writer: gguf.GGUFWriter, vocabulary: Vocabulary) -> None:
    kinds = [token_type(token, vocabulary) for token in vocabulary.tokens]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(vocabulary.pre)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(vocabulary.merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_add_bos_token(False)


def encode_plain(tokenizer: Tokenizer, text: str) -> list[int]:
    """Ids of `text` as plain text: a special token's spelling is cut into ordinary tokens."""
    tokenizer.encode_special_tokens = True
    return tokenizer.encode(text, add_special_tokens=False).ids


def dump(pre: str, out: Path) -> None:
    """`tokenizer-PRE.json` and, as `tokenizer-PRE.ids.json`, the ids of the probes."""
    vocabulary = train(pre)
    (out / f"tokenizer-{pre}.json").write_text(json.dumps(json.loads(vocabulary.tokenizer.to_str()), ensure_ascii=False))
    rows = [{"text": text, "ids": encode_plain(vocabulary.tokenizer, text)} for text in PROBES]
    lines = ",\n".join(json.dumps(row, ensure_ascii=True) for row in rows)
    (out / f"tokenizer-{pre}.ids.json").write_text(f"[\n{lines}\n]\n")
