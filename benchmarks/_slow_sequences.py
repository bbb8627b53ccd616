"""The original path from text to sequences, for comparison: run by the peer's interpreter.

A slow tokenizer of `transformers` 4 is called for every piece of every sentence, as in the
published pretraining code; sentences, limits and packing follow docs/protocol.md. Titles are looked
up in a dictionary, which is quicker than the trie on disk that the original has.

    python _slow_sequences.py JOBS.json sentencepiece.bpe.model

JOBS.json lists {"language", "pages", "vocabulary": {title: id}, "output"}; for each of them a line
of JSON with CPU seconds and counts is printed.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import icu
import pyarrow as pa
import pyarrow.parquet as pq
from transformers import XLMRobertaTokenizer

ABBREVIATIONS = {"en", "de", "es", "it", "pt"}
# An ideograph that no piece of the vocabulary starts with; what follows it gets no word start.
GLUE = "龘"
MAXIMUM_TOKENS, MINIMUM_SENTENCE, MAXIMUM_MENTIONS, MAXIMUM_POSITIONS = 510, 5, 128, 30


class SlowPath:
    def __init__(self, tokenizer: XLMRobertaTokenizer, job: dict[str, Any]) -> None:
        self.tokenizer = tokenizer
        self.vocabulary = job["vocabulary"]
        language = job["language"]
        locale = language + ("@ss=standard" if language in ABBREVIATIONS else "")
        self.iterator = icu.BreakIterator.createSentenceInstance(icu.Locale(locale))

    def encode(self, text: str, before: str) -> list[int]:
        text_starts_word = not before or before.isspace() or text[:1].isspace()
        if text_starts_word:
            tokens = self.tokenizer.tokenize(text)
        else:
            tokens = self.tokenizer.tokenize(GLUE + text)
            tokens = tokens[tokens.index(GLUE) + 1 :] if GLUE in tokens else tokens
        ids: Any = self.tokenizer.convert_tokens_to_ids(tokens)
        return ids

    def sentences(self, text: str, links: list[dict[str, Any]]) -> list[tuple[list[int], list]]:
        plain = "".join(c if c <= "\uffff" else "\ufffd" for c in text)
        self.iterator.setText(plain)
        found = []
        start = 0
        for end in self.iterator:
            words: list[int] = []
            mentions = []
            position = start
            for link in links:
                if not (position <= link["start"] < end and link["end"] <= end):
                    continue
                words += self.encode(text[position : link["start"]], text[position - 1 : position])
                piece = text[link["start"] : link["end"]]
                ids = self.encode(piece, text[link["start"] - 1 : link["start"]])
                entity = self.vocabulary.get(link["target"])
                if entity is not None and ids:
                    last = len(words) + min(len(ids), MAXIMUM_POSITIONS)
                    mentions.append((entity, len(words), last))
                words += ids
                position = link["end"]
            words += self.encode(text[position:end], text[position - 1 : position])
            found.append((words, mentions))
            start = end
        return found

    def page(self, paragraphs: list[dict[str, Any]]) -> list[tuple[list[int], list]]:
        packed: list[tuple[list[int], list]] = [([], [])]
        for paragraph in paragraphs:
            for words, mentions in self.sentences(paragraph["text"], paragraph["links"]):
                if not MINIMUM_SENTENCE <= len(words) <= MAXIMUM_TOKENS:
                    continue
                if len(packed[-1][0]) + len(words) > MAXIMUM_TOKENS:
                    packed.append(([], []))
                offset = len(packed[-1][0])
                packed[-1][0].extend(words)
                packed[-1][1].extend((e, a + offset, b + offset) for e, a, b in mentions)
        return [(words, mentions[:MAXIMUM_MENTIONS]) for words, mentions in packed if mentions]


def run(job: dict[str, Any], tokenizer: XLMRobertaTokenizer) -> dict[str, Any]:
    path = SlowPath(tokenizer, job)
    started = time.process_time()
    rows = []
    with pq.ParquetFile(job["pages"]) as file:
        for batch in file.iter_batches(64):
            for page in batch.to_pylist():
                rows += path.page(page["paragraphs"])
    columns = {
        "input_ids": [words for words, _ in rows],
        "entity_ids": [[mention[0] for mention in mentions] for _, mentions in rows],
        "starts": [[mention[1] for mention in mentions] for _, mentions in rows],
        "ends": [[mention[2] for mention in mentions] for _, mentions in rows],
    }
    pq.write_table(pa.table(columns), job["output"], compression="zstd")
    return {
        "cpu_s": time.process_time() - started,
        "sequences": len(rows),
        "tokens": sum(len(words) for words, _ in rows),
        "entities": sum(len(mentions) for _, mentions in rows),
    }


if __name__ == "__main__":
    slow = XLMRobertaTokenizer(sys.argv[2])
    slow.tokenize("Hello world!")
    for entry in json.loads(Path(sys.argv[1]).read_text("utf-8")):
        print(json.dumps(run(entry, slow)), flush=True)
