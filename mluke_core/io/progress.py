"""Progress of long work: a bar with rate and ETA on a terminal, plain lines in a log elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

log = logging.getLogger("mluke")

LOG_INTERVAL_SECONDS = 30.0


class Progress:
    """Counts units of work and shows how far it is.

    On a terminal a ``tqdm`` bar is drawn on standard error. The log gets a line with count, rate
    and time to go every 30 seconds and one when the work ends.

    >>> with Progress("pages", total=2, unit="page") as progress:
    ...     for _ in range(2):
    ...         progress.update()
    >>> progress.count
    2
    """

    def __init__(
        self, description: str, total: float | None = None, unit: str = "it", initial: float = 0
    ) -> None:
        self.description = description
        self.total = total
        self.unit = unit
        self.count = initial
        self._initial = initial
        self._start = self._last_line = time.monotonic()
        self._bar = self._draw_bar() if sys.stderr.isatty() else None

    def _draw_bar(self) -> tqdm[Any]:
        # Importing it takes a sixth of a short step's start, and jobs have no terminal.
        from tqdm import tqdm

        return tqdm(
            total=self.total,
            desc=self.description,
            unit=self.unit,
            initial=self._initial,
            unit_scale=True,
            leave=False,
            dynamic_ncols=True,
        )

    def update(self, amount: float = 1, note: str = "") -> None:
        """Add ``amount`` units; ``note`` is shown behind the bar (for example the loss)."""
        self.count += amount
        if self._bar is not None:
            if note:
                self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(amount)
        now = time.monotonic()
        if now - self._last_line >= LOG_INTERVAL_SECONDS:
            self._last_line = now
            log.info("%s", self._line(now, note))

    def _line(self, now: float, note: str = "") -> str:
        seconds = max(now - self._start, 1e-9)
        rate = (self.count - self._initial) / seconds
        of_total = f"/{self.total:,.0f}" if self.total else ""
        line = f"{self.description}: {self.count:,.0f}{of_total} {self.unit}, {rate:,.1f}/s"
        if self.total and rate > 0:
            line += f", {(self.total - self.count) / rate:,.0f} s to go"
        return f"{line}, {note}" if note else line

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        if kind is None:
            seconds = time.monotonic() - self._start
            log.info(
                "%s: %s %s in %.1f s", self.description, f"{self.count:,.0f}", self.unit, seconds
            )
