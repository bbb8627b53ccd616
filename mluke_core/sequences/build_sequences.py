"""Linked pages to training sequences (section 3 of the paper; the released code's rules).

A paragraph is split into sentences, each sentence into pieces at the boundaries of its links, each
piece into tokens. Sentences of one page are then packed into sequences.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from mluke_core.io.parquet import stage_metadata
from mluke_core.io.process import no_cycle_collection
from mluke_core.io.progress import Progress
from mluke_core.sequences.links import linked_pages
from mluke_core.sequences.packing import PagePacker, SequenceCounts, SequenceSettings
from mluke_core.sequences.store import SequenceWriter
from mluke_core.sequences.target_index import TargetIndex
from mluke_core.sequences.tokenizer import Tokenizer

log = logging.getLogger("mluke")


def is_validation(language: str, page_id: int, share: float, seed: int) -> bool:
    """Whether a page is held out: a hash of seed, language and page, uniform in [0, 1)."""
    digest = hashlib.sha256(f"{seed}:{language}:{page_id}".encode()).digest()
    return int.from_bytes(digest[:8]) < share * 2**64


def build_sequences(
    language: str,
    pages: Path,
    targets: TargetIndex,
    tokenizer: Tokenizer,
    vocabulary_digest: str,
    settings: SequenceSettings,
    seed: int,
    output: Path,
) -> SequenceCounts:
    """Write the sequences of one page file, in the order of its pages.

    Args:
        language: language of the pages; sentences are split by its rules.
        pages: page file.
        targets: entity of each link target of the file.
        tokenizer: the model's tokenizer.
        vocabulary_digest: SHA-256 of the entity vocabulary that ``targets`` was made with; like
            the tokenizer's it is kept in the file, so that what does not fit is noticed.
        settings: limits.
        seed: of the hash that holds pages out.
        output: the Parquet file to write (``store.SCHEMA``).
    """
    counts = SequenceCounts()
    packer = PagePacker(language, tokenizer.segmenter, settings, counts)
    metadata = stage_metadata("build_sequences", {**vars(settings), "seed": seed}, language)
    metadata |= {"tokenizer": tokenizer.digest, "entity_vocabulary": vocabulary_digest}
    with (
        no_cycle_collection(),
        SequenceWriter(output, metadata, tokenizer.segmenter.to_ids) as writer,
        Progress(f"sequences {language}", unit="page") as progress,
    ):
        for batch in linked_pages(pages, targets):
            for page in batch:
                counts.pages += 1
                counts.paragraphs += len(page.texts)
                counts.characters += sum(map(len, page.texts))
                counts.links += sum(map(len, page.links))
            for page, sequences in zip(batch, packer.sequences(batch), strict=True):
                held_out = is_validation(language, page.page_id, settings.validation_share, seed)
                for sequence in sequences:
                    counts.validation_sequences += held_out
                    writer.append(page.page_id, held_out, sequence)
                    counts.tokens += len(sequence.tokens)
                    counts.entities += len(sequence.mentions)
                counts.sequences += len(sequences)
            progress.update(len(batch))
    if not counts.sequences:
        log.warning("%s: no sequence with a link to the entity vocabulary", pages)
    return counts
