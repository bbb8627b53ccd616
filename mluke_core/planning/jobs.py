"""The jobs of a run, read from Snakemake's dry run."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mluke_core.errors import MlukeError

# Jobs of a group stand below its line, indented once more.
_HEAD = re.compile(r"^(?:    )?(?:local)?rule (\w+):$")
_FIELD = re.compile(r"^(?:    ){1,2}(\w+): (.*)$")


@dataclass
class Job:
    """One job of a dry run."""

    rule: str
    wildcards: dict[str, str] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    threads: int = 1
    resources: dict[str, str] = field(default_factory=dict)

    @property
    def memory_mb(self) -> int:
        """Memory asked for, in MB; 0 where the rule names none."""
        text = self.resources.get("mem_mb", "")
        # `<TBD>` where Snakemake works it out from the size of inputs that are not there yet.
        return int(text) if text.isdigit() else 0


def dry_run(arguments: Sequence[str], folder: Path) -> str:
    """What ``snakemake --dry-run`` prints for these arguments.

    Raises:
        MlukeError: Snakemake refused them; its own message is passed on.
    """
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--nolock", *arguments]
    if not any(argument.split("=")[0] in _CORES for argument in arguments):
        command += ["--cores", "1"]
    outcome = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise MlukeError(f"Snakemake cannot plan this run:\n{outcome.stderr.strip()}")
    return outcome.stdout + outcome.stderr


_CORES = {"-c", "--cores", "-j", "--jobs", "--profile", "--workflow-profile"}


def parse(text: str) -> list[Job]:
    """The jobs of a dry run's output.

    >>> parse("rule extract:\\n    output: a, b\\n    wildcards: lang=en, part=000\\n")[0].wildcards
    {'lang': 'en', 'part': '000'}

    Raises:
        MlukeError: jobs are announced but none can be read: another version of Snakemake.
    """
    jobs: list[Job] = []
    current: Job | None = None
    for line in text.splitlines():
        if head := _HEAD.match(line):
            current = Job(head[1])
            jobs.append(current)
        elif current is not None and (entry := _FIELD.match(line)):
            _fill(current, entry[1], entry[2])
        else:
            current = None
    announced = re.search(r"^total +(\d+)$", text, re.M)
    if announced and int(announced[1]) != len(jobs):
        raise MlukeError(
            f"The dry run announces {announced[1]} jobs, but {len(jobs)} could be read. "
            "Use the version of Snakemake in constraints.txt."
        )
    return jobs


def _fill(job: Job, key: str, value: str) -> None:
    match key:
        case "input":
            job.inputs = value.split(", ")
        case "output":
            job.outputs = value.split(", ")
        case "wildcards":
            job.wildcards = _pairs(value)
        case "resources":
            job.resources = _pairs(value)
        case "threads":
            job.threads = int(value)


def _pairs(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split(", ") if "=" in part)


def predecessors(jobs: Sequence[Job]) -> list[list[int]]:
    """For each job, the positions of the jobs whose outputs it reads."""
    maker = {path: index for index, job in enumerate(jobs) for path in job.outputs}
    return [
        sorted({maker[path] for path in job.inputs if path in maker} - {index})
        for index, job in enumerate(jobs)
    ]


def topological(before: Sequence[Iterable[int]]) -> list[int]:
    """Positions in an order in which every job comes after those it needs."""
    waiting = [set(needed) for needed in before]
    after: list[list[int]] = [[] for _ in before]
    for index, needed in enumerate(waiting):
        for other in needed:
            after[other].append(index)
    ready = [index for index, needed in enumerate(waiting) if not needed]
    for index in ready:  # grows while it is read
        for other in after[index]:
            waiting[other].discard(index)
            if not waiting[other]:
                ready.append(other)
    return ready
