"""The evaluation data sets of the miniature world, in the formats and encodings of the originals.

One module per data set, each with ``write`` (its files under ``<mirror>/<host>/<path>``) and
``texts`` (the same text in plain form). What they say comes from the facts of the world and from
the tables in ``data/``; everything follows from the seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mluke_core.miniature.datasets import conll, mlama, mlqa, relations, squad
from mluke_core.miniature.facts import LANGUAGES, World

_MODULES = (squad, mlqa, relations, conll, mlama)


def write_datasets(world: World, mirror: Path, seed: int, languages: list[str]) -> None:
    """Write SQuAD, XQuAD, MLQA, KBP-37, RELX, CoNLL-2002, CoNLL-2003 and mLAMA below ``mirror``.

    Args:
        world: the facts.
        mirror: folder laid out as ``<host>/<path>``, as the sources of the configuration fetch it.
        seed: the same seed gives the same bytes.
        languages: of the languages of each data set, those in this list are written; English
            training data always is.
    """
    for module in _MODULES:
        module.write(world, mirror, seed, languages)


def texts(world: World, seed: int, languages: list[str] | None = None) -> Iterator[str]:
    """All text of the data sets, for a tokenizer that knows their words."""
    for module in _MODULES:
        yield from module.texts(world, seed, list(LANGUAGES) if languages is None else languages)
