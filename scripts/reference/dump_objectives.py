"""Dump losses and their gradients by logits, as TRL, transformers and torch compute them.

    .venv-reference/bin/python scripts/reference/dump_objectives.py trainer/tests/data/objectives

Writes `pairs.safetensors` (random logits, ids, masks and the gradient of every case) and
`cases.json` (each case's objective as the trainer reads it, its loss, and schedules of the learning
rate). Where a library's own function can be called, it is:

    sft                 transformers' ForCausalLMLoss, over two micro-batches with `num_items_in_batch`
    orpo-trl            TRL's ORPOTrainer.get_batch_loss_metrics on a model that returns the logits
    orpo-response       TRL's ORPOTrainer.odds_ratio_loss and get_batch_logps; the likelihood as in
                        LLaMA-Factory (src/llamafactory/train/dpo/trainer.py, odds_ratio_loss)
    dpo                 TRL's DPOTrainer._compute_loss with reference log-probabilities given
    dpo-ftx, dpop       the same, and what LLaMA-Factory and arXiv 2402.13228 add to it
    fgit-*              torch's autograd on the equations: no library has them
"""

import json
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import (
    get_constant_schedule_with_warmup,
    get_cosine_schedule_with_warmup,
    get_cosine_with_min_lr_schedule_with_warmup,
    get_linear_schedule_with_warmup,
)
from transformers.loss.loss_utils import ForCausalLMLoss
from trl import DPOTrainer
from trl.experimental.orpo import ORPOTrainer

VOCABULARY = 13
PROMPTS = [4, 3, 5, 2]
CHOSEN = [5, 1, 3, 6]
REJECTED = [4, 2, 3, 7]
IGNORED = -100


def sequences(generator, lengths):
    """Ids, logits and labels of padded sequences, prompt and completion."""
    length = max(prompt + completion for prompt, completion in zip(PROMPTS, lengths))
    shape = (len(PROMPTS), length)
    ids = torch.randint(0, VOCABULARY, shape, generator=generator)
    logits = torch.randn(*shape, VOCABULARY, generator=generator) * 2
    attention, labels = torch.zeros(shape, dtype=torch.long), ids.clone()
    for row, (prompt, completion) in enumerate(zip(PROMPTS, lengths)):
        attention[row, : prompt + completion] = 1
        labels[row, :prompt] = IGNORED
        labels[row, prompt + completion :] = IGNORED
    return SimpleNamespace(ids=ids, logits=logits, attention=attention, labels=labels)


def marks(generator, lengths):
    """FGit's marks: the last row has none on the chosen side."""
    drawn = [torch.randint(0, 3, (length,), generator=generator) for length in lengths]
    for row in drawn:
        if row.sum() == 0:
            row[0] = 2
    return drawn


def token_logs(side):
    """Log-probabilities of the completions' tokens, a list of rows."""
    logs = torch.log_softmax(side.logits[:, :-1], -1)
    logs = logs.gather(-1, side.ids[:, 1:, None])[..., 0]
    return [row[label != IGNORED] for row, label in zip(logs, side.labels[:, 1:])]


def sft(chosen, _):
    items = (chosen.labels[:, 1:] != IGNORED).sum()
    parts = [slice(0, 1), slice(1, None)]
    return sum(
        ForCausalLMLoss(chosen.logits[part], chosen.labels[part], VOCABULARY, num_items_in_batch=items)
        for part in parts
    )


def orpo_self(weight):
    """As much of an ORPOTrainer as its loss touches."""
    trainer = MagicMock()
    trainer.beta, trainer.is_encoder_decoder, trainer.aux_loss_enabled = weight, False, False
    trainer.padding_value, trainer.accelerator.device = 0, "cpu"
    trainer.concatenated_inputs = ORPOTrainer.concatenated_inputs
    trainer.get_batch_logps = ORPOTrainer.get_batch_logps
    trainer.odds_ratio_loss = partial(ORPOTrainer.odds_ratio_loss, trainer)
    trainer.concatenated_forward = partial(ORPOTrainer.concatenated_forward, trainer)
    trainer.accelerator.gather_for_metrics = lambda tensor: tensor
    return trainer


def joined(chosen, rejected, pad=0.0):
    """Logits of both sides, padded to one length, chosen rows first."""
    length = max(chosen.logits.shape[1], rejected.logits.shape[1])
    widen = lambda logits: F.pad(logits, (0, 0, 0, length - logits.shape[1]), value=pad)
    return torch.cat([widen(chosen.logits), widen(rejected.logits)])


