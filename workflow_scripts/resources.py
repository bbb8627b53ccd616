"""Sum up time, memory, disk and, where it can be measured, energy of a run.

Example:
    python workflow_scripts/resources.py --benchmarks results/mini/benchmarks \
        --results results/mini --output results/mini/reports/resources.json
"""

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument("--benchmarks", type=Path, required=True, help="folder of benchmark files")
    parser.add_argument("--results", type=Path, required=True, help="folder of the run")
    parser.add_argument("--output", type=Path, required=True, help="summary as JSON")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.io.files import write_json
    from mluke_core.reporting.energy import energy_estimate
    from mluke_core.reporting.resources import disk_use, read_benchmarks, summarise

    summary = summarise(read_benchmarks(arguments.benchmarks))
    summary["disk"] = disk_use(arguments.results)
    summary["energy"] = energy_estimate(summary["cpu_seconds"])
    write_json(arguments.output, summary)


if __name__ == "__main__":
    sys.exit(main())
