"""The factor that keeps float16 gradients from vanishing (Micikevicius et al. 2018)."""

from __future__ import annotations

import torch

SCALE_KEY = "loss_scale"

_FIRST = 2.0**16
_HIGHEST = 2.0**24
_UPDATES_BEFORE_GROWTH = 2000


class LossScale:
    """Halves when a gradient overflows, doubles after 2,000 updates without that.

    >>> scale = LossScale()
    >>> scale.update(False)
    >>> scale.scale
    32768.0
    """

    def __init__(self) -> None:
        self.scale = _FIRST
        self.good_updates = 0

    def update(self, finite: bool) -> None:
        """Take note of an update whose gradient was finite, or was not and so left out."""
        if not finite:
            self.scale, self.good_updates = max(self.scale / 2, 1.0), 0
            return
        self.good_updates += 1
        if self.good_updates == _UPDATES_BEFORE_GROWTH:
            self.scale, self.good_updates = min(self.scale * 2, _HIGHEST), 0

    def state(self) -> torch.Tensor:
        """Scale and good updates so far, for a checkpoint."""
        return torch.tensor([self.scale, float(self.good_updates)])

    def load_state(self, state: torch.Tensor) -> None:
        """Take what :meth:`state` gave."""
        self.scale, self.good_updates = float(state[0]), int(state[1])
