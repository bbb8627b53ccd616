"""The training loop: updates, validation, checkpoints, an orderly end on SIGTERM."""

from __future__ import annotations

import logging
import math
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import torch

from mluke_core.errors import MlukeError
from mluke_core.modeling.inputs import PackedBatch
from mluke_core.modeling.prediction import Targets
from mluke_core.pretraining.ahead import one_ahead
from mluke_core.pretraining.broken_batch import write_batch
from mluke_core.pretraining.checkpoints import Checkpoint, Checkpoints
from mluke_core.pretraining.distributed import World
from mluke_core.pretraining.engine import Engine
from mluke_core.pretraining.flops import step_flops
from mluke_core.pretraining.hashing import key_of
from mluke_core.pretraining.journal import Journal
from mluke_core.pretraining.loader import Loader
from mluke_core.pretraining.memory import batch_must_fit, peak_memory_mb
from mluke_core.pretraining.meters import Meter
from mluke_core.pretraining.optimizer import learning_rate
from mluke_core.pretraining.settings import PretrainingSettings

log = logging.getLogger("mluke")

# One broken batch may pass; weights that have gone to NaN never come back.
MAXIMUM_BROKEN_STEPS = 3


class MicroBatch(NamedTuple):
    """What this process computes at once, in main memory."""

    start: int
    """Place of its first sequence."""
    is_last: bool
    """Of this process in the update."""
    batch: PackedBatch
    targets: Targets


