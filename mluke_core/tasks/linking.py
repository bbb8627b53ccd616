"""Find the entities that a text mentions, as inputs of question answering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Mention:
    """Characters ``start`` to ``end`` (exclusive) of a text name the entity."""

    start: int
    end: int
    entity_id: int


class Linker(Protocol):
    """Finds mentions of entities that the backbone has an embedding for."""

    def find(self, text: str, language: str, title: str, title_language: str) -> list[Mention]:
        """Mentions in ``text``, in order and without overlap.

        Args:
            text: a question or a context.
            language: its language.
            title: title of the article that the context was taken from; may be empty.
            title_language: language of the title.
        """
        ...
