"""Reading the tables in ``data/``: tab-separated UTF-8 with a header, no quoting."""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources


def read_table(name: str) -> list[dict[str, str]]:
    """Rows of ``data/<name>.tsv`` by column name."""
    text = resources.files(__package__).joinpath(f"data/{name}.tsv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.split("\n"), delimiter="\t", quoting=csv.QUOTE_NONE))


@cache
def labels(language: str) -> dict[str, str]:
    """Fixed words of one language (headings, markup words) by key."""
    return {row["key"]: row[language] for row in read_table("labels")}


@cache
def namespaces(language: str) -> dict[int, str]:
    """Names of the namespaces of one language's Wikipedia by number."""
    return {int(row["key"]): row[language] for row in read_table("namespaces")}
