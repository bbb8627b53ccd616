"""Shuffle the training sequences of one language across its pages and write them as shards.

Example:
    python workflow_scripts/shuffle_sequences.py \
        --settings '{"language": "en", "seed": 42, "shard_mb": 256}' \
        --parts results/mini/work/sequences/en/000.parquet \
        --reports results/mini/reports/sequences/en/000.json \
        --output results/mini/sequences/en --index results/mini/reports/sequences/en.json

Outputs:
    a folder with 00000.parquet, 00001.parquet and so on; the columns are those of the parts.
    The index: rows, size and SHA-256 of each shard, and the counts of all parts together.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import required_settings, run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument(
        "--parts", type=Path, nargs="+", required=True, help="sequences of each part"
    )
    parser.add_argument(
        "--reports", type=Path, nargs="+", required=True, help="report of each part, in that order"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder of shards")
    parser.add_argument("--index", type=Path, required=True, help="index of the shards (JSON)")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.errors import MlukeError
    from mluke_core.io.files import write_json
    from mluke_core.sequences.shuffle_sequences import shuffle_sequences

    language, seed, shard_mb = required_settings(arguments.settings, "language", "seed", "shard_mb")
    if len(arguments.parts) != len(arguments.reports):
        raise MlukeError(
            f"--parts has {len(arguments.parts)} files, --reports {len(arguments.reports)}: give "
            "one report for each part."
        )
    parts = list(zip(arguments.parts, arguments.reports, strict=True))
    index = shuffle_sequences(language, parts, seed, shard_mb, arguments.output)
    write_json(arguments.index, index)


if __name__ == "__main__":
    sys.exit(main())
