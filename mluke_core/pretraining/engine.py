"""DeepSpeed around the model: accumulation, gradient exchange, ZeRO, precision, optimizer state."""

from __future__ import annotations

import logging
import math
from typing import Any

import torch
from torch import nn

from mluke_core.errors import ConfigError
from mluke_core.modeling.inputs import PackedBatch
from mluke_core.modeling.prediction import Losses, MlukeForPrediction, Targets
from mluke_core.pretraining.distributed import World, limit_waits
from mluke_core.pretraining.loss_scale import SCALE_KEY, LossScale
from mluke_core.pretraining.optimizer import (
    STATE_KEYS,
    build_optimizer,
    freeze,
    reset_state,
)
from mluke_core.pretraining.row_table import RowTable, row_weights
from mluke_core.pretraining.settings import PretrainingSettings

# Weights whose gradients ZeRO exchanges at once. It sets a buffer of this size aside, whatever the
# size of the model; DeepSpeed's own 500 million would take 2 GB.
_BUCKET = 100_000_000
_WEIGHT = "weight"


class _Autocast(nn.Module):
    """The model in the precision of the run; weights and optimizer stay float32."""

    def __init__(self, model: MlukeForPrediction, precision: str) -> None:
        super().__init__()
        self.model = model
        self.dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)

    def forward(self, batch: PackedBatch, targets: Targets) -> Losses:
        device = batch.word_ids_T.device.type
        with torch.autocast(device, self.dtype, enabled=self.dtype is not None):
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
    # DeepSpeed wants an even number.
    bucket = min(trainable + trainable % 2, _BUCKET)
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
        self.loss_scale = LossScale() if settings.precision == "fp16" else None
        self.gradient_norm: float | None = None
        """Of the last update, before clipping; infinite when it was left out."""
        self._evaluated = _Autocast(model, settings.precision)
        deepspeed = import_deepspeed()
        model.to(world.device)
        self._row_table: RowTable | None = None
        if row_weights(model, settings):
            self._row_table = RowTable(model, settings, world)
        self._engine, self._optimizer, _, _ = deepspeed.initialize(
            config=config,
            model=self._evaluated,
            optimizer=build_optimizer(
                {name: p for name, p in self.trainable.items() if p.requires_grad}, settings
            ),
            dist_init_required=False,
        )
        limit_waits(settings.peer_timeout)
        self._reset_optimizer(0)

    def accumulate(self, batch: PackedBatch, targets: Targets, last: bool) -> Losses:
        """Add the gradient of one micro-batch, by its share of the update's sequences; the last of
        an update (of this process) updates the weights.

        A gradient that is not finite changes nothing, on any process.
        """
        self._engine.set_gradient_accumulation_boundary(last)
        losses: Losses = self._engine(batch, targets)
        # DeepSpeed takes the mean over the processes and over a fixed number of micro-batches.
        weight = batch.size * self.world.size * self.accumulation / self.settings.batch_size
        if self.settings.zero_stage:
            self._set_scale_of_zero()
        elif self.loss_scale is not None:
            weight *= self.loss_scale.scale
        self._engine.backward(losses.total * weight)
        finite = not last or self._row_table is None or self._row_table.gather()
        if last and not self.settings.zero_stage:
            self._check_gradients(finite)
        self._engine.step()
        if last:
            self._end_update(finite)
        return losses

    def _set_scale_of_zero(self) -> None:
        # ZeRO scales the loss and unscales the gradients itself.
        if self.loss_scale is not None:
            self._optimizer.loss_scaler.cur_scale = self.loss_scale.scale

    def _check_gradients(self, finite: bool) -> None:
        """Without ZeRO: unscale the gradients and have the optimizer skip those not finite.

        Args:
            finite: whether those of the row table are.
        """
        gradients = [p.grad for p in self.trainable.values() if p.grad is not None]
        if self.loss_scale is not None:
            torch._foreach_div_(gradients, self.loss_scale.scale)
        norm = nn.utils.get_total_norm(gradients, foreach=True)
        self.gradient_norm = norm.item()
        # As torch's own GradScaler tells fused optimizers.
        self._optimizer.found_inf = (~(torch.isfinite(norm) & finite)).float()

    def _end_update(self, finite: bool) -> None:
        if self.settings.zero_stage:
            self.gradient_norm = float(self._optimizer._global_grad_norm)
        if self._row_table is not None:
            assert self.gradient_norm is not None
            if finite and math.isfinite(self.gradient_norm):
                squares = self.gradient_norm**2 + self._row_table.update()
                self.gradient_norm = math.sqrt(squares)
            else:
                self._row_table.drop()
                self.gradient_norm = math.inf
        if self.loss_scale is not None:
            assert self.gradient_norm is not None
            self.loss_scale.update(math.isfinite(self.gradient_norm))

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
        if self._row_table is not None:
            self._row_table.rate = rate

    def state(self) -> dict[str, torch.Tensor] | None:
        """Trainable weights and optimizer state, by parameter; None when one is not finite.

        Named ``weight.<parameter>``, ``exp_avg.<parameter>``, ``exp_avg_sq.<parameter>``: no trace
        of the number of processes or the ZeRO stage. All processes must call it; the first gets
        the tensors, in main memory, the others an empty dictionary. A device holds one whole
        tensor at a time beside what it holds anyway.
        """
        tensors = {} if self.loss_scale is None else {SCALE_KEY: self.loss_scale.state()}
        finite = True
        for name, parameter in self.trainable.items():
            for key in (_WEIGHT, *STATE_KEYS):
                tensor = (
                    parameter.detach() if key == _WEIGHT else self._optimizer_state(parameter, key)
                )
                finite = finite and bool(torch.isfinite(tensor).all())
                if self.world.is_first:
                    tensors[f"{key}.{name}"] = tensor.cpu()
        if not finite:
            return None
        return tensors if self.world.is_first else {}

    def load_state(self, tensors: dict[str, torch.Tensor], step: int) -> None:
        """Take the optimizer state that :meth:`state` gave after ``step`` updates.

        The weights must be in the model before the engine is made, because ZeRO copies them.
        """
        self._reset_optimizer(step)
        if self.loss_scale is not None:
            self.loss_scale.load_state(tensors[SCALE_KEY])
        for name, parameter in self.trainable.items():
            for key in STATE_KEYS:
                self._set_optimizer_state(parameter, key, tensors[f"{key}.{name}"])

    def _reset_optimizer(self, step: int) -> None:
        if self._row_table is not None:
            self._row_table.reset(step)
        if self.settings.zero_stage == 0:
            reset_state(self._optimizer, self.settings.bias_correction, step)
            return
        reset_state(self._optimizer.optimizer, self.settings.bias_correction, step)
        # DeepSpeed links parameters to their part of the state after the first update only; a
        # resumed run has to set them before it.
        self._optimizer._hp_optimizer_states_linked = False
        self._optimizer._lazy_init_hp_params_optimizer_state()

    def _optimizer_state(self, parameter: nn.Parameter, key: str) -> torch.Tensor:
        if self._row_table is not None and not parameter.requires_grad:
            return self._row_table.moment(parameter, key)
        if self.settings.zero_stage == 0:
            return self._optimizer.state[parameter][key]
        from deepspeed.utils import safe_get_full_optimizer_state

        return safe_get_full_optimizer_state(parameter, key)

    def _set_optimizer_state(self, parameter: nn.Parameter, key: str, value: torch.Tensor) -> None:
        if self._row_table is not None and not parameter.requires_grad:
            self._row_table.set_moment(parameter, key, value)
            return
        value = value.to(parameter.device)
        if self.settings.zero_stage == 0:
            self._optimizer.state[parameter][key].copy_(value)
            return
        from deepspeed.utils import safe_set_full_optimizer_state

        safe_set_full_optimizer_state(parameter, value, key)


def import_deepspeed() -> Any:
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
