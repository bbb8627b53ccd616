"""Training sequences of one part of one language.

Example:
    python workflow_scripts/build_sequences.py \
        --settings '{"language": "en", "seed": 42, "sequences": {"maximum_tokens": 510}}' \
        --pages results/mini/pages/en/000.parquet --redirects results/mini/redirects/en.parquet \
        --sitelinks results/mini/sitelinks/en.parquet \
        --vocabulary results/mini/entities/vocabulary.parquet \
        --tokenizer results/mini/tokenizers/xlmr \
        --output results/mini/work/sequences/en/000.parquet \
        --report results/mini/reports/sequences/en/000.json

Outputs:
    page_id, input_ids (without special tokens), entity_ids, starts, ends (token offsets, end
    exclusive), validation; in the order of the pages.
    The report: what became of pages, sentences and links.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import required_settings, run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument("--pages", type=Path, required=True, help="page file of one part")
    parser.add_argument("--redirects", type=Path, required=True, help="resolved redirects")
    parser.add_argument("--sitelinks", type=Path, required=True, help="sitelinks of the language")
    parser.add_argument("--vocabulary", type=Path, required=True, help="vocabulary.parquet")
    parser.add_argument("--tokenizer", type=Path, required=True, help="tokenizer folder")
    parser.add_argument("--output", type=Path, required=True, help="sequences")
    parser.add_argument("--report", type=Path, required=True, help="report (JSON)")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.io.files import file_digest, write_json
    from mluke_core.sequences.build_sequences import build_sequences
    from mluke_core.sequences.packing import SequenceSettings
    from mluke_core.sequences.target_index import TargetIndex
    from mluke_core.sequences.tokenizer import Tokenizer

    language, seed, section = required_settings(arguments.settings, "language", "seed", "sequences")
    settings = SequenceSettings.from_mapping(section)
    targets = TargetIndex.resolve(
        arguments.pages,
        arguments.redirects,
        arguments.sitelinks,
        arguments.vocabulary,
        language,
    )
    counts = build_sequences(
        language,
        arguments.pages,
        targets,
        Tokenizer.load(arguments.tokenizer),
        file_digest(arguments.vocabulary),
        settings,
        seed,
        arguments.output,
    )
    write_json(arguments.report, {"language": language, **counts.as_json()})


if __name__ == "__main__":
    sys.exit(main())
