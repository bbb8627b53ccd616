"""What a run reports: ``log.jsonl``, TensorBoard events and the progress bar."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from mluke_core.io.disk_errors import disk_errors_named
from mluke_core.io.files import write_text
from mluke_core.io.progress import Progress

LOG_FILE = "log.jsonl"


class Journal:
    """Writes the log of a run; entries after the step it resumes from are dropped.

    Only the first process has one.
    """

    def __init__(self, folder: Path, name: str, first_step: int, steps: int) -> None:
        self.path = folder / LOG_FILE
        folder.mkdir(parents=True, exist_ok=True)
        write_text(self.path, "".join(_lines_until(self.path, first_step)))
        from torch.utils.tensorboard import SummaryWriter

        self._stream = self.path.open("ab")
        self._events = SummaryWriter(str(folder / "tensorboard"), purge_step=first_step + 1)
        self._progress = Progress(name, total=steps, unit="step", initial=first_step)

    def entry(self, **values: Any) -> None:
        """Write one entry; see docs/design.md for the keys."""
        tag = f"{values['split']}/{values['language']}" if "language" in values else values["split"]
        with disk_errors_named(self.path):
            self._stream.write(orjson.dumps(values) + b"\n")
            self._stream.flush()
            for key, value in values.items():
                if isinstance(value, int | float) and key != "step":
                    self._events.add_scalar(f"{tag}/{key}", value, values["step"])

    def step_done(self, loss: float) -> None:
        """Move the progress bar on."""
        self._progress.update(1, f"loss {loss:.3f}")

    def __enter__(self) -> Journal:
        self._progress.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.__exit__(kind, error, trace)
        self._stream.close()
        self._events.close()


def _lines_until(path: Path, step: int) -> list[str]:
    """Lines of an earlier run up to ``step``; a line cut off by a kill is dropped."""
    if step == 0 or not path.exists():
        return []
    kept = []
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            entry = orjson.loads(line)
        except orjson.JSONDecodeError:
            break
        if entry["step"] <= step:
            kept.append(line.decode())
    return kept
