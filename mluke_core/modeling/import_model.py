"""A published checkpoint as a folder of this project.

Reads XLM-R, RoBERTa and BERT, with or without their masked language model head, released LUKE and
mLUKE checkpoints, and other encoders that ``transformers`` knows, from safetensors or, with
``weights_only``, from a ``.bin`` file.
"""

from __future__ import annotations

import dataclasses
import pickle
import re
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from mluke_core.errors import DataError
from mluke_core.io.files import read_json
from mluke_core.io.sources import Source
from mluke_core.modeling.config import ModelConfig, config_from_hub, is_own_family
from mluke_core.modeling.folder import (
    POOLER,
    model_card,
    write_model_folder,
    write_published_folder,
)
from mluke_core.modeling.hub_names import BODY_PREFIX, hub_names
from mluke_core.modeling.prediction import MlukeForPrediction
from mluke_core.modeling.second_mask import append_second_mask
from mluke_core.sequences.tokenizer import Tokenizer

SAFETENSORS, PICKLED = "model.safetensors", "pytorch_model.bin"
_BODY_STARTS = ("embeddings.", "encoder.", "entity_embeddings.", "pooler.")
_ENTITY_AWARE = re.compile(r"(.*\.attention\.self\.)(?:w2e|e2w|e2e)_(query\.(?:weight|bias))$")