class Trainer:
    """Runs one stage from ``step`` on.

    Args:
        journal: of the first process, None on the others.
        seconds: spent by earlier runs that this one continues.
        peak_tflops: of one device; None: unknown, and so is MFU.
    """

    def __init__(
        self,
        engine: Engine,
        loader: Loader,
        settings: PretrainingSettings,
        world: World,
        checkpoints: Checkpoints,
        journal: Journal | None,
        step: int = 0,
        seconds: float = 0.0,
        peak_tflops: float | None = None,
    ) -> None:
        self.engine = engine
        self.loader = loader
        self.settings = settings
        self.world = world
        self.checkpoints = checkpoints
        self.journal = journal
        self.step = step
        self.final: dict[str, Any] = {}
        self.peak_tflops = peak_tflops
        self.largest_tokens = 0
        """Words and entities of the largest micro-batch so far."""
        self._earlier_seconds = seconds
        self._start = time.monotonic()
        self._stopped = False
        self._broken_steps = 0

    @property
    def seconds(self) -> float:
        """Time of this run and of those it continues."""
        return self._earlier_seconds + time.monotonic() - self._start

    def run(self) -> None:
        """Train to the last step.

        Raises:
            MlukeError: when SIGTERM asked to stop (after saving a checkpoint), or the loss stays
                NaN or infinite.
        """
        previous_handler = signal.signal(signal.SIGTERM, self._ask_to_stop)
        try:
            # All that draws places happens in this thread.
            with ThreadPoolExecutor(1, "loader") as self._loading:
                self._micro_batches = one_ahead(self._load(), self._loading)
                self._train()
        finally:
            signal.signal(signal.SIGTERM, previous_handler)

    def _train(self) -> None:
        settings = self.settings
        if self.step == 0:
            self.validate()
        meter, since = Meter(), time.monotonic()
        while self.step < settings.steps:
            rate, update = self._update()
            meter.merge(update)
            self._check_loss(update)
            if self.journal is not None:
                self.journal.step_done(update.sums["loss"] / update.sums["sequences"])
            if self._is_due(settings.log_interval):
                self._log_training(meter, rate, time.monotonic() - since)
                meter, since = Meter(), time.monotonic()
            if self._is_due(settings.validation_interval):
                validation_start = time.monotonic()
                self.validate()
                since += time.monotonic() - validation_start
            stopping = self.world.sum([float(self._stopped)])[0] > 0
            due = self.step % settings.checkpoint_interval == 0 or stopping
            if due and self.step < settings.steps:
                self.save()
                if stopping:
                    raise MlukeError(
                        f"{settings.model} {settings.stage}: stopped by SIGTERM after step"
                        f" {self.step} of {settings.steps}; a checkpoint is saved. Start the"
                        " job again to go on from there."
                    )

    def _load(self) -> Iterator[MicroBatch]:
        """The micro-batches of this process, from the next update to the last."""
        size = self.settings.batch_size
        for first in range(self.step * size, self.settings.steps * size, size):
            micro_batches = self.loader.micro_batches(
                first,
                first + size,
                self.engine.micro_batch_size,
                self.settings.micro_batch_tokens,
                self.world.size,
            )
            # The processes take them in turn.
            own = micro_batches[self.world.rank :: self.world.size]
            for start, stop in own:
                yield MicroBatch(start, stop == own[-1][1], *self.loader.batch(start, stop))

    def _is_due(self, interval: int) -> bool:
        return self.step % interval == 0 or self.step == self.settings.steps

    def _update(self) -> tuple[float, Meter]:
        """One update of the weights. Returns its learning rate and losses over all processes."""
        settings, engine = self.settings, self.engine
        rate = learning_rate(
            self.step, settings.learning_rate, settings.warmup_steps, settings.steps
        )
        engine.set_learning_rate(rate)
        meter = Meter()
        for micro_batch in self._micro_batches:
            batch = micro_batch.batch.to(self.world.device)
            targets = micro_batch.targets.to(self.world.device)
            # Dropout follows from the place too: nothing to save, the same for any rank.
            key = key_of("dropout", settings.seed, settings.stage, micro_batch.start)
            torch.manual_seed(key >> 1)
            with batch_must_fit(batch, self.largest_tokens, f"{settings.model} {settings.stage}"):
                losses = engine.accumulate(batch, targets, micro_batch.is_last)
            tokens = len(batch.word_ids_T) + len(batch.entity_ids_E)
            self.largest_tokens = max(self.largest_tokens, tokens)
            flops = step_flops(
                engine.model.config, batch, targets, settings.trainable, engine.model.has_entities
            )
            meter.add(batch, targets, losses, flops)
            if micro_batch.is_last:
                break
        meter.gather(self.world)
        self.step += 1
        return rate, meter

    def _check_loss(self, meter: Meter) -> None:
        self._broken_steps = 0 if meter.is_finite else self._broken_steps + 1
        if self._broken_steps == 0:
            return
        start = (self.step - 1) * self.settings.batch_size
        path = self.checkpoints.folder.parent / "broken" / f"step-{self.step:08d}.safetensors"
        if self.world.is_first:
            places = (start, start + self.settings.batch_size)
            self._loading.submit(self._keep_batch, path, *places).result()
        log.warning("step %d: the loss is not finite; its batch is in %s", self.step, path)
        if self._broken_steps >= MAXIMUM_BROKEN_STEPS:
            first = self.step - MAXIMUM_BROKEN_STEPS + 1
            raise MlukeError(
                f"{self.settings.model} {self.settings.stage}: the loss is NaN or infinite since"
                f" step {first}. Lower learning_rate or raise warmup_steps; the last good state is"
                f" in {self.checkpoints.folder}, the batches are in {path.parent}."
            )

    def _keep_batch(self, path: Path, start: int, stop: int) -> None:
        batch, targets = self.loader.batch(start, stop)
        write_batch(path, batch, targets, *self.loader.plan.draw(start, stop))

    def _log_training(self, meter: Meter, rate: float, seconds: float) -> None:
        self.final["train"] = meter.values(self.engine.model.has_entities)
        if self.journal is None:
            return
        seconds = max(seconds, 1e-9)
        peak = self.peak_tflops and self.peak_tflops * 1e12 * self.world.size
        norm = self.engine.gradient_norm
        self.journal.entry(
            step=self.step,
            split="train",
            **self.final["train"],
            learning_rate=rate,
            # JSON has no infinity.
            gradient_norm=norm if norm is not None and math.isfinite(norm) else None,
            tokens_per_second=meter.sums["tokens"] / seconds,
            mfu=meter.sums["flops"] / seconds / peak if peak else None,
            memory_mb=peak_memory_mb(self.world.device),
        )

    def validate(self) -> None:
        """Losses on the held-out sequences, of each language and of all together."""
        settings = self.settings
        if not settings.validation_sequences:
            return
        total = Meter(per_target=True)
        by_language = {}
        for language in self.loader.validation:
            meter = Meter(per_target=True)
            batches = self.loader.validation_batches(
                language,
                settings.validation_sequences,
                self.engine.micro_batch_size,
                self.world.device,
            )
            for number, (batch, targets) in enumerate(batches):
                if number % self.world.size == self.world.rank:
                    meter.add(batch, targets, self.engine.evaluate(batch, targets))
            meter.gather(self.world)
            if meter.sums["words"]:
                by_language[language] = meter
                total.merge(meter)
        with_entities = self.engine.model.has_entities
        self.final["validation"] = total.values(with_entities)
        if self.journal is None or not by_language:
            return
        for language, meter in by_language.items():
            values = meter.values(with_entities)
            self.journal.entry(step=self.step, split="validation", **values, language=language)
        self.journal.entry(step=self.step, split="validation", **self.final["validation"])

    def save(self) -> None:
        """Write a checkpoint, unless the weights have gone to NaN."""
        tensors = self.engine.state()
        if tensors is None:
            log.warning("step %d: no checkpoint, the weights are not finite", self.step)
            return
        if self.world.is_first:
            self.checkpoints.save(Checkpoint(self.step, self.seconds, tensors))
        self.world.wait()

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self._stopped = True


def parameter_counts(engine: Engine) -> tuple[int, int]:
    """Number of all weights and of the trainable ones."""
    everything = sum(math.prod(parameter.shape) for parameter in engine.model.parameters())
    trainable = sum(math.prod(parameter.shape) for parameter in engine.trainable.values())
    return everything, trainable
