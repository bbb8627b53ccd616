"""Fit the rates to finished runs, and compare what each run took with the estimate.

Example:
    python -m mluke_core.planning.measure --write scale=mini 'scale=sample mirror=DIR'
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from mluke_core.errors import MlukeError
from mluke_core.planning import jobs as dry
from mluke_core.planning import rates
from mluke_core.planning.__main__ import configuration

Points = Mapping[str, list[tuple[float, float]]]


def main(argv: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m mluke_core.planning.measure",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="+", help="settings of a finished run, as for --config")
    parser.add_argument("--write", action="store_true", help="keep the rates with the project")
    arguments = parser.parse_args(argv)
    try:
        found = {}
        for text in arguments.runs:
            options = ["--config", *shlex.split(text)]
            config = configuration(options)
            planned = dry.parse(dry.dry_run([*options, "--forceall"], Path.cwd()))
            folder = Path(config["results"]) / config["scale"]
            found[config["scale"]] = rates.measured(folder, config, planned)
    except MlukeError as error:
        print(error, file=sys.stderr)
        return 1
    pooled = rates.fit_all(found.values())
    if arguments.write:
        rates.write(rates.RATES, pooled)
    print(comparison(found, pooled))
    return 0


def comparison(runs: Mapping[str, Points], pooled: Mapping[str, rates.Rate]) -> str:
    """CPU seconds per run and rule: measured, estimated, and estimated from the other runs only."""
    lines = [
        "| run | rule | jobs | measured s | estimated s | from the other run s |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for name, points in runs.items():
        others = rates.fit_all(found for other, found in runs.items() if other != name)
        sums = [0.0, 0.0, 0.0]
        for rule, pairs in sorted(points.items()):
            values = [sum(y for _, y in pairs)]
            for table in (pooled, others):
                rate = table.get(rule, rates.SMALL)
                values.append(sum(rate.start_s + rate.unit_s * x for x, _ in pairs))
            sums = [total + value for total, value in zip(sums, values, strict=True)]
            cells = " | ".join(f"{value:.1f}" for value in values)
            lines.append(f"| {name} | {rule} | {len(pairs)} | {cells} |")
        lines.append(f"| {name} | **in all** | | " + " | ".join(f"{v:.0f}" for v in sums) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
