"""mLAMA's cloze questions, beside the ways that come to mind first.

Words, the same model and questions: (1) a loop over triples and candidates, one input at a time,
with the softmax over the whole vocabulary, by `transformers.XLMRobertaForMaskedLM`; (2) one padded
batch per triple with all its candidates, its head at the masks alone and full softmaxes there, by
the same library. Entities: the same loop over candidates by this project's own model with the
softmax over all entities. One core, CPU seconds; the scores must be equal. The last rows ask
English mLAMA on two cores: one question in ten of each relation, all of them with `--whole`.

Data and models are those of a finished run of scale `sample`
(`snakemake --cores 2 --config scale=sample mirror=DIR`), or of scale `mini` with a random model of
XLM-R's vocabulary where there is none.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _bench import CACHE, ROOT, Row, cpu_seconds, main

if TYPE_CHECKING:
    from mluke_core.probes.mlama_data import ClozeData, Relation

sys.path.insert(0, str(ROOT))

XLMR_VOCABULARY = 250_002
TOLERANCE = 1e-5
QUICK_RELATIONS, FULL_RELATIONS = 4, 8
QUICK_STEP, FULL_STEP = 400, 10
"""Of the whole English mLAMA every so manieth question of each relation is asked."""
FULL_CORES = 2
Pair = tuple[Any, Sequence[Sequence[int]]]
"""A question around the place of its object, and the word ids of every candidate."""


@dataclasses.dataclass
class World:
    """What is asked, and of whom."""

    words: Path
    """Folder of a word model."""
    entities: Path
    """Folder of a LUKE model."""
    cloze: ClozeData
    origin: str


def find_world() -> World:
    """Models and questions of the scale `sample`, or of `mini`."""
    from mluke_core.io.sources import Source
    from mluke_core.probes.mlama_data import read_language

    for scale in ("sample", "mini"):
        folder = ROOT / "results" / scale
        models = folder / "pretrained" / f"xlmr-{scale}", folder / "pretrained" / f"mluke-{scale}"
        manifests = [
            folder / "sources" / f"{name}.json"
            for name in ("mlama", "mlama_trex_candidates", "mlama_googlere_candidates")
        ]
        if all(path.exists() for path in (*models, *manifests)):
            os.chdir(ROOT)
            data, *candidates = (Source(path) for path in manifests)
            cloze = read_language(data, candidates, "en")
            words = models[0] if scale == "sample" else large_vocabulary(models[0])
            return World(words, models[1], cloze, f"scale {scale}")
    sys.exit("There is no finished run to take questions from: run `make`, or scale `sample`.")


def large_vocabulary(folder: Path) -> Path:
    """A random model like that of ``folder``, with a vocabulary of XLM-R's size, in the cache."""
    from mluke_core.modeling.config import read_config
    from mluke_core.modeling.folder import write_model_folder
    from mluke_core.modeling.initialization import random_model

    output = CACHE / "mlama-model"
    if not (output / "config.json").exists():
        config = dataclasses.replace(read_config(folder), vocabulary_size=XLMR_VOCABULARY)
        weights = random_model(config, seed=1).state_dict()
        write_model_folder(output, config, weights, folder, "Random weights for a benchmark.\n")
    return output


def run(arguments: argparse.Namespace) -> list[Row]:
    import torch

    torch.set_num_threads(1)
    world = find_world()
    count = QUICK_RELATIONS if arguments.quick else FULL_RELATIONS
    relations = [
        dataclasses.replace(relation, questions=relation.questions[:1])
        for relation in world.cloze.relations[:count]
    ]
    rows = [*word_rows(world, relations), *entity_rows(world, relations)]
    step = 1 if arguments.whole else QUICK_STEP if arguments.quick else FULL_STEP
    return rows + whole_rows(world, step)


