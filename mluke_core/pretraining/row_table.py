"""The entity table without a gradient of its size (``pretraining.entity_gradient: rows``).

A full softmax moves every row of the table at every update. But the gradient follows from little:
features, normalizers and targets of the masked entities, and the gradient of the rows looked up.
Only this is kept of each micro-batch, and exchanged between the processes. At the update each of
them walks its own part of the rows in chunks: it computes the softmax of a chunk again, and from it
the gradient, which AdamW takes at once. Then the new rows are exchanged. Moments are held by the
owner of a row alone.

The same as with a dense gradient, but for the order in which numbers are added.

Shapes: V entities, D their size, N masked entities of an update over all micro-batches and
processes, E entities looked up, R rows of this process, C rows of a chunk, T targets among them.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple, TypeVar

import torch
from torch.optim.adamw import adamw

from mluke_core.modeling.prediction import MlukeForPrediction
from mluke_core.pretraining.distributed import World
from mluke_core.pretraining.optimizer import STATE_KEYS, step_counter
from mluke_core.pretraining.settings import PretrainingSettings

# Rows of a chunk, and positions taken at once: the logits fit into a CPU's cache; a GPU wants more.
_CPU_CHUNK = (1024, 256)
_GPU_CHUNK = (16384, 4096)
_LOG2 = math.log(2)


class _Masked(NamedTuple):
    """Masked entities of one or more micro-batches."""

    features_ND: torch.Tensor
    normalizer_N: torch.Tensor
    """To the base 2."""
    targets_N: torch.Tensor
    scale_N: torch.Tensor
    """Gradient of the loss with respect to each one's cross-entropy."""


class _LookedUp(NamedTuple):
    """Rows of the table and their gradients."""

    ids_E: torch.Tensor
    gradient_ED: torch.Tensor


def row_weights(
    model: MlukeForPrediction, settings: PretrainingSettings
) -> tuple[torch.Tensor, ...]:
    """Entity table and bias if their gradient is row-wise; nothing otherwise."""
    if settings.entity_gradient == "dense" or model.entity_head is None:
        return ()
    assert model.encoder.entities is not None
    return model.encoder.entities.entity.weight, model.entity_head.bias


class RowTable:
    """Gradient and optimizer of the entity table and of the entity head's bias.

    Takes both from autograd; the model tells it what their gradients follow from. The model must be
    on its device already.
    """

    def __init__(
        self, model: MlukeForPrediction, settings: PretrainingSettings, world: World
    ) -> None:
        self.parameters = row_weights(model, settings)
        """The table and the bias."""
        for parameter in self.parameters:
            parameter.requires_grad_(False)
        assert model.encoder.entities is not None
        model.encoder.entities.entity.on_gradient = self._add_looked_up
        model.on_entity_gradient = self._add_masked
        self.rate = 0.0
        """Learning rate of the next update."""
        self._settings, self._world = settings, world
        self._parts = _equal_parts(len(self.parameters[1]), world.size)
        self._masked: list[_Masked] = []
        self._looked_up: list[_LookedUp] = []
        self.reset(0)

    def reset(self, step: int) -> None:
        """Empty moments, as after ``step`` updates."""
        device = self.parameters[0].device
        self._step = step_counter(self._settings.bias_correction, step, device)
        own = self._parts[self._world.rank]
        self._moments = {
            parameter: {key: torch.zeros_like(parameter.data[own]) for key in STATE_KEYS}
            for parameter in self.parameters
        }

    def moment(self, parameter: torch.Tensor, key: str) -> torch.Tensor:
        """One of :data:`STATE_KEYS` of all rows, in main memory. All processes must call it."""
        return torch.cat([part.cpu() for part in self._world.each(self._moments[parameter][key])])

    def set_moment(self, parameter: torch.Tensor, key: str, value: torch.Tensor) -> None:
        """Take this process's rows of what :meth:`moment` gave."""
        self._moments[parameter][key].copy_(value[self._parts[self._world.rank]])

    def _add_masked(
        self,
        features_ND: torch.Tensor,
        normalizer_N: torch.Tensor,
        targets_N: torch.Tensor,
        gradient: torch.Tensor,
    ) -> None:
        scale = gradient.float() / max(len(targets_N), 1)
        self._masked.append(
            _Masked(features_ND, normalizer_N, targets_N, scale.expand(len(targets_N)))
        )

    def _add_looked_up(self, ids_E: torch.Tensor, gradient_ED: torch.Tensor) -> None:
        self._looked_up.append(_LookedUp(ids_E, gradient_ED.float()))

    def gather(self) -> bool:
        """Bring together what the processes were told of since the last update.

        Returns whether all of it is finite, the same on every process.
        """
        table_VD, _ = self.parameters
        looked_up = self._looked_up or [_LookedUp(self._masked[0].targets_N[:0], table_VD.data[:0])]
        # Once for each entity before it is sent: most are looked up in many sequences.
        self._looked_up = [self._of_all(_distinct(_joined(looked_up), table_VD.shape))]
        self._masked = [self._of_all(_joined(self._masked))]
        numbers = (
            tensor
            for record in (self._masked[0], self._looked_up[0])
            for tensor in record
            if tensor.is_floating_point()
        )
        return all(bool(torch.isfinite(tensor).all()) for tensor in numbers)

    def _of_all(self, record: _Record) -> _Record:
        return type(record)(*(torch.cat(list(self._world.each(part))) for part in record))

    @torch.no_grad()
    def update(self) -> float:
        """Update the rows by what was gathered. Returns the sum of squares of their gradient."""
        table_VD, bias_V = self.parameters
        own = self._parts[self._world.rank]
        masked, looked_up = self._masked[0], _distinct(self._looked_up[0], table_VD.shape)
        self.drop()
        bias_gradient_R = torch.zeros_like(bias_V[own])
        squares = torch.zeros((), dtype=torch.float64, device=bias_V.device)
        width, positions = _GPU_CHUNK if bias_V.device.type == "cuda" else _CPU_CHUNK
        pieces = [
            _Masked(*parts)
            for parts in zip(*(part.split(positions) for part in masked), strict=True)
        ]
        bounds = [*range(own.start, own.stop, width), own.stop]
        places = torch.searchsorted(looked_up.ids_E, looked_up.ids_E.new_tensor(bounds)).tolist()
        for number, (start, stop) in enumerate(itertools.pairwise(bounds)):
            rows = slice(start, stop)
            within = slice(start - own.start, stop - own.start)
            gradient_CD = torch.zeros_like(table_VD[rows])
            for piece in pieces:
                _add_softmax(
                    piece, rows, table_VD[rows], bias_V[rows], gradient_CD, bias_gradient_R[within]
                )
            looked = slice(places[number], places[number + 1])
            gradient_CD[looked_up.ids_E[looked] - start] += looked_up.gradient_ED[looked]
            gradient_CD /= self._world.size
            squares += gradient_CD.square().sum()
            self._step_rows(table_VD, rows, gradient_CD)
        bias_gradient_R /= self._world.size
        squares += bias_gradient_R.square().sum()
        self._step_rows(bias_V, own, bias_gradient_R)
        self._step += 1
        for parameter in self.parameters:
            parts = self._world.each(parameter.data[own])
            for rows, part in zip(self._parts, parts, strict=True):
                parameter.data[rows] = part
        return self._world.sum([squares.item()])[0]

    def drop(self) -> None:
        """Forget what was gathered: the update is left out."""
        self._masked, self._looked_up = [], []

    def _step_rows(self, parameter: torch.Tensor, rows: slice, gradient: torch.Tensor) -> None:
        first = self._parts[self._world.rank].start
        within = slice(rows.start - first, rows.stop - first)
        mean, square = (self._moments[parameter][key][within] for key in STATE_KEYS)
        settings = self._settings
        adamw(
            [parameter.data[rows]],
            [gradient],
            [mean],
            [square],
            [],
            [self._step.clone()],
            fused=True,
            amsgrad=False,
            beta1=settings.betas[0],
            beta2=settings.betas[1],
            lr=self.rate,
            weight_decay=settings.weight_decay if parameter is self.parameters[0] else 0.0,
            eps=settings.epsilon,
            maximize=False,
        )


