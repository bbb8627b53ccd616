"""Energy of a run, where the processor has a counter for it; otherwise the reason why not.

Intel and AMD processors count the energy of each package (RAPL, shown by Linux under
``/sys/class/powercap``). Snakemake measures CPU seconds of each job but no energy, so it is
estimated: the power that one busy core adds is measured for a moment and multiplied by the CPU
seconds of all jobs. What the machine takes when idle, memory, disks and accelerators are not in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

POWERCAP = Path("/sys/class/powercap")
PROBE_SECONDS = 1.0
JOULES_PER_KWH = 3.6e6
Counters = dict[Path, tuple[int, int]]
"""Package → microjoules so far, and the value at which its counter starts again."""


def read_counters(powercap: Path = POWERCAP) -> Counters:
    """The energy counters of all processor packages; empty when there are none to read."""
    counters: Counters = {}
    for folder in sorted(powercap.glob("intel-rapl:*")):
        try:
            if not (folder / "name").read_text().startswith("package"):
                continue
            energy = int((folder / "energy_uj").read_text())
            counters[folder] = energy, int((folder / "max_energy_range_uj").read_text())
        except (OSError, ValueError):
            # Readable by root alone on many systems: the counter is then as good as absent.
            continue
    return counters


def joules(before: Counters, after: Counters) -> float:
    """Energy between two readings of the same packages; a counter may have started again once.

    >>> package = Path("intel-rapl:0")
    >>> joules({package: (900_000, 1_000_000)}, {package: (400_000, 1_000_000)})
    0.5
    """
    total = 0
    for package, (start, limit) in before.items():
        end = after[package][0]
        total += end - start if end >= start else end - start + limit
    return total / 1e6


def energy_estimate(
    cpu_seconds: float | None,
    powercap: Path = POWERCAP,
    wait: Callable[[float], None] = time.sleep,
    work: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """``kwh`` and ``watts_per_core``, or ``kwh: None`` and the ``reason``.

    Args:
        cpu_seconds: of all jobs.
        powercap: where the counters are.
        wait: does nothing for so many seconds.
        work: keeps one core busy for so many seconds.
    """
    if not read_counters(powercap):
        reason = f"this machine shows no energy counter ({powercap}/intel-rapl:*) that can be read"
        return {"kwh": None, "reason": reason}
    if cpu_seconds is None:
        return {"kwh": None, "reason": "no CPU seconds were measured"}
    readings = [read_counters(powercap)]
    for phase in (wait, work or _keep_busy):
        phase(PROBE_SECONDS)
        readings.append(read_counters(powercap))
    idle, busy = joules(*readings[:2]), joules(*readings[1:])
    watts = max(busy - idle, 0.0) / PROBE_SECONDS
    return {
        "kwh": round(cpu_seconds * watts / JOULES_PER_KWH, 6),
        "watts_per_core": round(watts, 2),
        "method": "CPU seconds of all jobs x power that one busy core adds (RAPL, packages)",
    }


def _keep_busy(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
