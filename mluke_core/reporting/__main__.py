"""Compare two finished runs: which cells of the tables moved, by how much, by more than chance?

Example:
    python -m mluke_core.reporting compare results/mini results/mini-other --html moved.html
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.errors import MlukeError
from mluke_core.metrics.significance import SAMPLES


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns its exit status: 1 when a run cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m mluke_core.reporting",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    compare = commands.add_parser("compare", help="compare two runs", description=__doc__)
    compare.add_argument("first", type=Path, help="folder of a run, such as results/mini")
    compare.add_argument("second", type=Path, help="folder of another run")
    compare.add_argument(
        "--systems",
        nargs="*",
        type=_names,
        default=[],
        metavar="FIRST=SECOND",
        help="systems to compare that have other names in the second run",
    )
    compare.add_argument("--tables", nargs="*", metavar="TABLE", help="only these tables")
    compare.add_argument("--html", type=Path, metavar="FILE", help="also write a page")
    compare.add_argument("--samples", type=int, default=SAMPLES, help="random exchanges of a test")
    compare.add_argument("--seed", type=int, default=0, help="of the random exchanges")
    arguments = parser.parse_args(argv)
    from mluke_core.io.files import write_text
    from mluke_core.reporting.compare import compare_runs, to_page, to_text
    from mluke_core.reporting.run_folder import RunFolder

    try:
        comparison = compare_runs(
            RunFolder(arguments.first),
            RunFolder(arguments.second),
            dict(arguments.systems),
            arguments.tables,
            arguments.samples,
            arguments.seed,
        )
        print(to_text(comparison), end="")
        if arguments.html:
            write_text(arguments.html, to_page(comparison))
    except MlukeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _names(text: str) -> tuple[str, str]:
    first, separator, second = text.partition("=")
    if not separator or not first or not second:
        raise argparse.ArgumentTypeError(f"{text!r}: write it as FIRST=SECOND")
    return first, second


if __name__ == "__main__":
    sys.exit(main())