def measured(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of a piece of work, and what it gives."""
    started = cpu_seconds()
    result = work()
    return cpu_seconds() - started, result


def ours(folder: Path, inputs: str, relations: Sequence[Relation]) -> tuple[Any, list[Any]]:
    """The loaded model and the inputs of its scoring."""
    import numpy as np

    from mluke_core.probes.mlama import load_model
    from mluke_core.probes.mlama_prompts import candidate_ids, group_by_length, make_prompt
    from mluke_core.probes.mlama_scoring import RelationInput
    from mluke_core.probes.titles import TitleMatcher

    asked = load_model(folder, inputs)
    titles = asked.vocabulary.titles_in("en") if asked.vocabulary else {}
    matcher = TitleMatcher(titles.get, "en")
    found = []
    for relation in relations:
        ids = candidate_ids(asked.tokenizer, relation)
        entities = matcher.match_all(relation.candidates) if asked.vocabulary else []
        prompts = [
            make_prompt(asked.tokenizer, relation.template, question.subject)
            for question in relation.questions
        ]
        found.append(
            RelationInput(
                prompts,
                group_by_length(ids),
                len(relation.candidates),
                np.array([-1 if entity is None else entity for entity in entities]),
                [None] * len(relation.questions),
            )
        )
    return asked, found


def word_rows(world: World, relations: Sequence[Relation]) -> list[Row]:
    """Word scores: ours, the loop, and a batch per triple."""
    import numpy as np
    from transformers import XLMRobertaForMaskedLM

    from mluke_core.probes.mlama_prompts import candidate_ids
    from mluke_core.probes.mlama_scoring import score_words

    asked, inputs = ours(world.words, "word", relations)
    mask = asked.tokenizer.mask_id
    score_words(asked.model, mask, inputs[:1])
    seconds, scores = measured(lambda: score_words(asked.model, mask, inputs))
    peer = XLMRobertaForMaskedLM.from_pretrained(world.words).eval()
    answers = [candidate_ids(asked.tokenizer, relation) for relation in relations]
    pairs = [
        (prompt, tokens)
        for relation, tokens in zip(inputs, answers, strict=True)
        for prompt in relation.prompts
    ]
    triples = sum(len(relation.prompts) for relation in inputs)
    candidates = sum(len(ids) for _, ids in pairs)
    flat = np.concatenate([matrix.ravel() for matrix in scores])
    looped_s, looped = measured(lambda: loop_words(peer, mask, pairs))
    batched_s, batched = measured(lambda: batch_words(peer, mask, pairs))
    rows = []
    for name, theirs, result, bar in (
        ("a loop over triples and candidates", looped_s, looped, ">= 20"),
        ("a batch per triple", batched_s, batched, ">= 3"),
    ):
        known = np.isfinite(flat)
        gap = float(np.abs(flat[known] - np.array(result)[known]).max())
        what = f"{triples} triples, {candidates:,} candidates"
        rows += [
            Row(
                f"word scores against {name}, {what} ({world.origin})",
                f"{seconds:.2f} s",
                f"{theirs:.2f} s",
                theirs / seconds,
                bar,
            ),
            Row("their largest difference", f"{gap:.1e}", "", gap, f"<= {TOLERANCE}"),
        ]
    return rows


def loop_words(
    peer: Any, mask: int, pairs: Sequence[tuple[Any, Sequence[Sequence[int]]]]
) -> list[float]:
    """One input per triple and candidate, logits of every position."""
    import torch

    found = []
    with torch.inference_mode():
        for prompt, answers in pairs:
            for ids in answers:
                if not ids:
                    found.append(float("nan"))
                    continue
                tokens = torch.tensor([prompt.example(len(ids), mask).input_ids])
                start, end = prompt.object_span(len(ids))
                logp = peer(input_ids=tokens).logits.log_softmax(-1)[0, start:end]
                found.append(float(logp[torch.arange(len(ids)), torch.tensor(ids)].mean()))
    return found


def batch_words(
    peer: Any, mask: int, pairs: Sequence[tuple[Any, Sequence[Sequence[int]]]]
) -> list[float]:
    """One padded batch per triple (in pieces of 64 candidates), the head at the masks alone."""
    import torch

    pad = peer.config.pad_token_id
    found = []
    with torch.inference_mode():
        for prompt, answers in pairs:
            for first in range(0, len(answers), 64):
                piece = answers[first : first + 64]
                rows = [list(prompt.example(len(ids), mask).input_ids) for ids in piece]
                width = max(map(len, rows))
                tokens = torch.tensor([row + [pad] * (width - len(row)) for row in rows])
                hidden = peer.roberta(tokens, attention_mask=(tokens != pad).long())[0]
                start = prompt.object_span(1)[0]
                places = [
                    (row, start + k) for row, ids in enumerate(piece) for k in range(len(ids))
                ]
                at = torch.tensor(places)
                logp = peer.lm_head(hidden[at[:, 0], at[:, 1]]).log_softmax(-1)
                words = torch.tensor([token for ids in piece for token in ids])
                chosen = logp[torch.arange(len(words)), words]
                position = 0
                for ids in piece:
                    mine = chosen[position : position + len(ids)]
                    found.append(float(mine.mean()) if ids else float("nan"))
                    position += len(ids)
    return found


def entity_rows(world: World, relations: Sequence[Relation]) -> list[Row]:
    """Entity scores: ours and the loop over candidates."""
    import numpy as np

    from mluke_core.probes.mlama_prompts import candidate_ids
    from mluke_core.probes.mlama_scoring import score_entities

    asked, inputs = ours(world.entities, "entity", relations)
    mask, entity_mask = asked.tokenizer.mask_id, asked.vocabulary.mask_id
    score_entities(asked.model, mask, entity_mask, inputs, False)
    seconds, scores = measured(
        lambda: score_entities(asked.model, mask, entity_mask, inputs, False)
    )
    answers = [candidate_ids(asked.tokenizer, relation) for relation in relations]
    theirs, looped = measured(lambda: loop_entities(asked, inputs, answers))
    flat = np.concatenate([matrix.ravel() for matrix in scores])
    known = np.isfinite(flat)
    if not known.any():
        return []
    gap = float(np.abs(flat[known] - np.array(looped)[known]).max())
    return [
        Row(
            f"entity scores against a loop, {int(known.sum())} candidates with an entity",
            f"{seconds:.3f} s",
            f"{theirs:.3f} s",
            theirs / seconds,
            ">= 20",
        ),
        Row("their largest difference", f"{gap:.1e}", "", gap, f"<= {TOLERANCE}"),
    ]


def loop_entities(asked: Any, inputs: Sequence[Any], answers: Sequence[Any]) -> list[float]:
    """One input per triple and candidate, the softmax over all entities."""
    import torch

    from mluke_core.modeling.inputs import pack

    model, everything = asked.model, torch.arange(asked.vocabulary.size)
    found = []
    with torch.inference_mode():
        for relation, tokens in zip(inputs, answers, strict=True):
            for prompt in relation.prompts:
                for candidate, ids in enumerate(tokens):
                    entity = int(relation.entities[candidate])
                    if entity < 0 or not ids:
                        found.append(float("nan"))
                        continue
                    span = prompt.object_span(len(ids))
                    example = prompt.example(
                        len(ids), asked.tokenizer.mask_id, [asked.vocabulary.mask_id], [span]
                    )
                    hidden = model.encoder(pack([example])).entities_EH
                    logits = model.entity_logits(model.entity_features(hidden), everything)
                    found.append(float(logits.log_softmax(-1)[0, entity]))
    return found


def whole_rows(world: World, step: int) -> list[Row]:
    """Every ``step``-th English question of each relation, asked by both models on two cores."""
    import torch

    from mluke_core.probes.mlama_scoring import score_entities, score_words

    relations = [
        dataclasses.replace(relation, questions=relation.questions[::step])
        for relation in world.cloze.relations
    ]
    questions = sum(len(relation.questions) for relation in relations)
    triples = sum(sum(question.triples) for r in relations for question in r.questions)
    torch.set_num_threads(min(FULL_CORES, len(os.sched_getaffinity(0))))
    rows = []
    for inputs, folder in (("word", world.words), ("entity", world.entities)):
        asked, prepared = ours(folder, inputs, relations)
        mask = asked.tokenizer.mask_id
        if asked.vocabulary is None:
            work: Callable[[], Any] = partial(score_words, asked.model, mask, prepared)
        else:
            entity_mask = asked.vocabulary.mask_id
            work = partial(score_entities, asked.model, mask, entity_mask, prepared, False)
        started = time.perf_counter()
        seconds, _ = measured(work)
        wall = time.perf_counter() - started
        rows.append(
            Row(
                f"English, {triples:,} triples in {questions:,} questions, {inputs} scores",
                f"{seconds:.1f} s of CPU, {wall:.1f} s by the clock",
                "",
                None,
                "",
            )
        )
    return rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--whole", action="store_true", help="ask every English question")


if __name__ == "__main__":
    packages = ("torch", "transformers", "tokenizers", "numpy")
    sys.exit(main("mlama", __doc__ or "", run, packages, add_arguments))
