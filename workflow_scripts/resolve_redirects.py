"""Follow the redirects of one Wikipedia to the end of their chains.

Example:
    python workflow_scripts/resolve_redirects.py --settings '{"language": "en"}' \
        --redirects redirects/en/000.parquet redirects/en/001.parquet \
        --pages pages/en/000.parquet pages/en/001.parquet \
        --output redirects/en.parquet --report reports/redirects/en.json
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import required_settings, run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument(
        "--redirects", type=Path, nargs="+", required=True, help="parts that `extract` wrote"
    )
    parser.add_argument(
        "--pages", type=Path, nargs="*", default=[], help="pages, to count redirects to none"
    )
    parser.add_argument("--output", type=Path, required=True, help="Parquet file to write")
    parser.add_argument("--report", type=Path, required=True, help="JSON file to write")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.corpus.redirects import resolve_redirects
    from mluke_core.io.files import write_json
    from mluke_core.io.parquet import stage_metadata, write_table

    (language,) = required_settings(arguments.settings, "language")
    table, report = resolve_redirects(arguments.redirects, language, arguments.pages)
    metadata = stage_metadata("resolve_redirects", arguments.settings, language)
    write_table(arguments.output, table, metadata)
    write_json(arguments.report, report)


if __name__ == "__main__":
    sys.exit(main())
