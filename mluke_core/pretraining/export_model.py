"""The result of pretraining as a Hugging Face folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch
from safetensors import safe_open

from mluke_core.errors import DataError
from mluke_core.io.files import read_json
from mluke_core.modeling.config import read_config
from mluke_core.modeling.folder import POOLER, model_card, write_model_folder
from mluke_core.modeling.hub_names import BODY_PREFIX
from mluke_core.modeling.loading import WEIGHTS_FILE
from mluke_core.modeling.second_mask import append_second_mask
from mluke_core.pretraining.pretrain import SUMMARY_FILE
from mluke_core.pretraining.stage_weights import read_stage_weights


def export_model(
    stage: Path,
    base: Path,
    vocabulary: Path,
    entity_vocabulary: Path,
    objective: str,
    label: str,
    output: Path,
    origin: Mapping[str, str] | None = None,
) -> None:
    """Write ``output``: a LUKE model with ``[MASK2]`` appended, or the word model alone.

    Args:
        stage: output of the last stage.
        base: model that pretraining started from; gives tokenizer and pooler.
        vocabulary: Parquet file of the entity vocabulary.
        entity_vocabulary: ``entity_vocab.json``.
        label: name of the model, for its card.
        origin: of the texts, for the card: ``{"dumps of": "2020-12-01", …}``.

    Raises:
        DataError: when the stage, its objective and the vocabulary do not belong together.
    """
    model = read_stage_weights(stage)
    if model.has_entities != (objective == "luke"):
        raise DataError(
            f"{stage}: was not trained with objective {objective}. Train the model's stages again."
        )
    config = model.config
    weights: dict[str, torch.Tensor] = dict(model.named_parameters())
    names = None
    if model.has_entities:
        rows = pq.read_metadata(vocabulary).num_rows
        if rows != config.entity_count:
            raise DataError(
                f"{vocabulary}: {rows} entities, but {stage} was trained with"
                f" {config.entity_count}. Train the model's stages again."
            )
        config, weights, names = append_second_mask(
            config, weights, read_json(entity_vocabulary), entity_vocabulary
        )
    summary = read_json(stage / SUMMARY_FILE)
    facts = {**_facts(summary, config.entity_count), **_data_facts(summary), **(origin or {})}
    card = model_card(label, facts, _notes(model.has_entities))
    write_model_folder(output, config, weights, base, card, _pooler(base), names)


def _pooler(base: Path) -> dict[str, torch.Tensor]:
    prefix = BODY_PREFIX[read_config(base).family]
    with safe_open(base / WEIGHTS_FILE, framework="pt") as stored:
        present = set(stored.keys())
        return {
            name: stored.get_tensor(prefix + name).clone()
            for name in POOLER
            if prefix + name in present
        }


def _facts(summary: dict[str, Any], entities: int) -> dict[str, Any]:
    settings = summary["settings"]
    final = summary["final"].get("validation", {})
    losses = {
        f"validation {name} loss": f"{final[key]:.3f} (unigram {summary['unigram'][key]:.3f})"
        for name, key in (("MLM", "mlm_loss"), ("MEP", "mep_loss"))
        if final.get(key) is not None and summary["unigram"].get(key) is not None
    }
    return {
        "objective": settings["objective"],
        "last stage": f"{summary['stage']}, {summary['steps']:,} steps",
        "batch size": settings["batch_size"],
        "learning rate": settings["learning_rate"],
        "precision": settings["precision"],
        "seed": settings["seed"],
        "parameters": f"{summary['parameters']:,}",
        "entities": f"{entities:,}",
        **losses,
    }


def _data_facts(summary: dict[str, Any]) -> dict[str, Any]:
    """What the model was trained on and by, so that the same can be made again."""
    data, software = summary["data"], dict(summary["software"])
    vocabulary = "entity_vocabulary" if summary["settings"]["objective"] == "luke" else None
    digests = {
        f"SHA-256 of {name}": f"`{data[key]}`"
        for name, key in (
            ("the sequence manifest", "manifest"),
            ("the tokenizer", "tokenizer"),
            ("the entity vocabulary", vocabulary),
        )
        if key is not None
    }
    own = f"mluke-dag {software.pop('mluke_core')} (pretrain version {software.pop('pretrain')})"
    others = (f"{name} {number}" for name, number in software.items())
    return {
        "languages": f"{len(data['languages'])}: {', '.join(data['languages'])}",
        **digests,
        "software": ", ".join((own, *others)),
    }


def _notes(has_entities: bool) -> str:
    if not has_entities:
        return "Masked language modelling on Wikipedia, without entities."
    return (
        "A LUKE model without entity-aware attention, trained on Wikipedia with masked words and"
        " masked entities. `[MASK2]` is the last entity, a copy of `[MASK]`. Load it with"
        " `transformers.LukeForMaskedLM` or `AutoModel`; entity positions count the first special"
        " token as 0."
    )
