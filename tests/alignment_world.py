"""Files of the corpus steps written by hand, and small tokenizers, for tests of what uses them."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mluke_core.alignment.build_vocabulary import SCHEMA as VOCABULARY
from mluke_core.alignment.count_entities import SCHEMA as ENTITIES
from mluke_core.alignment.sitelinks import SCHEMA as SITELINKS
from mluke_core.io.sources import Source

DATA = Path(__file__).parent / "data" / "alignment"
TEXT = DATA / "text.txt"

LINK = pa.struct([("start", pa.int32()), ("end", pa.int32()), ("target", pa.string())])
PARAGRAPH = pa.struct([("text", pa.string()), ("links", pa.list_(LINK))])
PAGES = pa.schema(
    [("page_id", pa.int64()), ("title", pa.string()), ("paragraphs", pa.list_(PARAGRAPH))]
)
REDIRECTS = pa.schema([("source", pa.string()), ("target", pa.string()), ("fragment", pa.string())])

_MARK = re.compile(r"\[\[([^\]|]*)(?:\|([^\]]*))?\]\]")


def paragraph(marked: str) -> dict[str, Any]:
    """``"In [[Tokyo|the capital]]."`` as a paragraph with its text and links."""
    text, links, position = "", [], 0
    for match in _MARK.finditer(marked):
        text += marked[position : match.start()]
        anchor = match[2] if match[2] is not None else match[1]
        links.append({"start": len(text), "end": len(text) + len(anchor), "target": match[1]})
        text += anchor
        position = match.end()
    return {"text": text + marked[position:], "links": links}


def write_pages(path: Path, articles: Mapping[str, Sequence[str]], first_id: int = 1) -> Path:
    """Titles to marked paragraphs as a page file; ids count up from ``first_id``."""
    rows = [
        {"page_id": first_id + i, "title": title, "paragraphs": list(map(paragraph, paragraphs))}
        for i, (title, paragraphs) in enumerate(articles.items())
    ]
    return write_rows(path, rows, PAGES)


def write_redirects(path: Path, redirects: Mapping[str, str]) -> Path:
    rows = [{"source": s, "target": t, "fragment": None} for s, t in sorted(redirects.items())]
    return write_rows(path, rows, REDIRECTS)


def write_sitelinks(path: Path, titles: Mapping[str, int]) -> Path:
    rows = [{"qid": qid, "title": title} for title, qid in sorted(titles.items())]
    return write_rows(path, rows, SITELINKS)


def write_entities(path: Path, rows: Sequence[tuple[str, int | None, int]]) -> Path:
    """(title, item, links) as the table of linked articles of a language."""
    return write_rows(path, [{"title": t, "qid": q, "links": n} for t, q, n in rows], ENTITIES)


def write_vocabulary(path: Path, titles: Sequence[Mapping[str, str]]) -> Path:
    """Entities from id 3 on, each as language to title, behind the special ones."""
    special = [{"": name} for name in ("[PAD]", "[UNK]", "[MASK]")]
    rows = [
        {
            "entity_id": i,
            "qid": i if i > 2 else None,
            "count": 1,
            "languages": len(entry),
            "titles": [{"language": k, "title": v} for k, v in entry.items()],
        }
        for i, entry in enumerate([*special, *titles])
    ]
    return write_rows(path, rows, VOCABULARY)


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows), schema), path, compression="zstd")
    return path


def read_rows(path: Path) -> list[dict[str, Any]]:
    return pq.read_table(path).to_pylist()


def write_source(path: Path, name: str, files: Sequence[Path]) -> Source:
    """A source manifest that lists these files."""
    entries = {
        file.name: {"path": str(file), "bytes": 0, "sha256": "", "url": ""} for file in files
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({"source": name, "version": "1", "licence": "", "files": entries}), "utf-8"
    )
    return Source(path)


def train_sentencepiece(path: Path, pieces: int = 700) -> Path:
    """A small unigram model in the XLM-R layout, trained on the text of the test data."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT.read_text("utf-8").splitlines()),
        model_writer=model,
        vocab_size=pieces,
        hard_vocab_limit=False,
        character_coverage=1.0,
        num_threads=1,
        minloglevel=2,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.getvalue())
    return path