def _equal_parts(count: int, processes: int) -> list[slice]:
    size = -(-count // processes)
    starts = [min(rank * size, count) for rank in range(processes + 1)]
    return [slice(*bounds) for bounds in itertools.pairwise(starts)]


_Record = TypeVar("_Record", _Masked, _LookedUp)


def _joined(records: list[_Record]) -> _Record:
    return type(records[0])(*(torch.cat(parts) for parts in zip(*records, strict=True)))


def _distinct(looked_up: _LookedUp, shape: torch.Size) -> _LookedUp:
    """Every entity once, in the order of the ids."""
    summed = torch.sparse_coo_tensor(
        looked_up.ids_E[None], looked_up.gradient_ED, shape, check_invariants=False
    ).coalesce()
    return _LookedUp(summed.indices()[0], summed.values())


def _add_softmax(
    masked: _Masked,
    rows: slice,
    table_CD: torch.Tensor,
    bias_C: torch.Tensor,
    gradient_CD: torch.Tensor,
    bias_gradient_C: torch.Tensor,
) -> None:
    """Add the gradient of the masked entities' cross-entropies to that of a chunk of rows.

    The products run in the type of the features; the targets' own terms are float32, as in
    :mod:`mluke_core.modeling.cross_entropy`.
    """
    features_ND = masked.features_ND
    dtype = features_ND.dtype
    logits_NC = torch.add((features_ND / _LOG2) @ table_CD.to(dtype).t(), bias_C.float() / _LOG2)
    weights_NC = logits_NC.sub_(masked.normalizer_N[:, None]).exp2_().mul_(masked.scale_N[:, None])
    (inside_T,) = torch.nonzero(
        (masked.targets_N >= rows.start) & (masked.targets_N < rows.stop), as_tuple=True
    )
    places_T = masked.targets_N[inside_T] - rows.start
    error_T = weights_NC[inside_T, places_T] - masked.scale_N[inside_T]
    weights_NC[inside_T, places_T] = 0
    gradient_CD += weights_NC.to(dtype).t() @ features_ND
    gradient_CD.index_add_(0, places_T, features_ND[inside_T].float() * error_T[:, None])
    bias_gradient_C += weights_NC.sum(0)
    bias_gradient_C.index_add_(0, places_T, error_T)
