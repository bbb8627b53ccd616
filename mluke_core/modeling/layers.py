"""Linear and embedding layers that leave their weights alone.

A model here is either loaded or drawn by :mod:`mluke_core.modeling.initialization`, so torch's own
initialisation would be work thrown away: seconds for a large table, and two more for importing the
compiler when it runs on the meta device.
"""

from __future__ import annotations

from torch import nn


class Linear(nn.Linear):
    """:class:`torch.nn.Linear` with uninitialised weights."""

    def reset_parameters(self) -> None:
        """Nothing: see the module's docstring."""


class Embedding(nn.Embedding):
    """:class:`torch.nn.Embedding` with uninitialised weights."""

    def reset_parameters(self) -> None:
        """Nothing: see the module's docstring."""
