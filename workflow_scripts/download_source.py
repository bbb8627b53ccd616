"""Fetch a data source, verified and unpacked, and list its files by name.

Example:
    python workflow_scripts/download_source.py --settings '{"name": "squad", "version": "1.1", \
"licence": "CC BY-SA 4.0", "files": [{"name": "dev-v1.1.json", "urls": \
["https://rajpurkar.github.io/SQuAD-explorer/dataset/dev-v1.1.json"]}]}' \
        --downloads results/downloads --output results/sample/sources/squad.json
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import required_settings, run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument("--downloads", type=Path, required=True, help="folder for what is fetched")
    parser.add_argument("--output", type=Path, required=True, help="source manifest to write")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.io.download_source import fetch_source
    from mluke_core.io.files import write_json

    required_settings(arguments.settings, "name", "files")
    write_json(arguments.output, fetch_source(arguments.settings, arguments.downloads))


if __name__ == "__main__":
    sys.exit(main())
