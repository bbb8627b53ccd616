"""Part of ``benchmarks/pretraining.py``: an update with a row-wise gradient of the entity table.

As a program, ``python _pretraining_update.py rows|dense quick|full``, it measures one of the two.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from _bench import CACHE, Row, cpu_seconds, run_process

BATCH = 4
UPDATES, MICRO_BATCHES = 4, 2
SETTINGS: dict[str, Any] = {
    "model": "benchmark",
    "objective": "luke",
    "stage": "stage1",
    "seed": 1,
    "trainable": "new",
    "steps": UPDATES,
    "warmup_steps": 0,
    "learning_rate": 5e-4,
    "batch_size": BATCH * MICRO_BATCHES,
    "micro_batch_size": BATCH,
    "micro_batch_tokens": 0,
    "word_mask_share": 0.15,
    "entity_mask_share": 0.15,
    "precision": "fp32",
    "zero_stage": 0,
    "entity_embedding_size": 256,
    "entity_positions": "random",
    "betas": [0.9, 0.999],
    "epsilon": 1e-6,
    "weight_decay": 0.01,
    "bias_correction": False,
    "gradient_clipping": 0,
    "log_interval": 1,
    "validation_interval": 1,
    "validation_sequences": 0,
    "checkpoint_interval": 1,
    "keep_checkpoints": 1,
    "peer_timeout": 60,
    "peak_tflops": None,
}


def update_rows(quick: bool) -> list[Row]:
    """Time and memory of an update with a row-wise gradient, and with a dense one."""
    found = {}
    for which in ("rows", "dense"):
        target = CACHE / "pretraining-update.json"
        size = "quick" if quick else "full"
        run_process([sys.executable, Path(__file__).resolve(), which, size], stdout=target)
        # DeepSpeed may print before.
        found[which] = json.loads(target.read_text().splitlines()[-1])
    rows, dense = found["rows"], found["dense"]
    name = "update, row-wise and dense entity gradient: "
    return [
        Row(
            name + "time",
            f"{rows['seconds']:.2f} s",
            f"{dense['seconds']:.2f} s",
            rows["seconds"] / dense["seconds"],
            "",
        ),
        Row(
            name + "memory above weights",
            f"{rows['peak'] / 2**20:.0f} MB",
            f"{dense['peak'] / 2**20:.0f} MB",
            rows["peak"] / dense["peak"],
            "",
        ),
    ]


def measure(which: str, size: str) -> None:
    """Print CPU seconds of an update, and the peak of all above the weights."""
    import torch
    from _pretraining_batches import make_batches
    from pretraining import build, memory_of_process, sizes_of

    from mluke_core.pretraining.distributed import start_world
    from mluke_core.pretraining.engine import Engine, import_deepspeed
    from mluke_core.pretraining.settings import read_settings

    quick = size == "quick"
    model = build(quick, 0.1)
    batches = make_batches(MICRO_BATCHES, BATCH, sizes_of(quick))
    settings = read_settings({**SETTINGS, "entity_gradient": which})
    world = start_world()
    import_deepspeed()
    sum(float(parameter.detach().sum()) for parameter in model.parameters())  # touch every page
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
    base = memory_of_process("VmRSS")
    engine = Engine(model, settings, world)
    engine.set_learning_rate(settings.learning_rate)
    seconds = []
    for _ in range(UPDATES):
        started = cpu_seconds()
        for number, batch in enumerate(batches):
            torch.manual_seed(number)
            engine.accumulate(*batch, number == len(batches) - 1)
        seconds.append(cpu_seconds() - started)
    peak = memory_of_process("VmHWM") - base
    print(json.dumps({"seconds": statistics.median(seconds[1:]), "peak": peak}))


if __name__ == "__main__":
    measure(*sys.argv[1:])
