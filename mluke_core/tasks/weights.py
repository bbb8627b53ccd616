"""Fine-tuned weights: what was trained, and how to put it back onto the pretrained model.

A folder with ``model.safetensors`` (encoder without its tables, head, and the table rows that
occurred in training) and ``task.json`` (task, labels, options, and the factor by which weight
decay shrank all other rows). The rest comes from the pretrained model, so that a test set may
bring words and entities that training never saw.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from mluke_core.errors import DataError
from mluke_core.io.files import atomic_path, read_json, write_json
from mluke_core.tasks.base import Task
from mluke_core.tasks.model import TaskModel, load_backbone
from mluke_core.tasks.tables import Tables, overlay

WEIGHTS_FILE = "model.safetensors"
TASK_FILE = "task.json"
_WORDS, _ENTITIES = "encoder.words.word.weight", "encoder.entities.entity.weight"
_TABLES = {_WORDS: "words", _ENTITIES: "entities"}


def save_weights(
    folder: Path, model: TaskModel, trained: Tables, decay: float, facts: dict[str, Any]
) -> None:
    """Write ``folder``; ``trained`` are the rows that occurred in training."""
    tensors: dict[str, torch.Tensor] = {}
    for name, tensor in model.state_dict().items():
        if name not in _TABLES:
            tensors[name] = tensor.contiguous().cpu()
            continue
        ids = getattr(trained, _TABLES[name]).ids
        rows = torch.from_numpy(getattr(model.tables, _TABLES[name]).find(ids))
        tensors[name] = tensor.cpu()[rows].contiguous()
        tensors[f"{name}.ids"] = torch.from_numpy(ids)
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        save_file(tensors, temporary / WEIGHTS_FILE)
        facts = {**facts, "labels": model.task.labels, "decay": decay}
        write_json(temporary / TASK_FILE, facts)


def read_task(folder: Path) -> dict[str, Any]:
    """``task.json`` of a folder; :class:`DataError` when it is not one of fine-tuned weights."""
    facts = read_json(folder / TASK_FILE)
    if not isinstance(facts, dict) or not {"task", "inputs", "labels", "decay"} <= facts.keys():
        raise DataError(f"{folder / TASK_FILE}: not written by finetune. Fine-tune this run again.")
    return facts


def load_weights(folder: Path, base: Path, task: Task[Any], tables: Tables) -> TaskModel:
    """The fine-tuned model for inputs that need ``tables``, in evaluation mode.

    Rows that training knew are the fine-tuned ones; the others are the pretrained model's, shrunk
    as weight decay would have shrunk them.

    Raises:
        DataError: ``folder`` was not fine-tuned from a model like ``base``.
    """
    task.labels = list(read_task(folder)["labels"])
    model = TaskModel(task, load_backbone(base, task, tables), tables)
    decay = float(read_task(folder)["decay"])
    path = folder / WEIGHTS_FILE
    try:
        with safe_open(path, framework="pt") as stored:
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except (FileNotFoundError, SafetensorError) as error:
        raise DataError(f"{path}: not readable ({error}). Fine-tune this run again.") from None
    for name, attribute in _TABLES.items():
        tuned = tensors.pop(name, None)
        ids = tensors.pop(f"{name}.ids", None)
        if tuned is None or ids is None:
            continue
        embedding = model.get_submodule(name.removesuffix(".weight"))
        assert isinstance(embedding, torch.nn.Embedding)
        if embedding.weight.shape[1] != tuned.shape[1]:
            raise _mismatch(folder, base, name)
        with torch.no_grad():
            embedding.weight.mul_(decay)
        overlay(embedding, getattr(tables, attribute), tuned, np.asarray(ids))
    own = {name: tensor for name, tensor in model.state_dict().items() if name not in _TABLES}
    for name in own.keys() | tensors.keys():
        if name not in own or name not in tensors or own[name].shape != tensors[name].shape:
            raise _mismatch(folder, base, name)
    model.load_state_dict(tensors, strict=False)
    return model.eval()


def _mismatch(folder: Path, base: Path, name: str) -> DataError:
    return DataError(
        f"{folder}: '{name}' does not fit the model {base}. It was fine-tuned from another model: "
        "fine-tune this run again."
    )
