"""The whole miniature world, laid out as the public servers are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mluke_core.errors import ConfigError
from mluke_core.io.cli import required_settings
from mluke_core.io.files import atomic_path, file_digest, write_text
from mluke_core.io.progress import Progress
from mluke_core.miniature.dumps import write_dump
from mluke_core.miniature.encyclopaedia import (
    DISAMBIGUATIONS,
    Encyclopaedia,
    Page,
    articles_by_language,
)
from mluke_core.miniature.facts import FIRST_INVENTED_QID, LANGUAGES, World, load_world
from mluke_core.miniature.gold import articles, write_gold
from mluke_core.miniature.tables import labels, namespaces
from mluke_core.miniature.tokenizer_files import write_tokenizer
from mluke_core.miniature.wikidata import Item, entity_items, write_wikidata

SPLIT_LANGUAGE = "en"
"""The dump of this language comes in two files, as those of large wikis do."""

_TOKENIZER_FOLDER = "huggingface.co/FacebookAI/xlm-roberta-base/resolve/main"
_SETTINGS = ("seed", "languages", "dump_date", "wikidata_date")
# Items of disambiguation pages and of a category, above those of the entities.
_FIRST_EXTRA_QID = FIRST_INVENTED_QID + 1_000_000


def make_miniature(output: Path, gold: Path, settings: dict[str, Any]) -> None:
    """Write the mirror and the gold; each stands under its name only when it is whole.

    Args:
        output: folder of the mirror, ``<output>/<host>/<path>``; its ``SHA256SUMS`` lists every
            file and is written last.
        gold: folder of what the rules must find, see :mod:`mluke_core.miniature.gold`.
        settings: ``seed``, ``languages``, ``dump_date`` and ``wikidata_date`` (``YYYYMMDD``).

    Raises:
        ConfigError: a setting is missing or wrong.
    """
    languages, seed = _check(settings)
    world = load_world()
    keys = articles_by_language(world, languages, seed)
    pages: dict[str, list[Page]] = {}
    with (
        Progress("miniature world", total=len(languages) + 4, unit="parts") as progress,
        atomic_path(output) as mirror,  # gets its name last: its checksums say that all is there
        atomic_path(gold) as gold_folder,
    ):
        server = mirror / "dumps.wikimedia.org"
        date = str(settings["dump_date"])
        for language in languages:
            pages[language] = Encyclopaedia(world, language, keys[language], seed).pages()
            parts = 2 if language == SPLIT_LANGUAGE else 1
            folder = server / f"{language}wiki" / date
            write_dump(folder, language, date, pages[language], parts)
            progress.update()
        items = entity_items(world, keys, extra_items(languages))
        write_wikidata(server / "wikidatawiki", date, str(settings["wikidata_date"]), items)
        write_gold(gold_folder, pages, items)
        progress.update()
        # Imported here: the data sets know the world, the world does not need them.
        from mluke_core.miniature.datasets import write_datasets

        write_datasets(world, mirror, seed, languages)
        progress.update()
        names = {name for e in world.entities.values() for name in e.names.values()}
        write_tokenizer(mirror / _TOKENIZER_FOLDER, _training_texts(world, pages, seed), names)
        progress.update()
        write_checksums(gold_folder)
        write_checksums(mirror)
        progress.update()


def extra_items(languages: Sequence[str]) -> list[Item]:
    """Wikidata items of the disambiguation pages, and one of a category (no article)."""
    items = []
    for number, label in enumerate(DISAMBIGUATIONS):
        names = {language: labels(language)[label] for language in languages}
        sitelinks = {f"{language}wiki": name for language, name in names.items()}
        items.append(Item(_FIRST_EXTRA_QID + number, names, sitelinks))
    names = {
        language: f"{namespaces(language)[14]}:{labels(language)['countries']}"
        for language in languages
    }
    sitelinks = {f"{language}wiki": name for language, name in names.items()}
    items.append(Item(_FIRST_EXTRA_QID + len(items), names, sitelinks))
    items.append(Item(_FIRST_EXTRA_QID + len(items), {"en": "without sitelinks"}, {}))
    return items


def write_checksums(mirror: Path) -> None:
    """Write ``SHA256SUMS`` over every file of ``mirror``, by path."""
    paths = sorted(path for path in mirror.rglob("*") if path.is_file())
    lines = [f"{file_digest(path)}  {path.relative_to(mirror).as_posix()}\n" for path in paths]
    write_text(mirror / "SHA256SUMS", "".join(lines))


def _training_texts(world: World, pages: Mapping[str, Sequence[Page]], seed: int) -> Iterator[str]:
    """Text of all articles, names, and text of the data sets."""
    from mluke_core.miniature.datasets import texts

    for language_pages in pages.values():
        for page in articles(language_pages):
            for paragraph in page.paragraphs:
                yield paragraph.text
    for entity in world.entities.values():
        yield from (entity.names[language] for language in pages)
    yield from texts(world, seed, list(pages))


def _check(settings: dict[str, Any]) -> tuple[list[str], int]:
    seed, wanted, *dates = required_settings(settings, *_SETTINGS)
    languages = list(wanted)
    unknown = [language for language in languages if language not in LANGUAGES]
    if unknown or not languages:
        raise ConfigError(
            f"make_miniature: no miniature Wikipedia in {', '.join(unknown) or 'no language'}. "
            f"Set run.languages of this scale to some of {', '.join(LANGUAGES)}."
        )
    for key, date in zip(_SETTINGS[2:], dates, strict=True):
        value = str(date)
        if not (value.isascii() and value.isdigit() and len(value) == 8):
            raise ConfigError(f"make_miniature: {key} is '{value}'; write it as YYYYMMDD.")
    return languages, int(seed)
