"""DeepSpeed around the model: accumulation, gradient exchange, ZeRO, precision, optimizer state."""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import nn

from mluke_core.errors import ConfigError
from mluke_core.modeling.inputs import PackedBatch
from mluke_core.modeling.prediction import Losses, MlukeForPrediction, Targets
from mluke_core.pretraining.distributed import World
from mluke_core.pretraining.optimizer import (
    STATE_KEYS,
    build_optimizer,
    freeze,
    reset_state,
)
from mluke_core.pretraining.settings import PretrainingSettings

# Weights whose gradients ZeRO exchanges at once. It sets a buffer of this size aside, whatever the
# size of the model; DeepSpeed's own 500 million would take 2 GB.
_BUCKET = 100_000_000


class _Autocast(nn.Module):
    """The model in the precision of the run; weights and optimizer stay float32."""

    def __init__(self, model: MlukeForPrediction, enabled: bool) -> None:
        super().__init__()
        self.model = model
        self.enabled = enabled

    def forward(self, batch: PackedBatch, targets: Targets) -> Losses:
        with torch.autocast(batch.word_ids_T.device.type, torch.bfloat16, enabled=self.enabled):
            return self.model(batch, targets)


def micro_batch_size(settings: PretrainingSettings, processes: int) -> int:
    """Largest size up to the one set that cuts the batch evenly over processes and rounds.

    Raises:
        ConfigError: when the batch is not a multiple of the number of processes.
    """
    if settings.batch_size % processes:
        raise ConfigError(
            f"pretraining: batch_size {settings.batch_size} is not a multiple of the {processes}"
            " processes (nodes * processes_per_node)."
        )
    share = settings.batch_size // processes
    return next(size for size in range(settings.micro_batch_size, 0, -1) if share % size == 0)


def deepspeed_config(
    settings: PretrainingSettings, processes: int, trainable: int
) -> dict[str, Any]:
    """DeepSpeed's configuration for these settings and this number of trainable weights."""
    bucket = max(1, min(trainable, _BUCKET))
    micro = micro_batch_size(settings, processes)
    return {
        "train_batch_size": settings.batch_size,
        "train_micro_batch_size_per_gpu": micro,
        # With a limit of tokens every update has its own number: see Engine.accumulate.
        "gradient_accumulation_steps": settings.batch_size // (micro * processes),
        "gradient_clipping": float(settings.gradient_clipping),
        "zero_optimization": {
            "stage": settings.zero_stage,
            "reduce_bucket_size": bucket,
            "allgather_bucket_size": bucket,
        },
        "zero_allow_untested_optimizer": True,
        "steps_per_print": 1 << 60,
    }


class Engine:
    """One model in training: computes gradients, updates weights, gives and takes its state."""

    def __init__(
        self, model: MlukeForPrediction, settings: PretrainingSettings, world: World
    ) -> None:
        self.model = model
        self.settings = settings
        self.world = world
        self.trainable = freeze(model, settings.trainable)
        count = sum(parameter.numel() for parameter in self.trainable.values())
        config = deepspeed_config(settings, world.size, count)
        self.micro_batch_size: int = config["train_micro_batch_size_per_gpu"]
        self.accumulation: int = config["gradient_accumulation_steps"]
        self._evaluated = _Autocast(model, settings.precision == "bf16")
        deepspeed = _import_deepspeed()
        model.to(world.device)
        self._engine, self._optimizer, _, _ = deepspeed.initialize(
            config=config,
            model=self._evaluated,
            optimizer=build_optimizer(self.trainable, settings),
            dist_init_required=False,
        )
        self._reset_optimizer(0)

    def accumulate(self, batch: PackedBatch, targets: Targets, last: bool) -> Losses:
        """Add the gradient of one micro-batch, by its share of the update's sequences; the last of
        an update (of this process) updates the weights."""
        self._engine.set_gradient_accumulation_boundary(last)
        losses: Losses = self._engine(batch, targets)
        # DeepSpeed takes the mean over the processes and over a fixed number of micro-batches.
        weight = batch.size * self.world.size * self.accumulation / self.settings.batch_size
        self._engine.backward(losses.total * weight)
        self._engine.step()
        return losses

    @torch.no_grad()
    def evaluate(self, batch: PackedBatch, targets: Targets) -> Losses:
        """Losses without dropout and gradient."""
        self._evaluated.eval()
        losses: Losses = self._evaluated(batch, targets)
        self._evaluated.train()
        return losses

    def set_learning_rate(self, rate: float) -> None:
        """Rate of the next update."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate

    def state(self) -> dict[str, torch.Tensor]:
        """Trainable weights and optimizer state, by parameter, whole on every process.

        Named ``weight.<parameter>``, ``exp_avg.<parameter>``, ``exp_avg_sq.<parameter>``: no trace
        of the number of processes or the ZeRO stage. All processes must call it.
        """
        tensors = {}
        for name, parameter in self.trainable.items():
            tensors[f"weight.{name}"] = parameter.detach()
            for key in STATE_KEYS:
                tensors[f"{key}.{name}"] = self._optimizer_state(parameter, key)
        return tensors

    def load_state(self, tensors: dict[str, torch.Tensor], step: int) -> None:
        """Take the optimizer state that :meth:`state` gave after ``step`` updates.

        The weights must be in the model before the engine is made, because ZeRO copies them.
        """
        self._reset_optimizer(step)
        for name, parameter in self.trainable.items():
            for key in STATE_KEYS:
                self._set_optimizer_state(parameter, key, tensors[f"{key}.{name}"])

    def _reset_optimizer(self, step: int) -> None:
        if self.settings.zero_stage == 0:
            reset_state(self._optimizer, self.settings.bias_correction, step)
            return
        reset_state(self._optimizer.optimizer, self.settings.bias_correction, step)
        # DeepSpeed links parameters to their part of the state after the first update only; a
        # resumed run has to set them before it.
        self._optimizer._hp_optimizer_states_linked = False
        self._optimizer._lazy_init_hp_params_optimizer_state()

    def _optimizer_state(self, parameter: nn.Parameter, key: str) -> torch.Tensor:
        if self.settings.zero_stage == 0:
            return self._optimizer.state[parameter][key]
        from deepspeed.utils import safe_get_full_optimizer_state

        return safe_get_full_optimizer_state(parameter, key)

    def _set_optimizer_state(self, parameter: nn.Parameter, key: str, value: torch.Tensor) -> None:
        value = value.to(parameter.device)
        if self.settings.zero_stage == 0:
            self._optimizer.state[parameter][key].copy_(value)
            return
        from deepspeed.utils import safe_set_full_optimizer_state

        safe_set_full_optimizer_state(parameter, value, key)


def _import_deepspeed() -> Any:
    """Import DeepSpeed such that it compiles nothing and keeps quiet.

    It would build a C++ operator for all-reduce in shared memory when several processes start on
    a CPU: a minute, a compiler, and files left behind in /dev/shm. gloo serves as well here.
    """
    import deepspeed
    import deepspeed.ops

    if not torch.cuda.is_available():
        deepspeed.ops.__compatible_ops__ = {}
    logging.getLogger("DeepSpeed").setLevel(logging.WARNING)
    return deepspeed