def orpo_trl(chosen, rejected, weight=0.1):
    batch = {}
    for name, side in (("chosen", chosen), ("rejected", rejected)):
        batch[f"{name}_input_ids"] = side.ids
        batch[f"{name}_attention_mask"] = side.attention
        batch[f"{name}_labels"] = side.labels
    model = lambda *_, **__: SimpleNamespace(logits=joined(chosen, rejected))
    loss, _ = ORPOTrainer.get_batch_loss_metrics(orpo_self(weight), model, batch)
    return loss


def averages(chosen, rejected):
    average = partial(ORPOTrainer.get_batch_logps, average_log_prob=True)
    return average(chosen.logits, chosen.labels), average(rejected.logits, rejected.labels)


def odds(chosen, rejected, weight):
    losses, *_ = ORPOTrainer.odds_ratio_loss(orpo_self(weight), *averages(chosen, rejected))
    return -losses.mean()


def orpo_response(chosen, rejected, weight=0.3):
    return -averages(chosen, rejected)[0].mean() + odds(chosen, rejected, weight)


def dpo_self(beta):
    trainer = MagicMock()
    trainer.beta, trainer.ld_alpha, trainer.aux_loss_enabled = beta, None, False
    trainer.precompute_ref_logps, trainer.f_divergence_type = True, "reverse_kl"
    trainer.loss_types, trainer.loss_weights = ["sigmoid"], [1.0]
    trainer.use_weighting, trainer.accelerator.device = False, "cpu"
    trainer._total_train_tokens, trainer._tp_size = 0, 1
    trainer.accelerator.gather_for_metrics = lambda tensor: tensor
    trainer.accelerator.gather = lambda tensor: tensor
    return trainer


def dpo(chosen, rejected, reference, beta=0.1):
    length = max(chosen.ids.shape[1], rejected.ids.shape[1])
    widen = lambda ids, value: F.pad(ids, (0, length - ids.shape[1]), value=value)
    both = lambda name, value: torch.cat([widen(getattr(chosen, name), value), widen(getattr(rejected, name), value)])
    logits, labels = joined(chosen, rejected), both("labels", IGNORED)
    logs = torch.log_softmax(logits[:, :-1], -1)
    target = labels[:, 1:]
    logs = logs.gather(-1, target.clamp(min=0)[..., None])[..., 0] * (target != IGNORED)
    # What the loss is not made of is only logged.
    logged = torch.zeros_like(logs)
    outputs = SimpleNamespace(
        log_probs=logs, entropy=logged, mean_logits=logged, is_top1=logged.bool()
    )
    inputs = {
        "input_ids": both("ids", 0),
        "attention_mask": both("attention", 0),
        "completion_mask": (labels != IGNORED).long(),
        "ref_chosen_logps": reference[:, 0],
        "ref_rejected_logps": reference[:, 1],
    }
    return DPOTrainer._compute_loss(dpo_self(beta), lambda **_: outputs, inputs, False)


def dpo_ftx(chosen, rejected, reference, gamma=0.7):
    return dpo(chosen, rejected, reference) - gamma * averages(chosen, rejected)[0].mean()


def dpop(chosen, rejected, reference, beta=0.3, delta=5.0):
    sums = [torch.stack([row.sum() for row in token_logs(side)]) for side in (chosen, rejected)]
    ratios = [side - reference[:, at] for at, side in enumerate(sums)]
    penalty = delta * torch.clamp(-ratios[0], min=0.0)
    return -F.logsigmoid(beta * (ratios[0] - ratios[1] - penalty)).mean()


def weight_of(form, alpha, pc, pw):
    if form == "f1":
        return 1 + (alpha - 1) * (1 - (pc - pw).abs() / (pc + pw))
    if form == "f2":
        return 1 + (alpha - 1) * 4 * pc * pw / (pc + pw) ** 2
    return 1 + (alpha - 1) * torch.clamp(2 * pw / (pc + pw), max=1.0)


def fgit(chosen, rejected, masks, form="one_sided", alpha=2.0, detach=False, fixed=None, per_token=False):
    total, tokens = 0.0, 0
    for c, w, hc, hw in zip(token_logs(chosen), token_logs(rejected), *masks):
        pc, pw = ((logs.exp() * h).sum() / h.sum() for logs, h in ((c, hc), (w, hw)))
        weight = torch.tensor(1.0)
        if fixed is not None:
            weight = torch.tensor(fixed)
        elif hc.sum() > 0 and hw.sum() > 0:
            weight = weight_of(form, alpha, pc, pw)
        weight = weight.detach() if detach else weight
        total = total - torch.where(hc > 0, weight * c, c).sum()
        tokens += len(c)
    return total / (tokens if per_token else len(PROMPTS))


def dynamic(form, alpha, detach=False, normalise="sample"):
    return {
        "weight": {"dynamic": {"alpha": alpha, "form": form, "detach": detach}},
        "normalise": normalise,
    }


