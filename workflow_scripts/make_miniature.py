"""Write the miniature world: small Wikipedias, Wikidata and evaluation data in the real formats.

Example:
    python workflow_scripts/make_miniature.py \
        --settings '{"seed": 42, "languages": ["de", "en", "ja"], "dump_date": "20201201",
                     "wikidata_date": "20201130"}' \
        --output results/mini/mirror --gold results/mini/gold

Writes the mirror as OUTPUT/<host>/<path>, which the other steps read as they would read the public
servers, with OUTPUT/SHA256SUMS last of all; and into GOLD what those steps must find.
"""

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder of the mirror")
    parser.add_argument("--gold", type=Path, required=True, help="folder of the gold files")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.miniature.make import make_miniature

    make_miniature(arguments.output, arguments.gold, arguments.settings)


if __name__ == "__main__":
    sys.exit(main())
