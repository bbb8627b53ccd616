"""Encoder and head as one module that takes a task's features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mluke_core.errors import DataError
from mluke_core.io.progress import Progress
from mluke_core.modeling.encoder import Encoder
from mluke_core.modeling.loading import load_encoder
from mluke_core.pretraining.distributed import World
from mluke_core.sequences.tokenizer import Tokenizer
from mluke_core.tasks.base import Feature, Task
from mluke_core.tasks.batches import inference_batches
from mluke_core.tasks.narrow import NarrowLayer, narrowed
from mluke_core.tasks.parallel import gather_scores
from mluke_core.tasks.tables import Tables, keep_words

# Rows (words and entities) of a batch at prediction: enough to fill a core, little memory.
INFERENCE_ROWS = {"cpu": 8_192, "cuda": 65_536}


class TaskModel(nn.Module):
    """The encoder with tables cut to what is in use, and the task's head."""

    def __init__(self, task: Task[Any], encoder: Encoder, tables: Tables) -> None:
        super().__init__()
        self.task = task
        self.tables = tables
        self.encoder = encoder
        self.head = task.head(encoder.config.hidden_size, encoder.config.hidden_dropout)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.head.parameters()).device

    def forward(self, features: Sequence[Feature]) -> torch.Tensor:
        """The task's logits for a batch."""
        batch = self.tables.pack(features, self.device)
        return self.task.logits(self.head, self.encoder(batch), batch, features)

    def predict(self, features: Sequence[Feature], last: NarrowLayer | None) -> torch.Tensor:
        """The same in evaluation, with ``last`` for the rows that are read alone."""
        batch = self.tables.pack(features, self.device)
        if last is not None:
            # On a GPU, one large product is quicker than many small ones.
            rows = self.task.rows_read(batch, features) if self.device.type == "cpu" else None
            last.rows = None if rows is None else np.sort(rows)
        return self.task.logits(self.head, self.encoder(batch), batch, features)


def load_backbone(folder: Path, task: Task[Any], tables: Tables) -> Encoder:
    """The pretrained encoder with the task's markers added and its tables cut to ``tables``.

    Raises:
        DataError: ``folder`` is no model, or a word-only model for a system with entity inputs.
    """
    encoder = load_encoder(folder, tables.entities.ids.tolist())
    if task.uses_entities and not encoder.config.has_entities:
        raise DataError(f"{folder}: a word-only model, but this system has entity inputs.")
    seeds = task.added_tokens()
    if seeds:
        ids = torch.tensor([seed_word(task.tokenizer, token) for token in seeds])
        encoder.add_words(encoder.words.word.weight[ids].detach())
    keep_words(encoder, tables.words)
    return encoder


def seed_word(tokenizer: Tokenizer, token: str) -> int:
    """Id of the token whose embedding a marker starts from."""
    known = tokenizer.id_of(token)
    if known is not None:
        return known
    return (tokenizer.encode_with_spans(token, [])[0] or [tokenizer.unk_id])[-1]


def choose_device() -> torch.device:
    """The GPU when there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """bfloat16 arithmetic where ``precision`` is ``bf16``; nothing for ``fp32``."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


@torch.inference_mode()
def predict_scores(
    model: TaskModel,
    features: Sequence[Feature],
    precision: str,
    description: str,
    world: World | None = None,
) -> list[np.ndarray]:
    """The task's scores of each feature, in order; the processes of ``world`` share the work."""
    world = world or World(0, 1, model.device)
    model.eval()
    lengths = np.array([feature.length for feature in features], dtype=np.int64)
    scores: dict[int, np.ndarray] = {}
    batches = inference_batches(lengths, INFERENCE_ROWS[model.device.type])
    with (
        Progress(description, total=len(features), unit="input") as progress,
        narrowed(model.encoder) as last,
    ):
        for batch in batches[world.rank :: world.size]:
            chosen = [features[index] for index in batch]
            with autocast(model.device, precision):
                logits = model.predict(chosen, last)
            found = model.task.scores(logits, chosen)
            scores |= zip(batch.tolist(), found, strict=True)
            progress.update(len(batch))
    everywhere = gather_scores(scores, world)
    return [everywhere[index] for index in range(len(features))]