# What a checkpoint may hold a second time: name -> the tensor it must equal, by family.
_ROBERTA_COPIES = {
    "lm_head.decoder.weight": "{body}embeddings.word_embeddings.weight",
    "lm_head.decoder.bias": "lm_head.bias",
}
_BERT_COPIES = {
    "cls.predictions.decoder.weight": "{body}embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}
_LUKE_COPIES = {
    "entity_predictions.decoder.weight": "{body}entity_embeddings.entity_embeddings.weight"
}


def import_model(source: Source, tokenizer_folder: Path, name: str, output: Path) -> None:
    """Write the checkpoint of ``source`` to ``output``.

    Raises:
        DataError: when weights, configuration, tokenizer and entity vocabulary do not fit.
    """
    path = source.file("config.json")
    if not is_own_family(read_json(path)):
        _import_other(source, tokenizer_folder, name, output)
        return
    config = config_from_hub(read_json(path), path)
    tokenizer = Tokenizer.load(tokenizer_folder)
    _check_tokenizer(tokenizer, config.pad_id, config.vocabulary_size, path)
    config = dataclasses.replace(config, bos_id=tokenizer.bos_id, eos_id=tokenizer.eos_id)
    tensors, weights_path = _read_tensors(source)
    hub = _canonical(tensors, config, weights_path)
    weights = _own(hub, config, weights_path)
    body = BODY_PREFIX[config.family]
    pooler = {key: hub[body + key] for key in POOLER if body + key in hub}
    vocabulary = None
    if config.has_entities:
        vocabulary_path = source.file("entity_vocab.json")
        config, weights, vocabulary = append_second_mask(
            config, weights, read_json(vocabulary_path), vocabulary_path
        )
    facts = {
        "family": config.family,
        "layers": config.layers,
        "hidden size": config.hidden_size,
        "words": config.vocabulary_size,
        "entities": config.entity_count,
        "source": source.name,
        "masked language model head": "yes" if "word_head.bias" in weights else "no",
    }
    note = "A published checkpoint in this project's layout; its weights are unchanged."
    write_model_folder(
        output, config, weights, tokenizer_folder, model_card(name, facts, note), pooler, vocabulary
    )


def _import_other(source: Source, tokenizer_folder: Path, name: str, output: Path) -> None:
    """A checkpoint of another family: its own configuration and tensors, checked by running it."""
    from mluke_core.modeling.auto_encoder import check_outputs, read_word_config

    path = source.file("config.json")
    config = read_word_config(path.parent)
    tokenizer = Tokenizer.load(tokenizer_folder)
    _check_tokenizer(tokenizer, config.pad_id, config.vocabulary_size, path)
    tensors, _ = _read_tensors(source)
    facts = {
        "family": config.family,
        "hidden size": config.hidden_size,
        "words": config.vocabulary_size,
        "source": source.name,
    }
    note = "A published checkpoint, for systems with word inputs; its weights are unchanged."
    card = model_card(name, facts, note)
    write_published_folder(
        output,
        read_json(path),
        tensors,
        tokenizer_folder,
        card,
        check=lambda folder: check_outputs(folder, source.path),
    )


def _check_tokenizer(tokenizer: Tokenizer, pad_id: int, vocabulary_size: int, path: Path) -> None:
    if tokenizer.pad_id != pad_id:
        raise DataError(
            f"{path}: pad_token_id is {pad_id}, but the tokenizer's is {tokenizer.pad_id}."
            " Set the model's tokenizer to the one it was published with."
        )
    if tokenizer.vocabulary_size > vocabulary_size:
        raise DataError(
            f"{path}: vocab_size is {vocabulary_size}, but the tokenizer has"
            f" {tokenizer.vocabulary_size} words. Set the model's tokenizer to the one it was"
            " published with."
        )


def _read_tensors(source: Source) -> tuple[dict[str, torch.Tensor], Path]:
    if SAFETENSORS in source:
        path = source.file(SAFETENSORS)
        try:
            return load_file(path), path
        except SafetensorError as error:
            raise DataError(f"{path}: not a readable safetensors file ({error}).") from None
    if PICKLED not in source:
        known = ", ".join(sorted(source.files))
        raise DataError(
            f"{source.path}: no weights; expected {SAFETENSORS} or {PICKLED}, in one file. The"
            f" source has {known}."
        )
    path = source.file(PICKLED)
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: not a file of weights alone ({reason}).") from None
    if not isinstance(tensors, dict) or not all(map(torch.is_tensor, tensors.values())):
        raise DataError(f"{path}: not a table of tensors by name.")
    return tensors, path


def _canonical(
    tensors: dict[str, torch.Tensor], config: ModelConfig, path: Path
) -> dict[str, torch.Tensor]:
    """Tensors under the names of the Hugging Face class with heads, doubles removed."""
    body = BODY_PREFIX[config.family]
    named = {}
    for name, tensor in tensors.items():
        name = re.sub(r"gamma$", "weight", re.sub(r"beta$", "bias", name))
        named[body + name if name.startswith(_BODY_STARTS) else name] = tensor.float()
    copies = dict(_BERT_COPIES if config.family == "bert" else _ROBERTA_COPIES)
    if config.has_entities:
        copies |= _LUKE_COPIES
    for copy, pattern in copies.items():
        original = pattern.format(body=body)
        if copy not in named:
            continue
        if original not in named:
            named[original] = named[copy]
        elif not torch.equal(named[copy], named[original]):
            raise DataError(
                f"{path}: '{copy}' differs from '{original}'. This model ties the two; an untied"
                " checkpoint cannot be imported."
            )
        del named[copy]
    for name in list(named):
        match = _ENTITY_AWARE.match(name)
        if match is None:
            continue
        if not torch.equal(named[name], named.get("".join(match.groups()), torch.empty(0))):
            raise DataError(
                f"{path}: '{name}' differs from the common query: the checkpoint was trained with"
                " entity-aware attention, which mLUKE does not use."
            )
        del named[name]
    return named


def _own(hub: dict[str, torch.Tensor], config: ModelConfig, path: Path) -> dict[str, torch.Tensor]:
    """Weights by this project's names; a head that the checkpoint lacks is left out whole."""
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in MlukeForPrediction(config).named_parameters()}
    names = hub_names(config)
    absent = {
        own.split(".")[0]
        for own, name in names.items()
        if name not in hub and not own.startswith("encoder.")
    }
    weights = {}
    for own, name in names.items():
        if own.split(".")[0] in absent:
            continue
        if name not in hub:
            raise DataError(
                f"{path}: no tensor '{name}', which config.json asks for. Configuration and"
                " weights are of different models."
            )
        if hub[name].shape != shapes[own]:
            raise DataError(
                f"{path}: '{name}' has shape {tuple(hub[name].shape)}; config.json asks for"
                f" {tuple(shapes[own])}. Configuration and weights are of different models."
            )
        weights[own] = hub[name]
    return weights
