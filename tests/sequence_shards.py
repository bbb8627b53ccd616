"""Sequences without meaning in the files of `build_sequences`, for tests of the later steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mluke_core.io.files import write_json
from mluke_core.io.parquet import stage_metadata
from mluke_core.sequences.packing import Sequence
from mluke_core.sequences.store import SequenceWriter

DIGESTS = {"tokenizer": "t" * 64, "entity_vocabulary": "v" * 64}

Row = tuple[int, bool, Sequence]
"""Page, whether it is held out, tokens and mentions."""


def rows_of(pages: int, seed: int = 0, first_page: int = 1, length: int = 20) -> list[Row]:
    """One to five sequences a page; every tenth page is held out."""
    generator = np.random.default_rng(seed)
    rows = []
    for page in range(first_page, first_page + pages):
        for _ in range(generator.integers(1, 6)):
            tokens = generator.integers(4, 600, size=generator.integers(5, length)).tolist()
            mentions = [(int(generator.integers(3, 9)), start, start + 2) for start in (0, 3)]
            rows.append((page, page % 10 == 0, Sequence(tokens, mentions)))
    return rows


def write_part(
    folder: Path, name: str, rows: list[Row], digests: dict[str, str] | None = None
) -> tuple[Path, Path]:
    """The files of one part, such as ``en/000``: its sequences and its report."""
    path = folder / "work" / f"{name}.parquet"
    metadata = stage_metadata("build_sequences", {}) | (digests or DIGESTS)
    with SequenceWriter(path, metadata, lambda raw: raw.astype(np.int32), 64) as writer:
        for row in rows:
            writer.append(*row)
    report = folder / "reports" / f"{name}.json"
    counts = {
        "sequences": len(rows),
        "validation_sequences": sum(held_out for _, held_out, _ in rows),
        "tokens": sum(len(sequence.tokens) for *_, sequence in rows),
        "entities": sum(len(sequence.mentions) for *_, sequence in rows),
        "pages": len({page for page, *_ in rows}),
        "links": 3 * len(rows),
    }
    write_json(report, counts)
    return path, report
