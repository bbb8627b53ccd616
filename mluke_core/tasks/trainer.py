"""The training loop of fine-tuning, the same for every task and system.

AdamW, linear warm-up and decay, clipping, evaluation after each epoch, and checkpoints from which
a killed run goes on exactly where it was: the order of the data is a function of the seed, and
the random state is saved beside the weights.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from mluke_core.errors import MlukeError
from mluke_core.io.files import atomic_path
from mluke_core.io.progress import Progress
from mluke_core.tasks.base import Feature
from mluke_core.tasks.batches import epoch_batches
from mluke_core.tasks.model import TaskModel, autocast

log = logging.getLogger("mluke")

BETAS = (0.9, 0.999)
EPSILON = 1e-6
CHECKPOINT_FILE = "checkpoint.safetensors"
LOSS_POINTS = 100
"""About how many points the loss curve gets."""
_MOMENTS = ("exp_avg", "exp_avg_sq")


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
    checkpoint_seconds: float = 300.0


@dataclass
class TrainingState:
    """How far training is, and what it has recorded."""

    step: int = 0
    decay: float = 1.0
    """Factor by which weight decay has shrunk what had no gradient."""
    history: list[dict[str, Any]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    """Losses since the last point of the curve."""
    seconds: float = 0.0


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
) -> TrainingState:
    """Train ``model`` in place and return what was recorded.

    Args:
        features: the training data.
        work: folder of the checkpoint; it is removed when training has ended.
        fingerprint: identifies model, data and settings; a checkpoint of another is not used.
        evaluate: metrics of the development set with the present weights.

    Raises:
        MlukeError: the loss is no longer a number.
    """
    lengths = np.array([feature.length for feature in features], dtype=np.int64)
    per_epoch = math.ceil(len(features) / settings.batch_size)
    total = per_epoch * settings.epochs
    if settings.maximum_steps is not None:
        total = min(total, settings.maximum_steps)
    warmup = math.ceil(total * settings.warmup_share)
    optimizer = make_optimizer(model, settings)
    checkpoint = work / CHECKPOINT_FILE
    state = _resume(checkpoint, fingerprint, model, optimizer)
    interval = max(1, total // LOSS_POINTS)
    before, start = state.seconds, time.monotonic()
    last_saved = start
    batches: list[np.ndarray] = []
    with Progress("fine-tuning", total=total, unit="step", initial=state.step) as progress:
        while state.step < total:
            epoch, position = divmod(state.step, per_epoch)
            if not batches or position == 0:
                batches = epoch_batches(lengths, settings.batch_size, settings.seed, epoch)
            rate = learning_rate_at(state.step, total, warmup, settings.learning_rate)
            chosen = [features[index] for index in batches[position]]
            loss = _update(model, optimizer, chosen, rate, settings)
            if not math.isfinite(loss):
                raise MlukeError(
                    f"the loss is {loss} at step {state.step + 1} with learning rate "
                    f"{settings.learning_rate}: lower it in the task's grid, or clip gradients."
                )
            state.step += 1
            state.decay *= 1.0 - rate * settings.weight_decay
            state.losses.append(loss)
            if state.step % interval == 0 or state.step == total:
                mean = sum(state.losses) / len(state.losses)
                state.history.append({"step": state.step, "loss": mean})
                state.losses.clear()
            progress.update(note=f"loss {loss:.3f}")
            if state.step % per_epoch == 0 or state.step == total:
                scores = evaluate()
                state.history.append({"step": state.step, "dev": scores})
                log.info("step %d: %s", state.step, _short(scores))
            now = time.monotonic()
            state.seconds = before + now - start
            if now - last_saved >= settings.checkpoint_seconds and state.step < total:
                _save(checkpoint, fingerprint, model, optimizer, state)
                last_saved = now
    if checkpoint.exists():
        checkpoint.unlink()
    return state


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
) -> float:
    """One step; returns the loss."""
    model.train()
    for group in optimizer.param_groups:
        group["lr"] = rate
    with autocast(model.device, settings.precision):
        logits = model(features)
    loss = model.task.loss(logits, features)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    if settings.gradient_clipping > 0:
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.gradient_clipping)
    optimizer.step()
    return float(loss.detach())


def _short(scores: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in scores.items())


def _save(
    path: Path,
    fingerprint: str,
    model: TaskModel,
    optimizer: torch.optim.AdamW,
    state: TrainingState,
) -> None:
    """Write weights, moments, random state and progress to one safetensors file."""
    import orjson

    tensors: dict[str, torch.Tensor] = {"rng/cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        tensors["rng/cuda"] = torch.cuda.get_rng_state()
    steps: dict[str, float] = {}
    for name, parameter in model.named_parameters():
        tensors[f"weights/{name}"] = parameter.detach()
        moments = optimizer.state.get(parameter)
        if moments:
            steps[name] = float(moments["step"])
            for moment in _MOMENTS:
                tensors[f"{moment}/{name}"] = moments[moment]
    progress = {
        "fingerprint": fingerprint,
        "step": state.step,
        "decay": state.decay,
        "history": state.history,
        "losses": state.losses,
        "seconds": state.seconds,
        "steps": steps,
    }
    tensors = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"progress": orjson.dumps(progress).decode()})


@torch.no_grad()
def _resume(
    path: Path, fingerprint: str, model: TaskModel, optimizer: torch.optim.AdamW
) -> TrainingState:
    """The state of the checkpoint, with model, optimizer and random state set to it."""
    import orjson

    if not path.exists():
        return TrainingState()
    try:
        with safe_open(path, framework="pt") as stored:
            progress = orjson.loads(stored.metadata()["progress"])
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError, orjson.JSONDecodeError):
        log.warning("%s is damaged: training starts from the beginning.", path)
        return TrainingState()
    if progress.pop("fingerprint") != fingerprint:
        log.info("%s is of other settings or data: training starts from the beginning.", path)
        return TrainingState()
    steps: dict[str, float] = progress.pop("steps")
    for name, parameter in model.named_parameters():
        parameter.copy_(tensors[f"weights/{name}"])
        if name in steps:
            optimizer.state[parameter] = {
                "step": torch.tensor(steps[name], device=parameter.device),
                **{m: tensors[f"{m}/{name}"].to(parameter.device) for m in _MOMENTS},
            }
    torch.set_rng_state(tensors["rng/cpu"])
    if torch.cuda.is_available() and "rng/cuda" in tensors:
        torch.cuda.set_rng_state(tensors["rng/cuda"])
    log.info("resuming at step %d from %s", progress["step"], path)
    return TrainingState(**progress)
