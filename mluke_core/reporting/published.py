"""The numbers printed in the paper, cell by cell.

They stand in ``published.csv`` beside this module: block, row, column, value, note. A block is a
table of the paper or one of its parts (``3-RELX``), a row is a system as the paper calls it
(``mLUKE-E_base``), a column a language, ``avg`` or another heading.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mluke_core.errors import DataError

PUBLISHED_FILE = Path(__file__).with_name("published.csv")
FIELDS = ["block", "row", "column", "value", "note"]


@dataclass(frozen=True)
class PublishedValue:
    """One printed cell."""

    text: str
    """The value as it is printed: ``71.2``, ``355`` or ``The Bahamas``."""
    note: str = ""
    """What a reader has to know about the cell; empty for most."""

    @property
    def number(self) -> float | None:
        """The value as a number, None when a name is printed."""
        try:
            return float(self.text)
        except ValueError:
            return None

    @property
    def decimals(self) -> int:
        """Digits printed behind the point."""
        return len(self.text.partition(".")[2]) if self.number is not None else 0


class Published:
    """Published values by block, row and column, in the order of the file.

    >>> Published.load().get("3-RELX", "mLUKE-E_base", "tr").number
    68.7
    """

    def __init__(self, values: dict[tuple[str, str, str], PublishedValue]) -> None:
        self._values = values

    @classmethod
    def load(cls, path: str | Path = PUBLISHED_FILE) -> Published:
        """Read the project's file, or another one in the same layout.

        Raises:
            DataError: the file is missing, has other columns or states a cell twice.
        """
        return _load(Path(path))

    def get(self, block: str, row: str, column: str) -> PublishedValue | None:
        """The printed cell, or None when the paper has no such cell."""
        return self._values.get((block, row, column))

    def blocks(self) -> list[str]:
        """Names of all blocks."""
        return list(dict.fromkeys(block for block, _, _ in self._values))

    def rows(self, block: str) -> list[str]:
        """Rows of a block, as printed from top to bottom."""
        return list(dict.fromkeys(row for name, row, _ in self._values if name == block))

    def columns(self, block: str) -> list[str]:
        """Columns of a block, as printed from left to right."""
        return list(dict.fromkeys(column for name, _, column in self._values if name == block))

    def decimals(self, block: str) -> int | None:
        """The most digits behind the point that the block prints; None for an unknown block."""
        found = [value.decimals for (name, _, _), value in self._values.items() if name == block]
        return max(found, default=None)


@cache
def _load(path: Path) -> Published:
    try:
        stream = path.open(encoding="utf-8", newline="")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file of published numbers.") from None
    values: dict[tuple[str, str, str], PublishedValue] = {}
    with stream:
        reader = csv.DictReader(stream)
        if reader.fieldnames != FIELDS:
            raise DataError(
                f"{path}: the columns are {reader.fieldnames}, expected {', '.join(FIELDS)}."
            )
        for record in reader:
            key = record["block"], record["row"], record["column"]
            if key in values:
                raise DataError(
                    f"{path}, line {reader.line_num}: {' / '.join(key)} was stated before; "
                    "keep one of the two lines."
                )
            values[key] = PublishedValue(record["value"], record["note"] or "")
    return Published(values)
