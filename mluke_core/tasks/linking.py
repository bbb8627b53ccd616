"""Find the entities that a text mentions, as inputs of question answering (paper, appendix C).

Mentions come from the hyperlinks of the article that the context was taken from, or from the
language's whole mention table. An entity is looked up by title and language in the model's own
vocabulary; one that is not there is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from mluke_core.alignment.detection import ArticleMentions, MentionDetector, article_name
from mluke_core.alignment.entity_vocabulary import EntityVocabulary
from mluke_core.errors import ConfigError
from mluke_core.tasks.mention_sources import ARTICLE, DICTIONARY, MODES, NOTHING


@dataclass(frozen=True, slots=True)
class Mention:
    """Characters ``start`` to ``end`` (exclusive) of a text name the entity."""

    start: int
    end: int
    entity_id: int


class Linker(Protocol):
    """Finds mentions of entities that the backbone has an embedding for."""

    used: Counter[str]
    """How many texts were searched with each kind of dictionary."""

    def find(self, text: str, language: str, title: str, title_language: str) -> list[Mention]:
        """Mentions in ``text``, in order and without overlap.

        Args:
            text: a question or a context.
            language: its language.
            title: title of the article that the context was taken from; may be empty.
            title_language: language of the title.
        """
        ...


class MentionLinker:
    """A linker over the mention tables of the run.

    Args:
        mode: ``article``: the article's mentions; ``dictionary``: the language's table;
            ``article+dictionary``: the table where the article has no mentions in the language.
        settings: the configuration's ``mentions`` section.
        vocabulary: entity ids of the model.
        articles: ``mentions/articles.parquet``; None without it.
        by_language: ``mentions/{lang}.parquet``.

    Raises:
        ConfigError: an unknown mode, or one whose files were not given.
    """

    def __init__(
        self,
        mode: str,
        settings: Mapping[str, Any],
        vocabulary: EntityVocabulary,
        articles: Path | None,
        by_language: Mapping[str, Path],
    ) -> None:
        if mode not in MODES:
            raise ConfigError(
                f"tasks.qa.options.mentions is {mode!r}; write one of {', '.join(MODES)}."
            )
        if mode != DICTIONARY and articles is None:
            raise ConfigError(f"mentions: {mode} needs --article-mentions.")
        if mode == DICTIONARY and not by_language:
            raise ConfigError(f"mentions: {mode} needs --mentions LANGUAGE=PATH.")
        self.used: Counter[str] = Counter()
        self._mode = mode
        self._settings = settings
        self._vocabulary = vocabulary
        self._articles_path = articles
        self._by_language = by_language
        self._dictionaries: dict[str, MentionDetector | None] = {}
        self._of_article: dict[tuple[str, str, str], MentionDetector] = {}

    def find(self, text: str, language: str, title: str, title_language: str) -> list[Mention]:
        """See :class:`Linker`."""
        detector = self._detector(language, title, title_language)
        if detector is None:
            return []
        mentions = []
        for found in detector.detect(text):
            entity_id = self._vocabulary.id_of(found.title, language)
            if entity_id is not None:
                mentions.append(Mention(found.start, found.end, entity_id))
        return mentions

    def _detector(self, language: str, title: str, title_language: str) -> MentionDetector | None:
        if self._mode != DICTIONARY:
            key = (title_language, article_name(title), language)
            if key in self._of_article or key in self._articles:
                self.used[ARTICLE] += 1
                if key not in self._of_article:
                    self._of_article[key] = self._articles.detector(title, title_language, language)
                return self._of_article[key]
        detector = self._dictionary(language) if self._mode != ARTICLE else None
        self.used[DICTIONARY if detector is not None else NOTHING] += 1
        return detector

    def _dictionary(self, language: str) -> MentionDetector | None:
        """The detector of a language's whole table; None when the run has no such table."""
        if language not in self._dictionaries:
            path = self._by_language.get(language)
            self._dictionaries[language] = (
                MentionDetector.from_table(
                    path,
                    float(self._settings.get("minimum_link_probability", 0.01)),
                    float(self._settings.get("minimum_commonness", 0.5)),
                    int(self._settings.get("maximum_mention_tokens", 10)),
                    language,
                )
                if path is not None
                else None
            )
        return self._dictionaries[language]

    @cached_property
    def _articles(self) -> ArticleMentions:
        assert self._articles_path is not None  # checked when the linker was made
        return ArticleMentions(self._articles_path)
