"""Sum up time and memory of every rule from the benchmark files of a run.

Example:
    python workflow_scripts/resources.py --benchmarks results/mini/benchmarks \
        --output results/mini/reports/resources.json
"""

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument("--benchmarks", type=Path, required=True, help="folder of benchmark files")
    parser.add_argument("--output", type=Path, required=True, help="summary as JSON")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.io.files import write_json
    from mluke_core.reporting.resources import read_benchmarks, summarise

    write_json(arguments.output, summarise(read_benchmarks(arguments.benchmarks)))


if __name__ == "__main__":
    sys.exit(main())
