"""Fine-tune one system on one task with one point of the search: the step `finetune`."""

from __future__ import annotations

import hashlib
import logging
import resource
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mluke_core.errors import ConfigError, DataError
from mluke_core.io.cli import required_settings
from mluke_core.io.files import digest_of, file_digest, write_json
from mluke_core.io.sources import Source
from mluke_core.modeling.loading import WEIGHTS_FILE
from mluke_core.pretraining.distributed import World
from mluke_core.tasks.base import Feature, Task
from mluke_core.tasks.checkpoint import TrainingState
from mluke_core.tasks.data import Dataset
from mluke_core.tasks.heads import start_at_prior
from mluke_core.tasks.model import TaskModel, load_backbone, predict_scores
from mluke_core.tasks.parallel import join_world, leave_world
from mluke_core.tasks.settings import MentionFiles, make_task
from mluke_core.tasks.tables import Tables
from mluke_core.tasks.trainer import TrainerSettings, train
from mluke_core.tasks.weights import save_weights
from mluke_core.versions import STAGE_VERSIONS

log = logging.getLogger("mluke")


def finetune(
    settings: Mapping[str, Any],
    model: Path,
    sources: Mapping[str, Path],
    mentions: MentionFiles,
    work: Path,
    output: Path,
    weights: Path,
) -> None:
    """Train, evaluate on the development set, and write ``output`` and ``weights``.

    Started once per process by a launcher, the processes share each step; the first writes.

    Args:
        settings: as ``docs/design.md`` lists them for `finetune`.
        model: folder of the pretrained model.
        sources: source manifests by name.
        work: folder for the checkpoint of an unfinished run, and for its log.

    Raises:
        MlukeError: something in the settings or data that the user can mend.
    """
    begin = time.monotonic()
    names = ("task", "inputs", "train", "dev", "options", "run", "epochs", "finetuning")
    required_settings(dict(settings), *names)
    trainer = trainer_settings(settings)
    task = make_task(settings, model, mentions)
    if trainer.patience is not None and trainer.metric not in task.metrics:
        raise ConfigError(
            f"tasks.{task.name}.metric is {trainer.metric!r}; write one of "
            f"{', '.join(task.metrics)}."
        )
    world = join_world()
    data = read_task_data(task, settings, sources)
    features = {name: task.encode(data[name], name == "train") for name in data}
    for dataset in data.values() if world.is_first else ():
        for line in dataset.report.lines():
            log.warning("%s: %s", dataset.path.name, line)
    if not features["train"]:
        raise DataError(f"{data['train'].path}: nothing in it can be trained on.")
    torch.manual_seed(trainer.seed)
    tables = Tables.of([*features["train"], *features["dev"]])
    tuned = TaskModel(task, load_backbone(model, task, tables), tables).to(world.device)
    counts = task.label_counts(features["train"])
    if counts is not None:
        start_at_prior(tuned.head, counts)
    log.info("%d inputs, tables of %d words", len(features["train"]), len(tables.words.ids))

    def evaluate() -> dict[str, float]:
        return _evaluate(tuned, data["dev"], features["dev"], trainer.precision, world)

    fingerprint = _fingerprint(settings, model, features["train"])
    state = train(tuned, features["train"], trainer, work, fingerprint, evaluate, world)
    if world.is_first:
        trained = Tables.of(features["train"])
        save_weights(weights, tuned, trained, state.decay, _facts(task, settings))
        result = _result(settings, task, data, features, state)
        result["baseline"] = task.baseline(data["train"], data["dev"], trainer.seed)
        # The selection carries it on, so that predictions are made anew from other weights.
        result["weights"] = file_digest(weights / WEIGHTS_FILE)
        result["processes"] = world.size
        result["seconds"] = round(time.monotonic() - begin, 2)
        result["training_seconds"] = round(state.seconds, 2)
        result["peak_memory_mb"] = peak_memory_mb()
        write_json(output, result)
    leave_world(world)


