"""What every step's command line has in common: settings, log file, errors, exit status."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from mluke_core.errors import MlukeError
from mluke_core.io.disk_errors import explain_disk_error
from mluke_core.io.lifeline import follow_run

log = logging.getLogger("mluke")

LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"


def step_parser(description: str | None) -> argparse.ArgumentParser:
    """An argument parser with ``--settings`` and ``--log``, its help taken from the docstring."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--settings",
        type=parse_settings,
        default={},
        metavar="JSON",
        help="settings of this step: a JSON object, or the path of a file that holds one",
    )
    parser.add_argument("--log", type=Path, metavar="FILE", help="append plain log lines here")
    return parser


def parse_settings(text: str) -> dict[str, Any]:
    """Parse ``--settings``: inline JSON when it starts with ``{``, else a file name."""
    try:
        raw = text if text.lstrip().startswith("{") else Path(text).read_text(encoding="utf-8")
        settings = orjson.loads(raw)
    except FileNotFoundError:
        raise argparse.ArgumentTypeError(f"{text}: no such settings file") from None
    except orjson.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"settings are not valid JSON: {error}") from None
    if not isinstance(settings, dict):
        raise argparse.ArgumentTypeError("settings must be a JSON object")
    return settings


def required_settings(settings: dict[str, Any], *names: str) -> list[Any]:
    """The values of these keys of ``--settings``, in order; :class:`MlukeError` names what lacks.

    >>> required_settings({"language": "en", "seed": 1}, "seed", "language")
    [1, 'en']
    """
    missing = [name for name in names if name not in settings]
    if missing:
        known = ", ".join(settings) or "nothing"
        raise MlukeError(f"--settings has {known}, but this step also needs {', '.join(missing)}.")
    return [settings[name] for name in names]


def named_path(text: str) -> tuple[str, Path]:
    """Parse ``name=path`` (an argument that may be given once per language, say)."""
    name, separator, path = text.partition("=")
    if not separator or not name or not path:
        raise argparse.ArgumentTypeError(f"{text!r}: write it as NAME=PATH, for example en=a.json")
    return name, Path(path)


def start_logging(path: Path | None) -> None:
    """Send log lines to ``path`` (appending) and warnings to standard error."""
    root = logging.getLogger("mluke")
    root.setLevel(logging.INFO)
    root.handlers.clear()
    # A log on a full disk would print a traceback for every line instead.
    logging.raiseExceptions = False
    console = logging.StreamHandler(sys.stderr)
    console.setLevel(logging.WARNING if path else logging.INFO)
    console.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    root.addHandler(console)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, encoding="utf-8")
        handler.setFormatter(logging.Formatter(LOG_FORMAT))
        root.addHandler(handler)


def run_step(
    parser: argparse.ArgumentParser,
    step: Callable[[argparse.Namespace], None],
    argv: list[str] | None = None,
) -> int:
    """Parse arguments, start logging, run ``step`` and turn errors into one clear message.

    A step that Snakemake started ends when that ends (:mod:`mluke_core.io.lifeline`).

    Returns the exit status: 0, or 1 after an error. Errors the user can mend
    (:class:`MlukeError`, a full disk, a folder that cannot be written) print their message alone;
    anything else is a defect of the program: its traceback goes to the log file, with a line on
    standard error that says so.
    """
    arguments = parser.parse_args(argv)
    follow_run()
    try:
        start_logging(arguments.log)
        step(arguments)
    except MlukeError as error:
        log.error("%s", error)
        return 1
    except OSError as error:
        explained = explain_disk_error(error, getattr(arguments, "output", Path("output")))
        if explained is None:
            return _report_defect(parser.prog, arguments.log)
        log.error("%s", explained)
        return 1
    except Exception:
        return _report_defect(parser.prog, arguments.log)
    return 0


def _report_defect(program: str, path: Path | None) -> int:
    where = f"; the traceback is in {path}" if path else ""
    log.exception("%s failed for a reason it does not know%s", program, where)
    return 1
