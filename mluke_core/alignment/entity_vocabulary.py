"""The entity vocabulary: names such as ``en:Japan`` to ids.

The file ``entity_vocab.json`` is the Hub's: one object, ``{"[PAD]": 0, ..., "en:Japan": 7,
"ja:日本": 7}``. Released models order the special entities differently, so they are looked up by
name, never by position.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from mluke_core.errors import DataError
from mluke_core.io.files import file_digest, read_json

PAD, UNK, MASK, MASK2 = "[PAD]", "[UNK]", "[MASK]", "[MASK2]"
SPECIAL_ENTITIES = (PAD, UNK, MASK)


class EntityVocabulary:
    """Titles per language to entity ids, and back.

    Attributes:
        size: number of entity ids (rows of the embedding table), special ones included.
        pad_id, unk_id, mask_id: special entities.
        mask2_id: the second mask, which exported models have; None in a vocabulary as built.
    """

    def __init__(self, ids: Mapping[str, int], name: str = "entity vocabulary") -> None:
        """``ids``: names such as ``en:Japan`` to ids; ``name`` stands in error messages."""
        self.name = name
        missing = [special for special in (PAD, UNK, MASK) if special not in ids]
        if missing:
            raise DataError(
                f"{name}: no {', '.join(missing)} in it. An entity vocabulary is a JSON object "
                '{"[PAD]": 0, "[UNK]": 1, "[MASK]": 2, "en:Japan": 3, ...}.'
            )
        self.pad_id = ids[PAD]
        self.unk_id = ids[UNK]
        self.mask_id = ids[MASK]
        self.mask2_id: int | None = ids.get(MASK2)
        self._ids = ids
        self.size = max(ids.values()) + 1
        self.digest = ""

    @classmethod
    def from_json(cls, path: str | Path) -> EntityVocabulary:
        """Read ``entity_vocab.json``; :class:`DataError` when it is not one."""
        ids = read_json(path)
        if not isinstance(ids, dict) or not all(
            isinstance(value, int) and value >= 0 for value in ids.values()
        ):
            raise DataError(f'{path}: not an entity vocabulary {{"[PAD]": 0, "en:Japan": 3, ...}}.')
        vocabulary = cls(ids, str(path))
        vocabulary.digest = file_digest(path)
        return vocabulary

    def id_of(self, title: str, language: str) -> int | None:
        """Id of the entity with this article title in this language, or None."""
        return self._ids.get(f"{language}:{title}")

    def titles_of(self, entity_id: int) -> dict[str, str]:
        """Language to title of one entity; empty for special entities and unknown ids."""
        return self._titles.get(entity_id, {})

    def titles_in(self, language: str) -> dict[str, int]:
        """All titles of one language with their ids."""
        prefix = f"{language}:"
        return {
            name[len(prefix) :]: entity_id
            for name, entity_id in self._ids.items()
            if name.startswith(prefix)
        }

    def languages(self) -> list[str]:
        """The languages that have a title, sorted."""
        return sorted({language for titles in self._titles.values() for language in titles})

    @cached_property
    def _titles(self) -> dict[int, dict[str, str]]:
        titles: dict[int, dict[str, str]] = {}
        for name, entity_id in self._ids.items():
            if name in (PAD, UNK, MASK, MASK2):
                continue
            language, separator, title = name.partition(":")
            if separator:
                titles.setdefault(entity_id, {})[language] = title
        return titles

    def __len__(self) -> int:
        return self.size

    def __contains__(self, name: str) -> bool:
        return name in self._ids
