"""Print what a run will cost, before anything starts.

Takes the arguments of `snakemake`: targets, --config, --configfile, --profile and so on. What is
finished already costs nothing; --forceall counts everything.

Example:
    python -m mluke_core.planning --config scale=paper
    python -m mluke_core.planning --profile profiles/slurm --config scale=base24 -- table3
    python -m mluke_core.planning --gpu-tflops "my GPU=140" --config scale=paper
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from mluke_core.config import Config, load_config, merge, read_yaml
from mluke_core.errors import MlukeError
from mluke_core.planning import jobs as dry
from mluke_core.planning import rates as measured
from mluke_core.planning.estimate import estimate, gpu_speeds
from mluke_core.planning.report import markdown, warnings


def main(argv: list[str] | None = None) -> int:
    """Run the command; 1 when disk or memory will not suffice or the run cannot be planned."""
    parser = argparse.ArgumentParser(
        prog="python -m mluke_core.planning",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--gpu-tflops",
        action="append",
        default=[],
        metavar="NAME=TFLOPS",
        help="a GPU with the TFLOP/s it was seen to sustain",
    )
    parser.add_argument("--rates", type=Path, default=measured.RATES, help="another table of rates")
    arguments, passed_on = parser.parse_known_args(argv)
    try:
        own = dict(_speed(text) for text in arguments.gpu_tflops)
        config = configuration(passed_on)
        found = dry.parse(dry.dry_run([text for text in passed_on if text != "--"], Path.cwd()))
        plan = estimate(config, found, measured.read(arguments.rates), gpu_speeds(own))
    except MlukeError as error:
        print(error, file=sys.stderr)
        return 1
    print(markdown(config, plan, gpu_speeds(own)))
    remote = any(text.startswith("--profile") for text in passed_on)
    troubles = warnings(config, plan, local=not remote)
    for trouble in troubles:
        print(f"WARNING: {trouble}", file=sys.stderr)
    return 1 if troubles else 0


def _speed(text: str) -> tuple[str, float]:
    name, _, value = text.rpartition("=")
    try:
        return name, float(value)
    except ValueError:
        raise MlukeError(f"--gpu-tflops {text}: expected NAME=NUMBER, such as A100=120.") from None


def configuration(arguments: list[str]) -> Config:
    """The configuration that Snakemake would use for these arguments."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config", "-C", nargs="*", action="extend", default=[])
    parser.add_argument("--configfile", "--configfiles", nargs="+", action="extend", default=[])
    known, _ = parser.parse_known_args(arguments)
    overrides: dict[str, Any] = {}
    for path in known.configfile:
        overrides = merge(overrides, read_yaml(path))
    for text in known.config:
        key, sign, value = text.partition("=")
        if not sign:
            continue  # a target behind the settings
        overrides = merge(overrides, {key: yaml.safe_load(value)})
    return load_config("config.yaml", overrides)


if __name__ == "__main__":
    sys.exit(main())
