"""The checkpoint of an unfinished run: weights, moments, the best weights so far, and progress.

One safetensors file. There is no random state in it: the order of the data and what dropout drops
are functions of the seed and the step.
"""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from mluke_core.io.files import atomic_path

log = logging.getLogger("mluke")

CHECKPOINT_FILE = "checkpoint.safetensors"
_MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass
class Best:
    """The evaluation that is best so far."""

    step: int
    scores: dict[str, float]
    decay: float
    weights: dict[str, torch.Tensor] = field(default_factory=dict)
    """Kept by the first process, on the CPU, and only where training may stop early."""


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
    best: Best | None = None
    since_best: int = 0
    """Evaluations since the best one."""


def save_checkpoint(
    path: Path,
    fingerprint: str,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    state: TrainingState,
) -> None:
    """Write ``path``; ``fingerprint`` names model, data and settings."""
    tensors: dict[str, torch.Tensor] = {}
    steps: dict[str, float] = {}
    for name, parameter in model.named_parameters():
        tensors[f"weights/{name}"] = parameter.detach()
        moments = optimizer.state.get(parameter)
        if moments:
            steps[name] = float(moments["step"])
            for moment in _MOMENTS:
                tensors[f"{moment}/{name}"] = moments[moment]
    if state.best is not None:
        tensors |= {f"best/{name}": tensor for name, tensor in state.best.weights.items()}
    progress = {
        **vars(state),
        "best": None if state.best is None else {**vars(state.best), "weights": {}},
        "fingerprint": fingerprint,
        "steps": steps,
    }
    tensors = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"progress": orjson.dumps(progress).decode()})


@torch.no_grad()
def load_checkpoint(
    path: Path, fingerprint: str, model: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> TrainingState:
    """The state in ``path``, with model and optimizer set to it; a fresh one when it has none.

    A damaged checkpoint, or one of another ``fingerprint``, is not used; the log says so.
    """
    if not path.exists():
        return TrainingState()
    try:
        with safe_open(path, framework="pt") as stored:
            progress = orjson.loads(stored.metadata()["progress"])
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError, orjson.JSONDecodeError):
        log.warning("%s is damaged: training starts from the beginning.", path)
        return TrainingState()
    if progress.pop("fingerprint", None) != fingerprint:
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
    state = TrainingState(**progress)
    if progress["best"] is not None:
        best = Best(**progress["best"])
        kept = {
            name.removeprefix("best/"): tensor
            for name, tensor in tensors.items()
            if name.startswith("best/")
        }
        state.best = dataclasses.replace(best, weights=kept)
    log.info("resuming at step %d from %s", state.step, path)
    return state
