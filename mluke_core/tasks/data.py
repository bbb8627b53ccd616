"""Examples of a file and what its reader found; nothing here imports torch."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

ExampleT = TypeVar("ExampleT")

# How many records a report names for each kind of trouble; the count is always whole.
NAMED_RECORDS = 5


@dataclass
class ReadReport:
    """What a reader found: figures of the file, and records in trouble, counted and named."""

    facts: dict[str, Any] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    names: dict[str, list[str]] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    """Lists for later steps, too long for ``result.json``."""

    def count(self, trouble: str, record: str) -> None:
        """Count ``record`` under ``trouble``; the first few are named."""
        self.counts[trouble] += 1
        names = self.names.setdefault(trouble, [])
        if len(names) < NAMED_RECORDS:
            names.append(record)

    def lines(self) -> list[str]:
        """One line for each trouble, for the log and the notes of the scores."""
        lines = []
        for trouble, count in self.counts.items():
            names = ", ".join(self.names[trouble])
            more = ", …" if count > len(self.names[trouble]) else ""
            lines.append(f"{trouble}: {count} ({names}{more})")
        return lines

    def as_json(self) -> dict[str, Any]:
        """For ``result.json``."""
        return {**self.facts, "troubles": dict(self.counts), "named": self.names}


@dataclass
class Dataset(Generic[ExampleT]):
    """The examples of one file.

    Attributes:
        examples: in the order of the file.
        path: the file.
        context_language, question_language: languages of the text (they differ for G-XLT).
        title_language: language of the article titles that questions carry.
    """

    examples: list[ExampleT]
    report: ReadReport
    path: Path
    context_language: str = "en"
    question_language: str = "en"
    title_language: str = "en"
