"""Do the columns of a translated collection ask the same questions? What differs is named.

XQuAD is a translation: every language has every question. MLQA has all questions in English and
each of them in some of the other languages, so that a language has no more than English, the file
of contexts in a and questions in b has what that of b and a has, and no pair of languages has a
question that the file of either language alone lacks.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from itertools import chain

from mluke_core.tasks.data import NAMED_RECORDS

ENGLISH = "en"
Ids = Mapping[str, Set[str]]
"""Column -> ids of its questions."""


def language_notes(ids: Ids, complete: bool) -> list[str]:
    """What each language has beyond English, and if all are ``complete`` what it lacks.

    >>> language_notes({"en": {"a", "b"}, "de": {"b", "c"}}, complete=True)
    ["de: 1 ids that 'en' lacks (c)", "en: 1 ids that 'de' lacks (a)"]
    """
    if ENGLISH not in ids:
        return []
    english = ids[ENGLISH]
    found = []
    for name, own in ids.items():
        found.append(_missing(name, own, ENGLISH, english))
        if complete:
            found.append(_missing(ENGLISH, english, name, own))
    return list(chain.from_iterable(found))


def pair_notes(ids: Ids, equal: Ids) -> list[str]:
    """Where ``a-b`` differs from ``b-a``, and what a pair has that the language alone lacks.

    Args:
        ids: of the pairs of different languages.
        equal: language -> ids of its questions about contexts in the same language.

    >>> pair_notes({"de-en": {"a"}, "en-de": {"a", "b"}}, {"de": {"a"}, "en": {"a", "b"}})
    ["en-de: 1 ids that 'de-en' lacks (b)", "pairs with de: 1 ids that 'de-de' lacks (b)"]
    """
    notes = []
    of_language: dict[str, set[str]] = {}
    for pair, own in ids.items():
        context, question = pair.split("-")
        mirrored = f"{question}-{context}"
        if mirrored in ids:
            notes += _missing(pair, own, mirrored, ids[mirrored])
        for language in (context, question):
            of_language.setdefault(language, set()).update(own)
    for language, own in of_language.items():
        if language in equal:
            same = f"{language}-{language}"
            notes += _missing(f"pairs with {language}", own, same, equal[language])
    return notes


def _missing(name: str, own: Set[str], other_name: str, other: Set[str]) -> list[str]:
    unknown = sorted(own - other)
    if not unknown:
        return []
    more = ", …" if len(unknown) > NAMED_RECORDS else ""
    named = ", ".join(unknown[:NAMED_RECORDS])
    return [f"{name}: {len(unknown)} ids that '{other_name}' lacks ({named}{more})"]
