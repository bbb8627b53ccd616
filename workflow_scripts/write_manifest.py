"""Write the manifest of the training sequences.

Example:
    python workflow_scripts/write_manifest.py --settings '{"alpha": 0.7}' \
        --shards en/000=results/mini/sequences/en/000.parquet \
        --reports en/000=results/mini/reports/sequences/en/000.json \
        --vocabulary results/mini/entities/vocabulary.parquet \
        --tokenizer results/mini/tokenizers/xlmr --output results/mini/sequences/manifest.json

Outputs:
    manifest.json: counts and sampling weight of each language, rows and SHA-256 of each file, the
    digests of tokenizer and entity vocabulary.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import named_path, required_settings, run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    for name, what in (("shards", "sequences"), ("reports", "report of the sequences")):
        parser.add_argument(
            f"--{name}",
            type=named_path,
            nargs="+",
            required=True,
            metavar="LANG/PART=PATH",
            help=f"{what} of each part",
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
    manifest = write_manifest(
        arguments.shards,
        arguments.reports,
        arguments.vocabulary,
        Tokenizer.load(arguments.tokenizer),
        alpha,
        arguments.output.parent,
    )
    write_json(arguments.output, manifest)


if __name__ == "__main__":
    sys.exit(main())
