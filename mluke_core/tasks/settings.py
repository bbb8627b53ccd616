"""The settings that `finetune` and `predict` share, turned into a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mluke_core.alignment.entity_vocabulary import EntityVocabulary
from mluke_core.modeling.config import read_encoder_config
from mluke_core.sequences.tokenizer import Tokenizer
from mluke_core.tasks.base import Task
from mluke_core.tasks.registry import task_class

if TYPE_CHECKING:
    from mluke_core.tasks.linking import Linker

ENTITY_VOCABULARY_FILE = "entity_vocab.json"


@dataclass(frozen=True)
class MentionFiles:
    """Where the mentions come from that question answering with entities detects."""

    articles: Path | None = None
    by_language: Mapping[str, Path] = field(default_factory=dict)


def make_task(settings: Mapping[str, Any], model: Path, mentions: MentionFiles) -> Task[Any]:
    """The task of ``--settings`` for a pretrained model.

    Raises:
        ConfigError, DataError: an unknown task, or a model without what the task needs.
    """
    kind = task_class(settings["task"])
    inputs = settings["inputs"]
    vocabulary: EntityVocabulary | None = None
    linker: Linker | None = None
    if inputs == "entity" and (model / ENTITY_VOCABULARY_FILE).exists():
        vocabulary = EntityVocabulary.from_json(model / ENTITY_VOCABULARY_FILE)
        if kind.links_entities:
            from mluke_core.tasks.linking import MentionLinker  # brings DuckDB with it

            linker = MentionLinker(
                str(settings["options"].get("mentions", "article+dictionary")),
                settings.get("mentions", {}),
                vocabulary,
                mentions.articles,
                mentions.by_language,
            )
    return kind(
        settings["options"],
        inputs,
        Tokenizer.load(model),
        read_encoder_config(model).vocabulary_size,
        vocabulary,
        linker,
    )
