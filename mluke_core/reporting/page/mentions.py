"""Mentions that question answering with entity inputs was given, as marks of an example's text."""

from __future__ import annotations

from collections.abc import Callable

from mluke_core.alignment.entity_vocabulary import EntityVocabulary
from mluke_core.reporting.page.segments import Mark
from mluke_core.reporting.run_folder import RunFolder
from mluke_core.tasks.linking import MentionLinker
from mluke_core.tasks.settings import ENTITY_VOCABULARY_FILE

KIND = "entity"
FindMentions = Callable[[str, str, str, str], list[Mark]]
"""From a text, its language, its article's title and that title's language to marks."""


def no_mentions(text: str, language: str, title: str, title_language: str) -> list[Mark]:
    """For systems that read words alone."""
    return []


def mention_marks(run: RunFolder, system: str) -> FindMentions:
    """What finds the mentions that a system's question answering was given.

    It finds nothing for word inputs, and where the run does not keep the mention tables or the
    model's entity vocabulary. A mark's label is the entity's title where the text differs from it.
    """
    entry = run.systems[system]
    vocabulary = run.file("pretrained", entry["model"], ENTITY_VOCABULARY_FILE)
    articles = run.file("mentions", "articles.parquet")
    if entry["inputs"] != "entity" or vocabulary is None or articles is None:
        return no_mentions
    entities = EntityVocabulary.from_json(vocabulary)
    linker = MentionLinker(
        run.config["tasks"]["qa"]["options"]["mentions"],
        run.config["mentions"],
        entities,
        articles,
        {path.stem: path for path in articles.parent.glob("*.parquet") if path != articles},
    )

    def find(text: str, language: str, title: str, title_language: str) -> list[Mark]:
        marks = []
        for found in linker.find(text, language, title, title_language):
            name = entities.titles_of(found.entity_id)[language]
            same = name.casefold() == text[found.start : found.end].casefold()
            marks.append(Mark(found.start, found.end, KIND, "" if same else name))
        return marks

    return find
