"""A page that shows some training sequences of every language, to be looked at by people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import jinja2
import pyarrow.parquet as pq

from mluke_core.alignment.database import open_parquet, require_columns
from mluke_core.errors import DataError
from mluke_core.io.files import file_digest, read_json, write_text
from mluke_core.sequences.tokenizer import Tokenizer

TEMPLATES = Path(__file__).with_name("templates")
SEQUENCES_PER_LANGUAGE = 12


@dataclass(frozen=True)
class Piece:
    """A run of text of a sequence."""

    text: str
    entity: str | None = None
    """What the mention stands for; None for text that is no mention."""


@dataclass(frozen=True)
class Shown:
    """One sequence of the page."""

    page_id: int
    tokens: int
    unknown: int
    """Tokens for characters that the tokenizer does not know."""
    mentions: int
    held_out: bool
    pieces: list[Piece]


def preview_sequences(
    manifest_path: Path,
    vocabulary: Path,
    tokenizer: Tokenizer,
    names: Mapping[str, str],
    scale: str,
    output: Path,
) -> None:
    """Write one HTML page, which needs no network.

    Args:
        manifest_path: ``manifest.json``; its shards are read.
        vocabulary: ``vocabulary.parquet``.
        tokenizer: the tokenizer of the sequences.
        names: language -> name, in the order of the page.
        scale: scale of the run, for the heading.
        output: the page.

    Raises:
        DataError: when tokenizer or vocabulary are not those of the sequences.
    """
    manifest = read_json(manifest_path)
    require_columns(vocabulary, "entity_id", "qid", "titles")
    for what, digest in (
        ("tokenizer", tokenizer.digest),
        ("entity_vocabulary", file_digest(vocabulary)),
    ):
        if manifest[what]["digest"] != digest:
            raise DataError(
                f"{manifest_path}: its sequences were made with another {what.replace('_', ' ')} "
                f"(digest {manifest[what]['digest'][:12]}, given {digest[:12]})."
            )
    samples = {
        language: first_rows(manifest_path.parent, manifest["shards"], language)
        for language in names
    }
    ids = {entity for rows in samples.values() for row in rows for entity in row["entity_ids"]}
    titles = titles_of(vocabulary, ids)
    sections = [
        {
            "language": language,
            "name": name,
            "counts": manifest["languages"].get(language, {}),
            "sequences": [
                shown_sequence(row, tokenizer, titles, language) for row in samples[language]
            ],
        }
        for language, name in names.items()
    ]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (TEMPLATES / "preview.css").read_text(encoding="utf-8")
    page = environment.get_template("preview.html.j2").render(
        scale=scale, sections=sections, style=style
    )
    write_text(output, page)


def first_rows(
    folder: Path, shards: Sequence[Mapping[str, Any]], language: str
) -> list[dict[str, Any]]:
    """The first sequences of a language: any are as good, since shards are in random order."""
    rows: list[dict[str, Any]] = []
    for shard in shards:
        if shard["language"] == language and len(rows) < SEQUENCES_PER_LANGUAGE:
            with open_parquet(folder / shard["path"]) as file:
                wanted = SEQUENCES_PER_LANGUAGE - len(rows)
                batch = next(file.iter_batches(wanted), None)
                rows += batch.to_pylist() if batch is not None else []
    return rows


def titles_of(vocabulary: Path, ids: set[int]) -> dict[int, tuple[int | None, dict[str, str]]]:
    """Item and title in each language of some entities."""
    table = pq.read_table(
        vocabulary,
        columns=["entity_id", "qid", "titles"],
        filters=[("entity_id", "in", ids)] if ids else None,
    )
    return {
        row["entity_id"]: (
            row["qid"],
            {title["language"]: title["title"] for title in row["titles"]},
        )
        for row in table.to_pylist()
        if row["entity_id"] in ids
    }


def shown_sequence(
    row: Mapping[str, Any],
    tokenizer: Tokenizer,
    titles: Mapping[int, tuple[int | None, dict[str, str]]],
    language: str,
) -> Shown:
    """A row of a shard as text, cut at its mentions."""
    ids = row["input_ids"]
    entity_at = {
        (start, end): describe(titles.get(entity), language)
        for entity, start, end in zip(row["entity_ids"], row["starts"], row["ends"], strict=True)
    }
    cuts = sorted({0, len(ids), *(cut for span in entity_at for cut in span)})
    pieces: list[Piece] = []
    for span in pairwise(cuts):
        text = tokenizer.text_of(ids[slice(*span)])
        if not pieces:
            text = text.lstrip()
        entity = entity_at.get(span)
        if entity and text.startswith(" "):
            # The blank before a word is no part of the mention.
            pieces.append(Piece(" "))
            text = text[1:]
        pieces.append(Piece(text, entity))
    return Shown(
        page_id=row["page_id"],
        tokens=len(ids),
        unknown=ids.count(tokenizer.unk_id),
        mentions=len(row["entity_ids"]),
        held_out=row["validation"],
        pieces=pieces,
    )


def describe(entity: tuple[int | None, dict[str, str]] | None, language: str) -> str:
    """An entity in a line: its title in the language, in English, and its Wikidata item.

    >>> describe((1490, {"ja": "東京都", "en": "Tokyo"}), "ja")
    '東京都 · Tokyo · Q1490'
    """
    if entity is None:
        return "not in the vocabulary"
    qid, titles = entity
    names = [titles[name] for name in dict.fromkeys((language, "en")) if name in titles]
    return " · ".join([*dict.fromkeys(names), f"Q{qid}"])
