"""Write the manifest of the training sequences.

Example:
    python workflow_scripts/write_manifest.py --settings '{"alpha": 0.7}' \
        --shards en=results/mini/sequences/en \
        --indexes en=results/mini/reports/sequences/en.json \
        --vocabulary results/mini/entities/vocabulary.parquet \
        --tokenizer results/mini/tokenizers/xlmr --output results/mini/sequences/manifest.json

Outputs:
    manifest.json: counts and sampling weight of each language, rows and SHA-256 of each shard, the
    digests of tokenizer and entity vocabulary.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import named_path, required_settings, run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    for name, what in (("shards", "folder of shards"), ("indexes", "index of the shards")):
        parser.add_argument(
            f"--{name}",
            type=named_path,
            nargs="+",
            required=True,
            metavar="LANG=PATH",
            help=f"{what} of each language",
        )
    parser.add_argument("--vocabulary", type=Path, required=True, help="vocabulary.parquet")
    parser.add_argument("--tokenizer", type=Path, required=True, help="tokenizer folder")
    parser.add_argument("--output", type=Path, required=True, help="manifest.json")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.io.files import write_json
    from mluke_core.sequences.tokenizer import Tokenizer
    from mluke_core.sequences.write_manifest import write_manifest

    (alpha,) = required_settings(arguments.settings, "alpha")
    tokenizer = Tokenizer.load(arguments.tokenizer)
    manifest = write_manifest(
        arguments.shards,
        arguments.indexes,
        arguments.vocabulary,
        tokenizer,
        alpha,
        arguments.output.parent,
    )
    write_json(arguments.output, manifest)


if __name__ == "__main__":
    sys.exit(main())