def _facts(task: Task[Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """What ``task.json`` says beside labels and decay."""
    return {
        "version": STAGE_VERSIONS["finetune"],
        "task": task.name,
        "inputs": task.inputs,
        "options": dict(task.options),
        "run": dict(settings["run"]),
    }


def _result(
    settings: Mapping[str, Any],
    task: Task[Any],
    data: Mapping[str, Dataset[Any]],
    features: Mapping[str, Sequence[Feature]],
    state: TrainingState,
) -> dict[str, Any]:
    """``result.json`` without the figures of this process."""
    last = [entry for entry in state.history if "dev" in entry][-1]
    kept = (
        (last["step"], last["dev"]) if state.best is None else (state.best.step, state.best.scores)
    )
    rows = [feature.length for feature in features["train"]]
    return {
        "system": settings.get("system", ""),
        "task": task.name,
        "run": settings["run"]["name"],
        "settings": dict(settings),
        "dev": kept[1],
        "kept_step": kept[0],
        "steps": state.step,
        "history": state.history,
        "examples": {
            name: {
                "examples": len(dataset.examples),
                "inputs": len(features[name]),
                **dataset.report.as_json(),
            }
            for name, dataset in data.items()
        },
        "rows_per_input": round(sum(rows) / len(rows), 2),
    }


def trainer_settings(settings: Mapping[str, Any]) -> TrainerSettings:
    """The trainer's part of the settings."""
    run, general = settings["run"], settings["finetuning"]
    learning_rate, batch_size, seed = required_settings(
        dict(run), "learning_rate", "batch_size", "seed"
    )
    return TrainerSettings(
        learning_rate=float(learning_rate),
        batch_size=int(batch_size),
        epochs=int(settings["epochs"]),
        seed=int(seed),
        warmup_share=float(general.get("warmup_share", 0.06)),
        weight_decay=float(general.get("weight_decay", 0.01)),
        gradient_clipping=float(settings.get("gradient_clipping") or 0.0),
        maximum_steps=settings.get("maximum_steps"),
        precision=str(general.get("precision", "fp32")),
        micro_batch_size=general.get("micro_batch_size"),
        evaluation_interval=settings.get("evaluation_interval"),
        patience=general.get("patience"),
        metric=str(settings.get("metric", "")),
        checkpoint_seconds=float(general.get("checkpoint_seconds", 300.0)),
    )


def read_task_data(
    task: Task[Any], settings: Mapping[str, Any], sources: Mapping[str, Path]
) -> dict[str, Dataset[Any]]:
    """Training and development data.

    The task learns its labels from all training data, which is then cut to ``maximum_examples``.
    """
    data = {}
    for name in ("train", "dev"):
        entry = settings[name]
        if entry["source"] not in sources:
            raise DataError(
                f"the {name} data of task {task.name} is source '{entry['source']}', "
                f"which --sources does not name. It names: {', '.join(sources)}."
            )
        path = Source(sources[entry["source"]]).file(entry["file"])
        data[name] = task.read(path)
    task.learn_labels(data["train"])
    if settings.get("maximum_examples"):
        data["train"].examples = data["train"].examples[: settings["maximum_examples"]]
    return data


def peak_memory_mb() -> float:
    """Largest resident memory of this process, plus that of the GPU when there is one."""
    host = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    device = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else 0.0
    return round(host + device, 1)


def _evaluate(
    model: TaskModel,
    dataset: Dataset[Any],
    features: Sequence[Feature],
    precision: str,
    world: World,
) -> dict[str, float]:
    scores = predict_scores(model, features, precision, "dev", world)
    return model.task.evaluate(dataset, model.task.decode(dataset, features, scores))


def _fingerprint(settings: Mapping[str, Any], model: Path, features: Sequence[Feature]) -> str:
    """Digest of all that decides the course of training."""
    inputs = hashlib.sha256(np.concatenate([feature.word_ids for feature in features]).tobytes())
    weights = file_digest(model / WEIGHTS_FILE)
    return digest_of([dict(settings), weights, inputs.hexdigest(), STAGE_VERSIONS["finetune"]])
