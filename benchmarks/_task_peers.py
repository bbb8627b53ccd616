"""``transformers``' LUKE classes and tokenizer, with the weights and word ids of a task's model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from mluke_core.io.files import read_json
from mluke_core.modeling.config import config_to_hub, read_config
from mluke_core.modeling.loading import WEIGHTS_FILE
from mluke_core.tasks.heads import linear_head

BATCH_SIZE = 8
"""Inputs that the peer pads together, as its documentation's example does."""
WORDS = "luke.embeddings.word_embeddings.weight"


def luke_class(kind: str) -> type[Any]:
    import transformers

    return getattr(transformers, f"LukeForEntity{kind}Classification")


def luke_model(folder: Path, kind: str, head: nn.Module, seeds: Sequence[int]) -> nn.Module:
    """A ``LukeForEntity{kind}Classification`` with the folder's weights and ``head``'s.

    Args:
        kind: ``Span`` or ``Pair``.
        head: dropout and a linear layer.
        seeds: words whose embeddings the markers start from.
    """
    from transformers import LukeConfig

    layer = head[-1]  # type: ignore[index]
    state = load_file(folder / WEIGHTS_FILE)
    state[WORDS] = torch.cat([state[WORDS], state[WORDS][list(seeds)]])
    config = {
        **config_to_hub(read_config(folder)),
        "vocab_size": len(state[WORDS]),
        "num_labels": len(layer.weight),
    }
    model = luke_class(kind)(LukeConfig(**config))
    missing, _ = model.load_state_dict(state, strict=False)
    wrong = [name for name in missing if not name.startswith(("classifier", "luke.pooler"))]
    if wrong:
        raise RuntimeError(f"the peer lacks weights for {wrong[:3]}")
    with torch.no_grad():
        model.classifier.weight.copy_(layer.weight)
        if model.classifier.bias is not None:
            model.classifier.bias.copy_(layer.bias)
    return model.eval()


def luke_tokenizer(folder: Path, task: str, markers: Sequence[str]) -> Any:
    """``MLukeTokenizer`` on the project's ``tokenizer.json``.

    What the class builds itself from a SentencePiece vocabulary is not XLM-R's: its ids are shifted
    by one and nothing is normalised, so its inner tokenizer is replaced.
    """
    from tokenizers import AddedToken
    from tokenizers import Tokenizer as Backend
    from transformers import MLukeTokenizer

    tokenizer = MLukeTokenizer(
        vocab=[("<unk>", 0.0)],
        entity_vocab=read_json(folder / "entity_vocab.json"),
        task=task,
        max_entity_length=128,
        max_mention_length=30,
    )
    backend = Backend.from_file(str(folder / "tokenizer.json"))
    backend.no_padding()
    backend.no_truncation()
    names = ["▁<ent>", "▁<ent2>"][: len(markers)]
    backend.add_tokens([AddedToken(name, normalized=False) for name in names])
    tokenizer._tokenizer = backend
    return tokenizer


def batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), BATCH_SIZE):
        yield items[start : start + BATCH_SIZE]


@torch.inference_mode()
def classify(
    model: nn.Module, tokenizer: Any, inputs: Sequence[tuple[str, list[tuple[int, int]]]]
) -> list[torch.Tensor]:
    """Logits of every (text, character spans), features made by the tokenizer."""
    logits = []
    for part in batches(inputs):
        texts, spans = zip(*part, strict=True)
        encoded = tokenizer(
            list(texts), entity_spans=list(spans), padding=True, return_tensors="pt"
        )
        found = model(**encoded).logits
        logits += [
            row[: len(given)] if row.ndim > 1 else row
            for row, given in zip(found, spans, strict=True)
        ]
    return logits


def fresh_head(inputs: int, labels: int) -> nn.Module:
    """A head with weights that tell inputs apart, and no bias, which the peer's pairs lack."""
    torch.manual_seed(1)
    return linear_head(inputs, labels, 0.0)
