"""A page to look at: a dozen random training sequences of every language with their mentions.

Example:
    python workflow_scripts/preview_sequences.py \
        --settings '{"scale": "mini", "languages": {"en": "English", "ja": "Japanese"}}' \
        --manifest results/mini/sequences/manifest.json \
        --vocabulary results/mini/entities/vocabulary.parquet \
        --tokenizer results/mini/tokenizers/xlmr --output results/mini/sequences/preview.html

Outputs:
    one HTML page that needs no network.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import required_settings, run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json")
    parser.add_argument("--vocabulary", type=Path, required=True, help="vocabulary.parquet")
    parser.add_argument("--tokenizer", type=Path, required=True, help="tokenizer folder")
    parser.add_argument("--output", type=Path, required=True, help="the page (HTML)")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.sequences.preview_sequences import preview_sequences
    from mluke_core.sequences.tokenizer import Tokenizer

    scale, languages = required_settings(arguments.settings, "scale", "languages")
    preview_sequences(
        arguments.manifest,
        arguments.vocabulary,
        Tokenizer.load(arguments.tokenizer),
        languages,
        scale,
        arguments.output,
    )


if __name__ == "__main__":
    sys.exit(main())
