"""The rules of packing once more, from docs/protocol.md and not from the code: slow and plain."""

from __future__ import annotations

from collections.abc import Sequence

import icu

from mluke_core.sequences.tokenizer import Tokenizer

Link = tuple[int, int, int | None]
"""First character, end, entity id; None when the link leads to no entity of the vocabulary."""
Packed = tuple[list[int], list[tuple[int, int, int]]]
"""Word ids, and (entity id, first token, end token) of each mention."""

ABBREVIATIONS = {"en", "de", "es", "it", "pt"}


def sentences_of(text: str, language: str) -> list[tuple[int, int]]:
    """First character and end of each sentence."""
    locale = language + ("@ss=standard" if language in ABBREVIATIONS else "")
    iterator = icu.BreakIterator.createSentenceInstance(icu.Locale(locale))
    iterator.setText(text)
    units = text.encode("utf-16-le")
    ends = [len(units[: 2 * end].decode("utf-16-le")) for end in iterator]
    return list(zip([0, *ends], ends, strict=False))


def links_of(links: Sequence[Link], sentence: tuple[int, int]) -> list[Link]:
    """The links that lie inside a sentence, of overlapping ones the first."""
    inside: list[Link] = []
    for start, end, entity in sorted(links, key=lambda link: link[:2]):
        if sentence[0] <= start < sentence[1] and end <= sentence[1]:
            if inside and start < inside[-1][1]:
                continue
            inside.append((start, end, entity))
    return inside


def sequences_of(
    paragraphs: Sequence[tuple[str, Sequence[Link]]],
    language: str,
    tokenizer: Tokenizer,
    maximum_tokens: int = 510,
    minimum_sentence_tokens: int = 5,
    maximum_entities: int = 128,
    maximum_mention_tokens: int = 30,
) -> list[Packed]:
    """The sequences of one page."""
    sentences: list[Packed] = []
    for text, links in paragraphs:
        for sentence in sentences_of(text, language):
            inside = links_of(links, sentence)
            spans = [sentence, *((start, end) for start, end, _ in inside)]
            ids, token_spans = tokenizer.encode_with_spans(text, spans)
            (first, last), *mentions = token_spans
            found = [
                (entity, start - first, min(end, start + maximum_mention_tokens) - first)
                for (start, end), (_, _, entity) in zip(mentions, inside, strict=True)
                if entity is not None and end > start
            ]
            if minimum_sentence_tokens <= last - first <= maximum_tokens:
                sentences.append((ids[first:last], found))
    sequences: list[Packed] = []
    for ids, found in sentences:
        if not sequences or len(sequences[-1][0]) + len(ids) > maximum_tokens:
            sequences.append(([], []))
        words, mentions_so_far = sequences[-1]
        offset = len(words)
        mentions_so_far.extend((entity, a + offset, b + offset) for entity, a, b in found)
        words.extend(ids)
    return [(words, found[:maximum_entities]) for words, found in sequences if found]
