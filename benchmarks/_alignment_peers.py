"""What others do with the inputs of the alignment benchmark; run in an environment of its own.

    python _alignment_peers.py links FOLDER LINKS
    python _alignment_peers.py mentions FILE
    python _alignment_peers.py sql FILE

Each prints a JSON object with ``cpu_s`` and what was counted, without the time to build tables.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any


def links(folder: Path, limit: int) -> dict[str, Any]:
    """The original way: a trie of titles, a dictionary of redirects, a counter per item."""
    import marisa_trie
    import pyarrow.parquet as pq

    redirect_table = pq.read_table(folder / "redirects.parquet")
    redirects = dict(
        zip(redirect_table["source"].to_pylist(), redirect_table["target"].to_pylist(), strict=True)
    )
    sitelinks = pq.read_table(folder / "sitelinks.parquet")
    items = marisa_trie.RecordTrie(
        "<q",
        zip(
            sitelinks["title"].to_pylist(),
            ((qid,) for qid in sitelinks["qid"].to_pylist()),
            strict=True,
        ),
    )
    files = sorted(folder.glob("pages-*.parquet"))
    titles = marisa_trie.Trie(
        title for file in files for title in pq.read_table(file, columns=["title"])[0].to_pylist()
    )
    counts: Counter[str] = Counter()
    by_item: Counter[int] = Counter()
    seen = 0
    column = "paragraphs.list.element.links.list.element.target"
    started = time.process_time()
    for file in files:
        for batch in pq.ParquetFile(file).iter_batches(4096, columns=[column]):
            targets = batch.column(0).flatten().field("links").flatten().field("target")
            for target in targets.to_pylist():
                end = redirects.get(target, target)
                if end in titles:
                    counts[end] += 1
            seen += len(targets)
            if seen >= limit:
                break
        if seen >= limit:
            break
    for title, number in counts.items():
        for (qid,) in items.get(title, ()):
            by_item[qid] += number
    return {
        "cpu_s": time.process_time() - started,
        "links": seen,
        "links_with_item": sum(by_item.values()),
    }


def mentions(path: Path) -> dict[str, Any]:
    """The original way: tokens of the text, every run of up to ten looked up in a trie."""
    import marisa_trie

    data = json.loads(path.read_text("utf-8"))
    trie = marisa_trie.Trie(data["mentions"])
    token = re.compile(r"\w+|[^\w\s]")
    counts: Counter[str] = Counter()
    size = 0
    started = time.process_time()
    for text in data["texts"]:
        folded = text.lower()
        spans = [match.span() for match in token.finditer(folded)]
        found = set()
        for place, (start, _) in enumerate(spans):
            for _, end in spans[place : place + 10]:
                run = folded[start:end]
                if run in trie:
                    found.add(run)
                elif not trie.has_keys_with_prefix(run):
                    break
        counts.update(found)
        size += len(text.encode())
    return {
        "cpu_s": time.process_time() - started,
        "bytes": size,
        "occurrences": sum(counts.values()),
    }


def sql(path: Path) -> dict[str, Any]:
    """Wikimedia's own reader of table dumps."""
    from mwsql import Dump

    started = time.process_time()
    rows = sum(1 for _ in Dump.from_file(path).rows())
    return {"cpu_s": time.process_time() - started, "rows": rows}


if __name__ == "__main__":
    kind, path, *rest = sys.argv[1:]
    if kind == "links":
        result = links(Path(path), int(rest[0]))
    else:
        result = {"mentions": mentions, "sql": sql}[kind](Path(path))
    print(json.dumps(result))
