"""Bring the reports of extraction, alignment and packing together, language by language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mluke_core.errors import DataError
from mluke_core.io.files import read_json
from mluke_core.reporting.scores import require_keys

CHARACTER_WORDS = "characters"
"""What an extraction report says of a script without spaces between words."""


def corpus_statistics(
    languages: Sequence[str],
    extract: Sequence[Path],
    redirects: Sequence[Path],
    entities: Sequence[Path],
    vocabulary_report: Path,
    manifest: Path,
) -> dict[str, Any]:
    """Statistics of every language, all of the same names, and of the vocabulary.

    Args:
        languages: in the order of the rows.
        extract: reports of `extract`, one per part.
        redirects: reports of `resolve_redirects`, one per language.
        entities: reports of `count_entities`, one per language.
        vocabulary_report: report of `build_vocabulary`.
        manifest: ``sequences/manifest.json``.

    Raises:
        DataError: a report is damaged, or there is none of a language.
    """
    extracted = _by_language(extract, ["language", "counts", "links"], "a report of `extract`")
    resolved = _by_language(redirects, ["language", "kept"], "a report of `resolve_redirects`")
    counted = _by_language(
        entities, ["language", "links_with_item", "entities"], "a report of `count_entities`"
    )
    vocabulary = read_json(vocabulary_report)
    keys = ["size", "entities", "languages", "minimum_languages", "size_by_minimum_languages"]
    require_keys(vocabulary_report, vocabulary, keys, "a report of `build_vocabulary`")
    sequences = read_json(manifest)
    require_keys(manifest, sequences, ["languages", "alpha"], "a sequence manifest")
    for reports, step in (
        (extracted, "extract"),
        (resolved, "resolve_redirects"),
        (counted, "count_entities"),
    ):
        missing = [language for language in languages if language not in reports]
        if missing:
            raise DataError(f"no report of the step `{step}` for {', '.join(missing)} was given.")
    return {
        "languages": {
            language: _statistics(
                extracted[language],
                resolved[language],
                counted[language],
                vocabulary["languages"].get(language, {}),
                sequences["languages"].get(language, {}),
            )
            for language in languages
        },
        "dropped_links": {
            language: _sum(report["links"].get("dropped", {}) for report in extracted[language])
            for language in languages
        },
        "vocabulary": {key: vocabulary[key] for key in keys if key != "languages"},
        "alpha": sequences["alpha"],
        "notes": _notes(languages, extracted),
    }


def _statistics(
    parts: Sequence[Mapping[str, Any]],
    redirects: Sequence[Mapping[str, Any]],
    entities: Sequence[Mapping[str, Any]],
    vocabulary: Mapping[str, Any],
    sequences: Mapping[str, Any],
) -> dict[str, float]:
    counts = _sum(part["counts"] for part in parts)
    return {
        "articles": counts.get("articles", 0),
        "redirects": sum(report["kept"] for report in redirects),
        "broken_pages": counts.get("broken_pages", 0),
        "words": counts.get("words", 0),
        "links": sum(part["links"]["kept"] for part in parts),
        "links_with_item": sum(report["links_with_item"] for report in entities),
        "linked_titles": sum(report["entities"] for report in entities),
        "links_in_vocabulary": vocabulary.get("links_in_vocabulary", 0),
        "sequences": sequences.get("sequences", 0),
        "validation_sequences": sequences.get("validation_sequences", 0),
        "tokens": sequences.get("tokens", 0),
        "entities": sequences.get("entities", 0),
        "share": sequences.get("share", 0.0),
        "weight": sequences.get("weight", 0.0),
    }


def _by_language(
    paths: Iterable[Path], keys: Sequence[str], what: str
) -> dict[str, list[dict[str, Any]]]:
    reports: dict[str, list[dict[str, Any]]] = {}
    for path in paths:
        report = read_json(path)
        require_keys(path, report, keys, what)
        reports.setdefault(report["language"], []).append(report)
    return reports


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for entry in counts:
        for name, number in entry.items():
            total[name] = total.get(name, 0) + number
    return total


def _notes(
    languages: Sequence[str], extracted: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[str]:
    spaceless = [
        language
        for language in languages
        if any(part.get("word_unit") == CHARACTER_WORDS for part in extracted[language])
    ]
    notes = [
        "links: in the text of articles, as extracted; links with item: those whose target is "
        "known to Wikidata after redirects; entities: mentions of vocabulary entries in the "
        "sequences.",
    ]
    if spaceless:
        notes.append(f"words of {', '.join(spaceless)} are counted as characters.")
    return notes
