"""Write the files of the corpus steps by hand, for tests of what is built on them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

LINK = pa.struct([("start", pa.int32()), ("end", pa.int32()), ("target", pa.string())])
PARAGRAPH = pa.struct([("text", pa.string()), ("links", pa.list_(LINK))])
PAGES = pa.schema(
    [("page_id", pa.int64()), ("title", pa.string()), ("paragraphs", pa.list_(PARAGRAPH))]
)
REDIRECTS = pa.schema(
    [("source", pa.string()), ("target", pa.string()), ("fragment", pa.string())]
)
SITELINKS = pa.schema([("qid", pa.int64()), ("title", pa.string())])

_MARK = re.compile(r"\[\[([^\]|]*)(?:\|([^\]]*))?\]\]")


def paragraph(marked: str) -> dict[str, object]:
    """``"In [[Tokyo|the capital]]."`` as a paragraph with its text and links."""
    text, links, position = "", [], 0
    for match in _MARK.finditer(marked):
        text += marked[position : match.start()]
        anchor = match[2] if match[2] is not None else match[1]
        links.append({"start": len(text), "end": len(text) + len(anchor), "target": match[1]})
        text += anchor
        position = match.end()
    return {"text": text + marked[position:], "links": links}


def write_pages(
    path: Path, articles: Mapping[str, Sequence[str]], first_id: int = 1
) -> Path:
    """Titles to marked paragraphs as a page file; ids count up from ``first_id``."""
    rows = [
        {
            "page_id": first_id + i,
            "title": title,
            "paragraphs": [paragraph(text) for text in paragraphs],
        }
        for i, (title, paragraphs) in enumerate(articles.items())
    ]
    return _write(path, rows, PAGES)


def write_redirects(path: Path, redirects: Mapping[str, str]) -> Path:
    rows = [{"source": s, "target": t, "fragment": None} for s, t in sorted(redirects.items())]
    return _write(path, rows, REDIRECTS)


def write_sitelinks(path: Path, titles: Mapping[str, int]) -> Path:
    rows = [{"qid": qid, "title": title} for title, qid in sorted(titles.items())]
    return _write(path, rows, SITELINKS)


def _write(path: Path, rows: list[dict[str, object]], schema: pa.Schema) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema), path, compression="zstd")
    return path
