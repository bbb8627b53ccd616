"""Vectors of RELX's mention pairs before fine-tuning, and the modularity of their graphs (Table 4).

The vector of a sentence is what relation classification would feed to its classifier: for words
the vectors of the first ``<ent>`` and the first ``<ent2>`` marker (whose embeddings start from "@"
and "#"), for entities those of ``[MASK]`` over the head and ``[MASK2]`` over the tail, concatenated
(protocol, 6.5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mluke_core.alignment.entity_vocabulary import EntityVocabulary
from mluke_core.errors import ConfigError, DataError
from mluke_core.io.progress import Progress
from mluke_core.io.sources import Source
from mluke_core.modeling.config import read_encoder_config
from mluke_core.modeling.encoder import Encoder
from mluke_core.probes.features import TOKEN_BUDGET, Vectors
from mluke_core.probes.modularity import normalised_modularity
from mluke_core.sequences.tokenizer import Tokenizer
from mluke_core.tasks.base import Feature
from mluke_core.tasks.batches import inference_batches
from mluke_core.tasks.model import choose_device, load_backbone
from mluke_core.tasks.relation import RelationTask
from mluke_core.tasks.tables import Tables

PIVOT = "en"
FILE = "RELX_{language}.txt"
RUN = {"run": "pretrained", "seed": 0}


@dataclass(frozen=True)
class PairVectors:
    """The sentences of one language: ids, vectors (N x 2H), and what the reader had to mend."""

    ids: list[str]
    vectors: Vectors
    troubles: list[str]


def pair_vectors(folder: Path, inputs: str, paths: Mapping[str, Path]) -> dict[str, PairVectors]:
    """Vectors of every sentence of every language's file.

    Raises:
        ConfigError: entity inputs of a word-only model.
    """
    config = read_encoder_config(folder)
    if inputs == "entity" and not config.has_entities:
        raise ConfigError(
            f"{folder}: a model without entities cannot be probed with inputs: entity. "
            "Write inputs: word for this system, or give it a LUKE model."
        )
    vocabulary = None
    if inputs == "entity":
        vocabulary = EntityVocabulary.from_json(folder / "entity_vocab.json")
    options = {"maximum_length": config.maximum_length}
    tokenizer = Tokenizer.load(folder)
    task = RelationTask(options, inputs, tokenizer, config.vocabulary_size, vocabulary)
    datasets = {
        language: task.read(path, context_language=language) for language, path in paths.items()
    }
    features: list[Feature] = []
    limits = [0]
    for dataset in datasets.values():
        task.learn_labels(dataset)
        features += task.encode(dataset, training=False)
        limits.append(len(features))
    tables = Tables.of(features)
    encoder = load_backbone(folder, task, tables).to(choose_device())
    vectors = _encode(encoder, task, tables, features)
    return {
        language: PairVectors(
            [example.id for example in dataset.examples],
            vectors[limits[number] : limits[number + 1]],
            dataset.report.lines(),
        )
        for number, (language, dataset) in enumerate(datasets.items())
    }


@torch.inference_mode()
def _encode(
    encoder: Encoder, task: RelationTask, tables: Tables, features: Sequence[Feature]
) -> Vectors:
    """The classifier's input of every sentence, in order."""
    encoder.eval()
    device = next(encoder.parameters()).device
    vectors = np.zeros((len(features), 2 * encoder.config.hidden_size), dtype=np.float32)
    lengths = np.array([feature.length for feature in features], dtype=np.int64)
    with Progress("modularity", len(features), "sentences") as progress:
        for numbers in inference_batches(lengths, TOKEN_BUDGET):
            chosen = [features[number] for number in numbers]
            batch = tables.pack(chosen, device)
            pairs_BH = task.logits(nn.Identity(), encoder(batch), batch, chosen)
            vectors[numbers] = pairs_BH.float().cpu().numpy()
            progress.update(len(numbers))
    return vectors


def probe_modularity(
    folder: Path,
    inputs: str,
    source: Source,
    languages: Sequence[str],
    neighbours: int,
    sweep: Sequence[int],
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Scores of English with each language, and the features behind them.

    Returns:
        Content of the scores file less ``system``; and arrays ``{language}_ids`` and
        ``{language}_vectors`` (N x 2H) of every language, English included.

    Raises:
        DataError: there is no English file, or none of the other languages.
    """
    present = [language for language in languages if FILE.format(language=language) in source]
    if not present:
        raise DataError(
            f"{source.path}: no RELX file of any language of {', '.join(languages)}; expected "
            f"names such as {FILE.format(language='de')}."
        )
    names = [PIVOT, *(language for language in present if language != PIVOT)]
    paths = {language: source.file(FILE.format(language=language)) for language in names}
    pairs = pair_vectors(folder, inputs, paths)
    scores = score_modularity(pairs, languages, neighbours, sweep)
    features: dict[str, np.ndarray] = {}
    for language, found in pairs.items():
        features[f"{language}_ids"] = np.array(found.ids)
        features[f"{language}_vectors"] = found.vectors
    return scores, features


def score_modularity(
    pairs: Mapping[str, PairVectors],
    languages: Sequence[str],
    neighbours: int,
    sweep: Sequence[int],
) -> dict[str, Any]:
    """The scores file of vectors already computed."""
    results: dict[str, dict[str, list[float]]] = {}
    unavailable: dict[str, str] = {}
    counts: dict[str, int] = {}
    details: dict[str, Any] = {}
    notes = [f"{neighbours} nearest neighbours; modularity_k<n> has n of them."]
    english = pairs[PIVOT].vectors
    for language in languages:
        if language not in pairs:
            unavailable[language] = "RELX has no file in this language"
            continue
        other = pairs[language].vectors
        nodes = len(english) + len(other)
        counts[language] = nodes
        measures: dict[str, list[float]] = {}
        parts: dict[str, Any] = {}
        for k in sorted({neighbours, *sweep}):
            if k >= nodes:
                notes.append(f"{language}: {nodes} vectors have no {k} neighbours each.")
                continue
            found = normalised_modularity(english, other, k)
            parts[str(k)] = {"q": found.q, "q_max": found.q_max, "edges": found.edges}
            if k in sweep:
                measures[f"modularity_k{k}"] = [found.normalised]
            if k == neighbours:
                measures["modularity"] = [found.normalised]
        results[language] = measures
        details[language] = {"by_neighbours": parts, "troubles": pairs[language].troubles}
    return {
        "test": "modularity",
        "runs": [RUN],
        "results": {"default": results},
        "counts": counts,
        "coverage": {},
        "unavailable": unavailable,
        "notes": notes,
        "details": {"languages": details, "english": {"troubles": pairs[PIVOT].troubles}},
    }
