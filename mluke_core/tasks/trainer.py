"""The training loop of fine-tuning, the same for every task and system.

AdamW, linear warm-up and decay, clipping, gradient accumulation, evaluation on the development set,
early stopping where it is asked for, and checkpoints from which a killed run goes on exactly where
it was. What a step does depends on the seed and its number alone, in one process or many.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mluke_core.errors import ConfigError, MlukeError
from mluke_core.pretraining.distributed import World
from mluke_core.pretraining.hashing import key_of
from mluke_core.pretraining.journal import Journal
from mluke_core.tasks.base import Feature
from mluke_core.tasks.batches import epoch_batches, micro_batches
from mluke_core.tasks.checkpoint import (
    CHECKPOINT_FILE,
    Best,
    TrainingState,
    load_checkpoint,
    save_checkpoint,
)
from mluke_core.tasks.model import TaskModel, autocast
from mluke_core.tasks.parallel import sum_gradients

log = logging.getLogger("mluke")

BETAS = (0.9, 0.999)
EPSILON = 1e-6
LOSS_POINTS = 100
"""About how many points the loss curve gets."""
LOG_FOLDER = "log"
"""Under the work folder; it outlives the checkpoint."""


@dataclass(frozen=True)
class TrainerSettings:
    """How long and how fast to train."""

    learning_rate: float
    batch_size: int
    epochs: int
    seed: int
    warmup_share: float = 0.06
    """Share of the steps over which the learning rate grows to its peak."""
    weight_decay: float = 0.01
    """Not applied to biases and layer norms."""
    gradient_clipping: float = 0.0
    """Largest norm of the gradient; 0: none."""
    maximum_steps: int | None = None
    precision: str = "fp32"
    micro_batch_size: int | None = None
    """Inputs of one forward pass; None: the whole batch, or each process its share of it."""
    evaluation_interval: int | None = None
    """Steps between evaluations on the development set; None: at the end of each epoch."""
    patience: int | None = None
    """Evaluations without a better score after which training ends; None: it never does."""
    metric: str = ""
    """Development metric that decides which evaluation is best; needed with ``patience``."""
    checkpoint_seconds: float = 300.0


def learning_rate_at(step: int, total: int, warmup: int, peak: float) -> float:
    """Learning rate of step 0 … total - 1: up to ``peak`` over ``warmup`` steps, then down to 0.

    >>> [learning_rate_at(step, 6, 2, 1.0) for step in range(6)]
    [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (total - step) / max(total - warmup, 1)


def train(
    model: TaskModel,
    features: Sequence[Feature],
    settings: TrainerSettings,
    work: Path,
    fingerprint: str,
    evaluate: Callable[[], dict[str, float]],
    world: World | None = None,
) -> TrainingState:
    """Train ``model`` in place and return what was recorded.

    With ``patience`` the model ends with the weights of the best evaluation, otherwise with those
    of the last step.

    Args:
        features: the training data, the same in every process.
        work: folder of checkpoint and log; the checkpoint is removed when training has ended.
        fingerprint: identifies model, data and settings; a checkpoint of another is not used.
        evaluate: metrics of the development set with the present weights; every process calls it.
        world: the processes; None: this one alone.

    Raises:
        MlukeError: the loss is no longer a number.
    """
    world = world or World(0, 1, model.device)
    # Words alone: systems with word and with entity inputs then see the same batches.
    lengths = np.array([len(feature.word_ids) for feature in features], dtype=np.int64)
    per_epoch = math.ceil(len(features) / settings.batch_size)
    total = per_epoch * settings.epochs
    if settings.maximum_steps is not None:
        total = min(total, settings.maximum_steps)
    warmup = math.ceil(total * settings.warmup_share)
    evaluation_interval = settings.evaluation_interval or per_epoch
    optimizer = make_optimizer(model, settings)
    checkpoint = work / CHECKPOINT_FILE
    state = load_checkpoint(checkpoint, fingerprint, model, optimizer)
    interval = max(1, total // LOSS_POINTS)
    before, start = state.seconds, time.monotonic()
    last_saved = start
    batches: list[np.ndarray] = []
    with Reporter(work / LOG_FOLDER, world, state, total) as reporter:
        while state.step < total and not _is_over(state, settings):
            epoch, position = divmod(state.step, per_epoch)
            if not batches or position == 0:
                batches = epoch_batches(lengths, settings.batch_size, settings.seed, epoch)
            rate = learning_rate_at(state.step, total, warmup, settings.learning_rate)
            chosen = [features[index] for index in batches[position]]
            begin = time.monotonic()
            loss = _update(model, optimizer, chosen, rate, settings, state.step, world)
            if not math.isfinite(loss):
                raise MlukeError(
                    f"the loss is {loss} at step {state.step + 1} with learning rate "
                    f"{settings.learning_rate}: lower it in the task's grid, or clip gradients."
                )
            state.step += 1
            state.decay *= 1.0 - rate * settings.weight_decay
            state.losses.append(loss)
            tokens = sum(feature.length for feature in chosen)
            reporter.step_done(loss, tokens, time.monotonic() - begin)
            if state.step % interval == 0 or state.step == total:
                reporter.loss(sum(state.losses) / len(state.losses), rate)
                state.losses.clear()
            if state.step % evaluation_interval == 0 or state.step == total:
                scores = evaluate()
                reporter.dev(scores)
                _compare(state, scores, model, settings, world)
            now = time.monotonic()
            state.seconds = before + now - start
            due = now - last_saved >= settings.checkpoint_seconds and state.step < total
            if due and world.is_first:
                save_checkpoint(checkpoint, fingerprint, model, optimizer, state)
                last_saved = now
    if settings.patience is not None and world.is_first:
        _take_best(model, state)
    if world.is_first:
        checkpoint.unlink(missing_ok=True)
    return state


class Reporter:
    """The loss curve and development scores: kept in the state, and in the log of process 0."""

    def __init__(self, folder: Path, world: World, state: TrainingState, total: int) -> None:
        self._state = state
        self._journal = (
            Journal(folder, "fine-tuning", state.step, total) if world.is_first else None
        )
        self._tokens, self._seconds = 0, 0.0

    def loss(self, loss: float, rate: float) -> None:
        """A point of the loss curve; the log also gets the speed of the steps behind it."""
        self._state.history.append({"step": self._state.step, "loss": loss})
        speed = self._tokens / self._seconds if self._seconds else 0.0
        self._write("train", {"loss": loss, "learning_rate": rate, "tokens_per_second": speed})
        self._tokens, self._seconds = 0, 0.0

    def dev(self, scores: dict[str, float]) -> None:
        """An evaluation."""
        self._state.history.append({"step": self._state.step, "dev": scores})
        self._write("dev", scores)
        named = ", ".join(f"{name} {value:.2f}" for name, value in scores.items())
        log.info("step %d: %s", self._state.step, named)

    def step_done(self, loss: float, tokens: int, seconds: float) -> None:
        """A step over so many words and entities; moves the progress bar on.

        Evaluations and checkpoints are not in ``seconds``.
        """
        self._tokens += tokens
        self._seconds += seconds
        if self._journal is not None:
            self._journal.step_done(loss)

    def _write(self, split: str, values: dict[str, float]) -> None:
        if self._journal is not None:
            self._journal.entry(step=self._state.step, split=split, **values)

    def __enter__(self) -> Reporter:
        if self._journal is not None:
            self._journal.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        if self._journal is not None:
            self._journal.__exit__(*details)  # type: ignore[arg-type]


def make_optimizer(model: TaskModel, settings: TrainerSettings) -> torch.optim.AdamW:
    """AdamW in two groups: matrices and tables decay, vectors (biases, norms) do not."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups, lr=settings.learning_rate, betas=BETAS, eps=EPSILON, fused=True
    )


def _update(
    model: TaskModel,
    optimizer: torch.optim.AdamW,
    features: Sequence[Feature],
    rate: float,
    settings: TrainerSettings,
    step: int,
    world: World,
) -> float:
    """One step; returns the loss of the whole batch."""
    model.train()
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    size = settings.micro_batch_size or math.ceil(settings.batch_size / world.size)
    whole = sum(model.task.loss_weight(feature) for feature in features)
    mean = 0.0
    for number, part in enumerate(micro_batches(features, size)):
        if number % world.size != world.rank:
            continue
        # Dropout by the place in the data: the same masks in one process or many.
        torch.manual_seed(key_of("dropout", settings.seed, step, number) >> 1)
        with autocast(model.device, settings.precision):
            logits = model(part)
        share = sum(model.task.loss_weight(feature) for feature in part) / whole
        loss = model.task.loss(logits, part) * share
        loss.backward()
        mean += float(loss.detach())
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    sum_gradients(parameters, world)
    if settings.gradient_clipping > 0:
        torch.nn.utils.clip_grad_norm_(parameters, settings.gradient_clipping)
    optimizer.step()
    return world.sum([mean])[0]


def _is_over(state: TrainingState, settings: TrainerSettings) -> bool:
    return settings.patience is not None and state.since_best >= settings.patience


def _compare(
    state: TrainingState,
    scores: dict[str, float],
    model: TaskModel,
    settings: TrainerSettings,
    world: World,
) -> None:
    """Note whether this evaluation is the best; of equal ones the first is."""
    if settings.patience is None:
        return
    if settings.metric not in scores:
        raise ConfigError(
            f"metric is '{settings.metric}', which task {model.task.name} does not compute; "
            f"write one of {', '.join(scores)}."
        )
    if state.best is not None and scores[settings.metric] <= state.best.scores[settings.metric]:
        state.since_best += 1
        return
    state.since_best = 0
    state.best = Best(state.step, scores, state.decay)
    if world.is_first:
        state.best.weights = {
            name: parameter.detach().to("cpu", copy=True)
            for name, parameter in model.named_parameters()
        }


@torch.no_grad()
def _take_best(model: TaskModel, state: TrainingState) -> None:
    """Put the weights of the best evaluation into the model."""
    assert state.best is not None  # the last step is always evaluated
    for name, parameter in model.named_parameters():
        parameter.copy_(state.best.weights[name])
    state.decay = state.best.decay
    state.best.weights = {}
