"""Add up the reports of a language's parts: what was read, kept and dropped, and why.

Example:
    python workflow_scripts/extraction_report.py --parts reports/extract/sw/000.json \
        --redirects reports/redirects/sw.json --output sw.json --markdown sw.md
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument("--parts", type=Path, nargs="+", required=True, help="reports of `extract`")
    parser.add_argument("--redirects", type=Path, required=True, help="of `resolve_redirects`")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--markdown", type=Path, required=True, help="the same to read")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.corpus.report import as_markdown, extraction_report
    from mluke_core.io.files import read_json, write_json, write_text

    parts = [read_json(path) for path in arguments.parts]
    report = extraction_report(parts, read_json(arguments.redirects))
    write_text(arguments.markdown, as_markdown(report))
    write_json(arguments.output, report)


if __name__ == "__main__":
    sys.exit(main())