def objectives(reference, masks):
    """Case -> the objective as the trainer reads it, and its loss."""
    cases = {
        "sft": ({"sft": {}}, sft),
        "orpo-trl": ({"orpo": {"lambda": 0.1, "nll": "prompt_response"}}, orpo_trl),
        "orpo-response": ({"orpo": {"lambda": 0.3, "nll": "response"}}, orpo_response),
        "dpo": ({"dpo": {"beta": 0.1}}, partial(dpo, reference=reference)),
        "dpo-ftx": ({"dpo": {"beta": 0.1, "pref_ftx": 0.7}}, partial(dpo_ftx, reference=reference)),
        "dpop": ({"dpo": {"beta": 0.3, "dpop": 5.0}}, partial(dpop, reference=reference)),
    }
    for form in ("f1", "f2", "one_sided"):
        cases[f"fgit-{form}"] = ({"fgit": dynamic(form, 2.0)}, partial(fgit, masks=masks, form=form))
    cases["fgit-detached"] = (
        {"fgit": dynamic("f2", 3.0, detach=True)},
        partial(fgit, masks=masks, form="f2", alpha=3.0, detach=True),
    )
    cases["fgit-token"] = (
        {"fgit": dynamic("f1", 2.5, normalise="token")},
        partial(fgit, masks=masks, form="f1", alpha=2.5, per_token=True),
    )
    cases["fgit-fixed"] = (
        {"fgit": {"weight": {"fixed": 2.0}, "normalise": "sample"}},
        partial(fgit, masks=masks, fixed=2.0),
    )
    cases["fgit+orpo"] = (
        {"fgit-orpo": [dynamic("one_sided", 2.0), {"lambda": 0.1}]},
        lambda c, w: fgit(c, w, masks) + odds(c, w, 0.1),
    )
    return cases


def schedules():
    """Factors of the learning rate for the steps from 0, as transformers' own functions give them."""
    made = {
        ("linear", 5, 40, 0.0): partial(get_linear_schedule_with_warmup, num_warmup_steps=5, num_training_steps=40),
        ("cosine", 4, 30, 0.0): partial(get_cosine_schedule_with_warmup, num_warmup_steps=4, num_training_steps=30),
        ("cosine", 0, 10, 0.0): partial(get_cosine_schedule_with_warmup, num_warmup_steps=0, num_training_steps=10),
        ("constant", 3, 12, 0.0): partial(get_constant_schedule_with_warmup, num_warmup_steps=3),
        ("cosine", 3, 25, 0.1): partial(
            get_cosine_with_min_lr_schedule_with_warmup,
            num_warmup_steps=3,
            num_training_steps=25,
            min_lr_rate=0.1,
        ),
    }
    rows = []
    for (name, warmup, steps, least), make in made.items():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        factor = make(optimizer).lr_lambdas[0]
        rows.append({
            "schedule": name,
            "warmup_steps": warmup,
            "steps": steps,
            "min_ratio": least,
            "factors": [factor(step) for step in range(steps + 3)],
        })
    return rows


def main(folder: Path) -> None:
    generator = torch.Generator().manual_seed(7)
    chosen, rejected = sequences(generator, CHOSEN), sequences(generator, REJECTED)
    masks = marks(generator, CHOSEN), marks(generator, REJECTED)
    masks[0][3].zero_()
    reference = -torch.rand(len(PROMPTS), 2, generator=generator) * 20
    tensors = {"reference": reference.float()}
    for name, side, mask in (("chosen", chosen, masks[0]), ("rejected", rejected, masks[1])):
        tensors[f"{name}.ids"] = side.ids
        tensors[f"{name}.logits"] = side.logits.clone()
        tensors[f"{name}.marks"] = torch.cat(mask)
        side.logits.requires_grad_(True)
    cases = []
    for name, (objective, loss) in objectives(reference, masks).items():
        value = loss(chosen, rejected)
        value.backward()
        for side_name, side in (("chosen", chosen), ("rejected", rejected)):
            gradient = side.logits.grad if side.logits.grad is not None else torch.zeros_like(side.logits)
            tensors[f"{name}.{side_name}"] = gradient.clone()
            side.logits.grad = None
        cases.append({"name": name, "objective": objective, "loss": value.item()})
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "pairs.safetensors")
    page = {
        "vocabulary": VOCABULARY,
        "prompts": PROMPTS,
        "chosen": CHOSEN,
        "rejected": REJECTED,
        "cases": cases,
        "schedules": schedules(),
    }
    (folder / "cases.json").write_text(json.dumps(page, indent=1) + "\n")
    print(f"{folder}: {len(cases)} cases")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
