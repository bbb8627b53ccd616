"""Fetch one Wikipedia's pages-articles dump, verified, from the servers or a mirror.

Example:
    python workflow_scripts/download_dump.py --settings '{"language": "sw", "wiki": "swwiki", \
"date": "20230501", "urls": ["https://dumps.wikimedia.org/swwiki/20230501"], \
"mirror": null, "contact": "me@example.org"}' \
        --downloads results/downloads --output results/sample/dumps/sw.json
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import required_settings, run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument("--downloads", type=Path, required=True, help="folder for what is fetched")
    parser.add_argument("--output", type=Path, required=True, help="dump manifest to write")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.io.download_dump import fetch_dump
    from mluke_core.io.files import write_json

    required_settings(arguments.settings, "language", "wiki", "date", "urls")
    write_json(arguments.output, fetch_dump(arguments.settings, arguments.downloads))


if __name__ == "__main__":
    sys.exit(main())
