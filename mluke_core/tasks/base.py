"""What a task is made of: data, features, predictions, and the functions between them.

A task turns a file into examples (`read`), examples into inputs of the encoder (`encode`), outputs
of the encoder into logits and a loss (`head`, `loss`), and logits into predictions (`decode`).
Trainer, prediction and scoring know nothing else of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mluke_core.alignment.entity_vocabulary import EntityVocabulary
from mluke_core.errors import ConfigError, DataError
from mluke_core.modeling.encoder import EncoderOutput
from mluke_core.modeling.inputs import PackedBatch
from mluke_core.sequences.tokenizer import Tokenizer
from mluke_core.tasks.data import Dataset, ExampleT

if TYPE_CHECKING:
    from mluke_core.tasks.linking import Linker

INPUTS = ("word", "entity")

IntArray: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Feature:
    """One input of the encoder, with what the head needs to know about it."""

    word_ids: IntArray
    """Special tokens included."""
    entity_ids: IntArray
    entity_spans: IntArray
    """E x 2: first position and position after the last, counting the first special token as 0."""
    source: int
    """Index of the example it comes from."""
    target: Any
    """What the loss compares with."""
    extra: Any = None
    """What the head and the decoder need beside the output."""

    @property
    def length(self) -> int:
        """Words and entities: the rows it takes in the encoder."""
        return len(self.word_ids) + len(self.entity_ids)


NO_ENTITIES: IntArray = np.zeros(0, dtype=np.int64)
NO_SPANS: IntArray = np.zeros((0, 2), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A prediction as the predictions file holds it."""

    example_id: str
    text: str
    score: float


class Task(ABC, Generic[ExampleT]):
    """Base class of the tasks.

    Args:
        options: the task's ``options`` of the configuration.
        inputs: ``word`` or ``entity``.
        tokenizer: the backbone's tokenizer.
        vocabulary_size: rows of the backbone's word table; added tokens are numbered from here.
        entities: entity ids of the backbone; needed for ``entity`` inputs.
        linker: finds entities in a text; needed by question answering with ``entity`` inputs.
    """

    name: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]
    """Names of what `evaluate` returns; the first is the headline."""
    links_entities: ClassVar[bool] = False
    """Whether entity inputs are detected in the text, which takes a linker."""

    def __init__(
        self,
        options: Mapping[str, Any],
        inputs: str,
        tokenizer: Tokenizer,
        vocabulary_size: int,
        entities: EntityVocabulary | None = None,
        linker: Linker | None = None,
    ) -> None:
        if inputs not in INPUTS:
            raise ConfigError(f"inputs is {inputs!r}; write one of {', '.join(INPUTS)}.")
        if inputs == "entity" and entities is None:
            raise DataError(
                f"task {self.name}: inputs is 'entity' but the model has no entity_vocab.json. "
                "Use a LUKE model, or inputs: word."
            )
        self.options = options
        self.inputs = inputs
        self.tokenizer = tokenizer
        self.vocabulary_size = vocabulary_size
        self.entities = entities
        self.linker = linker
        self.labels: list[str] = []

    @property
    def uses_entities(self) -> bool:
        """Whether the encoder is given entities."""
        return self.inputs == "entity"

    def option(self, name: str) -> Any:
        """An option of the configuration; :class:`ConfigError` names the key when it is missing."""
        if name not in self.options:
            raise ConfigError(f"tasks.{self.name}.options.{name} is missing from the settings.")
        return self.options[name]

    def added_tokens(self) -> list[str]:
        """Tokens whose embeddings new marker tokens start from; none by default."""
        return []

    def learn_labels(self, train: Dataset[ExampleT]) -> None:
        """Take the inventory of labels from the training data; nothing to do by default."""

    @abstractmethod
    def read(self, path: Path, **languages: str) -> Dataset[ExampleT]:
        """Read a file in the task's format."""

    @abstractmethod
    def encode(self, dataset: Dataset[ExampleT], training: bool) -> list[Feature]:
        """Inputs of the encoder. Troubles of encoding are counted in ``dataset.report``."""

    @abstractmethod
    def head(self, hidden_size: int, dropout: float) -> nn.Module:
        """A fresh head."""

    def label_counts(self, features: Sequence[Feature]) -> IntArray | None:
        """How often each label is the target, for the head's first bias; None without labels."""
        return None

    @abstractmethod
    def logits(
        self,
        head: nn.Module,
        output: EncoderOutput,
        batch: PackedBatch,
        features: Sequence[Feature],
    ) -> torch.Tensor:
        """Logits of a batch, in a shape that `loss` and `scores` know."""

    def rows_read(self, batch: PackedBatch, features: Sequence[Feature]) -> IntArray | None:
        """Rows of the encoder that `logits` reads, in any order; None: (nearly) all of them."""
        return None

    @abstractmethod
    def loss(self, logits: torch.Tensor, features: Sequence[Feature]) -> torch.Tensor:
        """Mean loss of a batch."""

    def loss_weight(self, feature: Feature) -> int:
        """How many terms of the mean that `loss` takes come from ``feature``."""
        return 1

    @abstractmethod
    def scores(self, logits: torch.Tensor, features: Sequence[Feature]) -> list[np.ndarray]:
        """What `decode` needs of each feature, on the CPU."""

    @abstractmethod
    def decode(
        self,
        dataset: Dataset[ExampleT],
        features: Sequence[Feature],
        scores: Sequence[np.ndarray],
    ) -> list[Prediction]:
        """One prediction for each example, in order."""

    @abstractmethod
    def evaluate(
        self, dataset: Dataset[ExampleT], predictions: Sequence[Prediction]
    ) -> dict[str, float]:
        """Metrics of a development set, in percent."""

    @abstractmethod
    def baseline(
        self, train: Dataset[ExampleT], dev: Dataset[ExampleT], seed: int
    ) -> dict[str, float]:
        """The same metrics for a guess that has learnt nothing from the text."""
