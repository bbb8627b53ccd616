"""Find the entity that a name of mLAMA means: by exact title, then by the case of its first letter.

Wikipedia's titles begin with a capital; mLAMA's candidates are labels of Wikidata, of which one in
five begins with a small letter (``guitar``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mluke_core.errors import DataError

# Languages whose capital of "i" has a dot.
DOTTED_I_LANGUAGES = frozenset({"az", "tr"})


def capitalised(name: str, language: str) -> str:
    """``name`` with its first letter as a title of that language's Wikipedia has it.

    A letter without a capital of one character (``ß``) stays as it is.

    >>> capitalised("guitar", "en"), capitalised("istanbul", "tr"), capitalised("ßa", "de")
    ('Guitar', 'İstanbul', 'ßa')
    """
    if not name:
        return name
    if name[0] == "i" and language in DOTTED_I_LANGUAGES:
        return "İ" + name[1:]
    first = name[0].upper()
    return first + name[1:] if len(first) == 1 else name


@dataclass
class TitleMatcher:
    """Names to entity ids of one language, counting what was found how."""

    id_of: Callable[[str], int | None]
    """Entity id of an exact title, or None."""
    language: str
    counts: dict[str, int] = field(
        default_factory=lambda: {"exact": 0, "first_letter": 0, "not_found": 0}
    )
    """Names matched so far, by how."""

    def match(self, name: str) -> int | None:
        """Entity id of ``name``, or None; counted in :attr:`counts`."""
        found = self.id_of(name)
        how = "exact"
        if found is None:
            other = capitalised(name, self.language)
            found = self.id_of(other) if other != name else None
            how = "first_letter" if found is not None else "not_found"
        self.counts[how] += 1
        return found

    def match_all(self, names: Iterable[str]) -> list[int | None]:
        """:meth:`match` of every name."""
        return [self.match(name) for name in names]


def reference_titles(
    path: str | Path, wanted: Mapping[str, Iterable[str]]
) -> dict[str, dict[str, int]]:
    """Ids of the wanted titles in ``entities/vocabulary.parquet``, per language.

    The file is read by row groups and filtered before anything becomes a Python object: the whole
    vocabulary has some ten million titles, a probe asks for some thousand.

    Args:
        path: the vocabulary.
        wanted: per language the names to look for; their capitalised forms are looked for too.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from mluke_core.io.parquet import batches

    try:
        vocabulary = pq.ParquetFile(path)
    except (FileNotFoundError, pa.ArrowInvalid) as error:
        raise DataError(f"{path}: not a readable entity vocabulary ({error}).") from None
    if not {"entity_id", "titles"} <= set(vocabulary.schema_arrow.names):
        raise DataError(f"{path}: no columns 'entity_id' and 'titles': not an entity vocabulary.")
    names = {
        language: pa.array(
            sorted({form for n in forms for form in (n, capitalised(n, language))}), pa.string()
        )
        for language, forms in wanted.items()
    }
    found: dict[str, dict[str, int]] = {language: {} for language in names}
    for batch in batches(vocabulary, 65536, ["entity_id", "titles"]):
        titles = batch.column("titles")
        parents = pc.list_parent_indices(titles)
        flat = pc.list_flatten(titles)
        languages = pc.struct_field(flat, "language")
        texts = pc.struct_field(flat, "title")
        for language, forms in names.items():
            keep = pc.and_(pc.equal(languages, language), pc.is_in(texts, value_set=forms))
            rows = parents.filter(keep)
            ids = batch.column("entity_id").take(rows)
            found[language].update(
                zip(texts.filter(keep).to_pylist(), ids.to_pylist(), strict=True)
            )
    return found
