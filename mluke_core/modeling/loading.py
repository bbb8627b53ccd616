"""Load a model from a Hugging Face folder of this project (``results/<scale>/pretrained/``)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from mluke_core.errors import DataError
from mluke_core.io.files import read_json
from mluke_core.modeling.config import ModelConfig, is_own_family, read_config
from mluke_core.modeling.encoder import Encoder, MlukeEncoder
from mluke_core.modeling.hub_names import hub_names
from mluke_core.modeling.prediction import MlukeForPrediction

WEIGHTS_FILE = "model.safetensors"


def load_encoder(folder: str | Path, entity_ids: Sequence[int] | None = None) -> Encoder:
    """Load the encoder, in evaluation mode, float32, on the CPU.

    A :class:`MlukeEncoder`, or for another family an
    :class:`~mluke_core.modeling.auto_encoder.AutoEncoder`.

    Args:
        folder: ``results/<scale>/pretrained/<model>`` or any folder of that layout.
        entity_ids: keep only these rows of the entity table: row i of the encoder's table then
            holds ``entity_ids[i]``, and examples number entities by row. None keeps all. Ignored
            for a word-only model.

    Raises:
        DataError: when the folder is no model of this kind, or an entity id is not in its table.
    """
    if not is_own_family(read_json(Path(folder) / "config.json")):
        from mluke_core.modeling.auto_encoder import load_auto_encoder  # brings transformers

        return load_auto_encoder(folder)
    config = read_config(folder)
    names = {own: hub for own, hub in hub_names(config).items() if own.startswith("encoder.")}
    rows = None
    if entity_ids is not None and config.has_entities:
        rows = torch.as_tensor(list(entity_ids), dtype=torch.int64)
        outside = rows[(rows < 0) | (rows >= config.entity_count)]
        if len(outside):
            raise DataError(
                f"{folder}: entity id {int(outside[0])} is not in the model's entity table of"
                f" {config.entity_count} rows. Is this the model's own entity_vocab.json?"
            )
        config = dataclasses.replace(config, entity_count=len(rows))
    tensors = _read(Path(folder) / WEIGHTS_FILE, names, {"encoder.entities.entity.weight": rows})
    with torch.device("meta"):
        encoder = MlukeEncoder(config)
    _assign(encoder, {own.removeprefix("encoder."): t for own, t in tensors.items()}, folder)
    return encoder.eval()


def load_for_prediction(folder: str | Path) -> MlukeForPrediction:
    """Load encoder and prediction heads, in evaluation mode, float32, on the CPU.

    Raises:
        DataError: as :func:`load_encoder`, or when the folder holds no word prediction head.
    """
    config = read_config(folder)
    tensors = _read(Path(folder) / WEIGHTS_FILE, hub_names(config), {})
    return build_model(config, tensors, folder).eval()


def build_model(
    config: ModelConfig, tensors: dict[str, torch.Tensor], where: str | Path
) -> MlukeForPrediction:
    """A model that owns ``tensors``, named as its own parameters; ``where`` is for messages."""
    with torch.device("meta"):
        model = MlukeForPrediction(config)
    _assign(model, tensors, where)
    return model


def _assign(module: torch.nn.Module, tensors: dict[str, torch.Tensor], where: str | Path) -> None:
    for name, parameter in module.named_parameters():
        if name not in tensors:
            raise DataError(f"{where}: no weights for '{name}'. Make this model again.")
        if tensors[name].shape != parameter.shape:
            raise DataError(
                f"{where}: '{name}' has shape {tuple(tensors[name].shape)}, the configuration"
                f" asks for {tuple(parameter.shape)}: config and weights are of different models."
            )
    module.load_state_dict(tensors, assign=True)


def _read(
    path: Path, names: dict[str, str], rows: dict[str, torch.Tensor | None]
) -> dict[str, torch.Tensor]:
    """Read the tensors ``names`` lists (own name -> name in the file), some rows of some only."""
    tensors: dict[str, torch.Tensor] = {}
    try:
        with safe_open(path, framework="pt") as stored:
            _check_present(path, stored.keys(), names)
            for own, hub in names.items():
                tensor = stored.get_tensor(hub)
                selected = rows.get(own)
                # The file is mapped into memory: a copy frees the weights from it.
                tensors[own] = tensor.clone() if selected is None else tensor[selected]
    except FileNotFoundError:
        raise DataError(f"{path}: no such file. Is this the folder of a model?") from None
    except SafetensorError as error:
        raise DataError(f"{path}: not a readable safetensors file ({error}).") from None
    return {own: tensor.float() for own, tensor in tensors.items()}


def _check_present(path: Path, stored: Iterable[str], names: dict[str, str]) -> None:
    present = set(stored)
    missing = [hub for hub in names.values() if hub not in present]
    if any(own.startswith("word_head") for own, hub in names.items() if hub in missing):
        raise DataError(
            f"{path}: no word prediction head ('{missing[0]}'). Import a checkpoint that was"
            " published with its masked language model head."
        )
    if missing:
        raise DataError(
            f"{path}: no tensor '{missing[0]}', which config.json asks for"
            f" ({len(missing)} missing in all)."
        )
