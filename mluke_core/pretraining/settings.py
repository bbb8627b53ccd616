"""Settings of one pretraining stage, as its rule cuts them from the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from mluke_core.errors import ConfigError
from mluke_core.io.files import digest_of

# These change what is written down, or how the work is divided, not what is learned: a run goes on
# after a change.
_CHANGEABLE = (
    "micro_batch_size",
    "micro_batch_tokens",
    "zero_stage",
    "entity_gradient",
    "log_interval",
    "validation_interval",
    "validation_sequences",
    "checkpoint_interval",
    "keep_checkpoints",
    "peer_timeout",
    "peak_tflops",
)

_CHOICES: dict[str, tuple[Any, ...]] = {
    "objective": ("luke", "mlm"),
    "precision": ("bf16", "fp16", "fp32"),
    "zero_stage": (0, 1, 2),
    "entity_gradient": ("dense", "rows"),
    "trainable": ("new", "all"),
    "entity_positions": ("random", "words"),
}
_POSITIVE = (
    "steps",
    "batch_size",
    "micro_batch_size",
    "learning_rate",
    "entity_embedding_size",
    "log_interval",
    "validation_interval",
    "checkpoint_interval",
    "keep_checkpoints",
    "peer_timeout",
)


@dataclass(frozen=True)
class PretrainingSettings:
    """What one stage does; see ``pretraining`` in ``config.yaml`` for the published values."""

    model: str
    objective: str
    """luke: masked words and entities | mlm: masked words only, no entities in the input."""
    stage: str
    seed: int
    trainable: str
    """new: the parameters that the base model does not have | all."""
    steps: int
    """Updates of the weights."""
    warmup_steps: int
    learning_rate: float
    """The highest of the schedule."""
    batch_size: int
    """Sequences of one update, over all processes."""
    micro_batch_size: int
    """Sequences that one process holds at once, at most."""
    micro_batch_tokens: int
    """Words and entities that one process holds at once, at most; 0: no such limit."""
    word_mask_share: float
    entity_mask_share: float
    precision: str
    zero_stage: int
    entity_gradient: str
    """Of the entity table: dense: as large as the table | rows: computed row by row at the update,
    its optimizer state divided between the processes."""
    entity_embedding_size: int
    entity_positions: str
    """How position embeddings of entities start that the base model lacks: random | words: as
    copies of the words'."""
    betas: tuple[float, float]
    epsilon: float
    weight_decay: float
    bias_correction: bool
    gradient_clipping: float
    """Norm of the gradient at most; 0: none."""
    log_interval: int
    validation_interval: int
    validation_sequences: int
    """Of each language; 0: no validation."""
    checkpoint_interval: int
    keep_checkpoints: int
    peer_timeout: float
    """Seconds without a sign of another process after which the run ends."""
    peak_tflops: float | None
    """What one device computes at best, in 10^12 floating point operations per second; None:
    measured at the start on a GPU, unknown on a CPU."""

    def identity(self) -> str:
        """Digest of what the learned weights depend on."""
        return digest_of(
            {
                field.name: getattr(self, field.name)
                for field in fields(self)
                if field.name not in _CHANGEABLE
            }
        )


def read_settings(values: Mapping[str, Any]) -> PretrainingSettings:
    """Check and take ``--settings``.

    Raises:
        ConfigError: names the key that is missing, unknown or out of its range.
    """
    names = {field.name for field in fields(PretrainingSettings)}
    missing = sorted(names - set(values))
    unknown = sorted(set(values) - names)
    if missing or unknown:
        key, state = (missing[0], "missing") if missing else (unknown[0], "not known")
        raise ConfigError(f"pretraining: setting '{key}' is {state}. See docs/configuration.md.")
    for key, choices in _CHOICES.items():
        if values[key] not in choices:
            listed = ", ".join(map(str, choices))
            raise ConfigError(f"pretraining: {key} is {values[key]!r}; write one of {listed}.")
    for key in _POSITIVE:
        if not values[key] > 0:
            raise ConfigError(f"pretraining: {key} is {values[key]!r}; it must be more than 0.")
    if values["peak_tflops"] is not None and not values["peak_tflops"] > 0:
        raise ConfigError(
            f"pretraining: peak_tflops is {values['peak_tflops']!r}; write the device's rate in"
            " 10^12 operations per second, or null to have a GPU measured."
        )
    if values["micro_batch_tokens"] < 0:
        raise ConfigError(
            f"pretraining: micro_batch_tokens is {values['micro_batch_tokens']!r}; write a number"
            " of tokens, or 0 for no limit."
        )
    for key in ("word_mask_share", "entity_mask_share"):
        if not 0 < values[key] < 1:
            raise ConfigError(f"pretraining: {key} is {values[key]!r}; write a share like 0.15.")
    if not 0 <= values["warmup_steps"] < values["steps"]:
        raise ConfigError(
            f"pretraining: warmup_steps is {values['warmup_steps']}; it must be less than steps,"
            f" {values['steps']}."
        )
    if values["objective"] == "mlm" and values["trainable"] == "new":
        raise ConfigError(
            f"pretraining: stage '{values['stage']}' trains new parameters only, but objective mlm"
            " adds none. Write trainable: all."
        )
    if values["entity_gradient"] == "rows" and (
        values["gradient_clipping"] > 0 or values["precision"] == "fp16"
    ):
        raise ConfigError(
            "pretraining: entity_gradient rows knows the norm of its gradient only after the update"
            " and scales no loss. Write gradient_clipping: 0 and precision: bf16 or fp32, or"
            " entity_gradient: dense."
        )
    return PretrainingSettings(**{**values, "betas": tuple(values["betas"])})
