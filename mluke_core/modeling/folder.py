"""Write a model as a Hugging Face folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from mluke_core.errors import DataError
from mluke_core.io.files import atomic_path, write_json, write_text
from mluke_core.modeling.config import ModelConfig, config_to_hub
from mluke_core.modeling.hub_names import BODY_PREFIX, hub_names, tied_names
from mluke_core.modeling.loading import WEIGHTS_FILE

POOLER = ("pooler.dense.weight", "pooler.dense.bias")
"""Part of every published checkpoint, used by no step here: handed on as it is."""

_MODEL_FILES = {"config.json", WEIGHTS_FILE, "README.md", "entity_vocab.json"}


def write_model_folder(
    output: str | Path,
    config: ModelConfig,
    weights: Mapping[str, torch.Tensor],
    tokenizer: str | Path,
    card: str,
    pooler: Mapping[str, torch.Tensor] | None = None,
    entity_vocabulary: Mapping[str, int] | None = None,
) -> None:
    """Write config, weights, tokenizer and model card; the folder appears when it is complete.

    Args:
        weights: tensors by this project's names; a missing word head is left out.
        tokenizer: folder whose tokenizer files are copied (another model's folder will do).
        pooler: the tensors of :data:`POOLER` by those names.
        entity_vocabulary: ``{"en:Japan": 7, …}`` for a LUKE model.
    """
    names = hub_names(config)
    unknown = sorted(set(weights) - set(names))
    if unknown:
        raise ValueError(f"{unknown[0]} is no parameter of a {config.family} model")
    tensors = {names[own]: tensor.detach().contiguous() for own, tensor in weights.items()}
    for copy, original in tied_names(config).items():
        if original in tensors:
            tensors[copy] = tensors[original].clone()
    for name, tensor in (pooler or {}).items():
        tensors[BODY_PREFIX[config.family] + name] = tensor.detach().contiguous()
    with atomic_path(output) as temporary:
        temporary.mkdir()
        _copy_tokenizer(Path(tokenizer), temporary)
        write_json(temporary / "config.json", config_to_hub(config))
        write_tensors(temporary / WEIGHTS_FILE, tensors)
        if entity_vocabulary is not None:
            write_json(temporary / "entity_vocab.json", entity_vocabulary)
        write_text(temporary / "README.md", card)


def write_published_folder(
    output: str | Path,
    config: Mapping[str, Any],
    tensors: Mapping[str, torch.Tensor],
    tokenizer: str | Path,
    card: str,
    check: Callable[[Path], None],
) -> None:
    """Write a model of another family: a Hugging Face configuration and its tensors as they are.

    Args:
        tokenizer: folder whose tokenizer files are copied.
        check: given the folder before it appears; what it raises keeps it from appearing.
    """
    with atomic_path(output) as temporary:
        temporary.mkdir()
        _copy_tokenizer(Path(tokenizer), temporary)
        write_json(temporary / "config.json", config)
        # Tensors of a .bin file may be one and the same under two names; safetensors takes none.
        write_tensors(
            temporary / WEIGHTS_FILE,
            {name: tensor.contiguous().clone() for name, tensor in tensors.items()},
        )
        write_text(temporary / "README.md", card)
        check(temporary)


def write_tensors(
    path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write a safetensors file that everybody who can read the folder can read.

    Args:
        metadata: one key at most, because safetensors writes several in a random order.
    """
    save_file(dict(tensors), path, metadata=dict(metadata or {"format": "pt"}))
    path.chmod(0o644)


def _copy_tokenizer(source: Path, target: Path) -> None:
    if not (source / "tokenizer.json").exists():
        raise DataError(f"{source}: no tokenizer.json in it. Is this the folder of a tokenizer?")
    for path in sorted(source.iterdir()):
        if path.is_file() and path.name not in _MODEL_FILES and not path.name.startswith("."):
            shutil.copyfile(path, target / path.name)


def model_card(title: str, facts: Mapping[str, Any], notes: str = "") -> str:
    """A README with a table of facts."""
    lines = [f"# {title}", "", "| | |", "|---|---|"]
    lines += [f"| {key} | {value} |" for key, value in facts.items()]
    if notes:
        lines += ["", notes]
    return "\n".join(lines) + "\n"
