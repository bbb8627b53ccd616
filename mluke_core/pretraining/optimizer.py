"""AdamW without bias correction, and its learning rate (mLUKE, appendix A; protocol)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from mluke_core.modeling.initialization import ENTITY_PARAMETERS
from mluke_core.pretraining.settings import PretrainingSettings

# At this update 1 - beta ** step is 1 in float32, and adding 1 changes nothing any more: torch's
# fused AdamW, started here, never corrects its bias. Writing the update out instead costs ten
# times as long.
_LATE_STEP = 1e9

STATE_KEYS = ("exp_avg", "exp_avg_sq")


def learning_rate(step: int, peak: float, warmup_steps: int, steps: int) -> float:
    """Rate of update ``step``, counted from 0: linear up to ``peak``, then linear down.

    No update is wasted at rate 0: the first has ``peak / warmup_steps``, the last of the warm-up
    has ``peak``, and the one after the last of all would have 0.

    >>> [round(learning_rate(step, 1.0, 2, 6), 2) for step in range(7)]
    [0.5, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]
    """
    if step < warmup_steps:
        return peak * ((step + 1) / warmup_steps)
    return peak * ((steps - step) / (steps - warmup_steps))


def freeze(model: nn.Module, trainable: str) -> dict[str, nn.Parameter]:
    """Leave only the trainable parameters a gradient. Returns them by name.

    ``new``: the entity embeddings and the entity head, which the base model does not have.
    """
    kept = {}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(trainable == "all" or name.startswith(ENTITY_PARAMETERS))
        if parameter.requires_grad:
            kept[name] = parameter
    return kept


def build_optimizer(
    parameters: dict[str, nn.Parameter], settings: PretrainingSettings
) -> torch.optim.AdamW:
    """AdamW with weight decay on all but biases and LayerNorm."""
    groups: list[dict[str, Any]] = [
        {"params": [], "weight_decay": settings.weight_decay},
        {"params": [], "weight_decay": 0.0},
    ]
    for name, parameter in parameters.items():
        undecayed = name.endswith("bias") or "norm." in name
        groups[undecayed]["params"].append(parameter)
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=0.0,
        betas=settings.betas,
        eps=settings.epsilon,
        fused=True,
    )


def reset_state(optimizer: torch.optim.Optimizer, bias_correction: bool, step: int = 0) -> None:
    """Give every parameter an empty state, as after ``step`` updates.

    Raises:
        RuntimeError: when a parameter is not float32.
    """
    for parameter in _parameters(optimizer):
        if parameter.dtype != torch.float32:
            raise RuntimeError("the optimizer works on float32 weights")
        optimizer.state[parameter] = {
            "step": step_counter(bias_correction, step, parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }


def step_counter(bias_correction: bool, step: int, device: torch.device) -> torch.Tensor:
    """What torch's AdamW takes for the number of updates so far."""
    return torch.tensor(float(step) if bias_correction else _LATE_STEP, device=device)


def _parameters(optimizer: torch.optim.Optimizer) -> Iterable[torch.Tensor]:
    for group in optimizer.param_groups:
        yield from group["params"]
