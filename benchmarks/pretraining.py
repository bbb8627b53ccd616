"""The training step against transformers and the authors' way, and the loader."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _bench import CACHE, Row, cpu_seconds, main, run_process

DESCRIPTION = """
Training micro-batches of a 6 x 384 model with 250,002 words and 200,000 entities (256 wide), on one
CPU core: forward and backward, dropout 0.1, gradients added to those of the micro-batch before.
Optimizer and data are left out. Peers, with the same weights, batches and precision in the same
run: (a) `transformers.LukeForMaskedLM`, its word decoder tied, without entity-aware attention; (b)
the authors' step written again: padded batch, attention written out, all positions of all mentions
embedded, full softmax and right guesses at the masked positions. Batches are four sequences with
lengths as in real text (`benchmarks/_pretraining_batches.py`). Without dropout all give the same
loss, which is checked before anything is measured.

Times are CPU seconds, taken in turns on each batch; the ratio is the median over the turns. Memory
is the peak above the weights (gradients, activations, everything) in a process of its own. bf16 is
autocast; its bars count where the processor multiplies bf16 natively.

An update with a row-wise gradient of the entity table (`pretraining.entity_gradient: rows`) is
held against one with a dense gradient: one process, two micro-batches, fp32, optimizer included,
only the new weights trained as in the first stage.

The loader draws from the plan, reads rows from a file mapped into memory, masks, adds special
tokens and packs. The peer is the authors' batch generator written again
(`benchmarks/_luke_loader_peer.py`): token by token in Python, cut to the longest of the batch,
stacked, copied for their queue. It gets the same rows in memory: their TFRecords are not read. A
GPU's step is not measured for the loader's second row but computed: the operations of a step of
base size with 1.2 million entities, at 45 % of the rate at which an H200 multiplies bf16 matrices
(790 TFLOP/s). `--gpu` measures a step of base size on a CUDA device; it has been run on a CPU at a
tiny size only.
"""
NATIVE_BF16 = ("avx512_bf16", "amx_bf16")
BARS = {
    ("fp32", "a"): "<= 0.35",
    ("fp32", "b"): "<= 0.65",
    ("bf16", "a"): "<= 0.22",
    ("bf16", "b"): "<= 0.42",
}
MEMORY_BARS = {"a": "<= 0.20", "b": "<= 0.50"}
# bf16 matrices on an H200, as measured, and the share of it that a step is to reach.
GPU_FLOPS, GPU_SHARE = 790e12, 0.45
PEERS = {"a": "transformers", "b": "authors' step"}
BATCH = 4
NAME = "pretraining-gpu" if "--gpu" in sys.argv else "pretraining"


def sizes_of(quick: bool) -> Any:
    from _pretraining_batches import Sizes

    return Sizes(32_002, 20_000) if quick else Sizes(250_002, 200_000)


def build(quick: bool, dropout: float) -> Any:
    """The model, in training mode."""
    import torch

    from mluke_core.modeling.config import ModelConfig
    from mluke_core.modeling.initialization import add_entities, random_model

    torch.set_num_threads(1)
    sizes = sizes_of(quick)
    layers, hidden = (2, 128) if quick else (6, 384)
    config = ModelConfig(
        "xlm-roberta",
        sizes.words,
        hidden,
        layers,
        hidden // 64,
        4 * hidden,
        514,
        hidden_dropout=dropout,
        attention_dropout=dropout,
    )
    return add_entities(random_model(config, 1), sizes.entities, 256, 2).train()


def losses(model: Any, which: str) -> Callable[[Any], Any]:
    """Loss of a batch as ``which`` computes it: ours, a or b."""
    if which == "ours":
        return lambda batch: model(*batch).total
    from _luke_peers import AuthorsStep, transformers_luke
    from _pretraining_batches import padded

    if which == "a":
        reference = transformers_luke(model).train()
        return lambda batch: reference(**padded(*batch)).loss
    step = AuthorsStep(model).train()
    return lambda batch: step(padded(*batch))


def step(loss: Callable[[Any], Any], batch: Any, precision: str) -> float:
    """Forward and backward; returns the loss."""
    import torch

    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        value = loss(batch)
    value.backward()
    return value.item()


def check_same_loss(quick: bool) -> None:
    """Without dropout, all three must agree."""
    import torch
    from _pretraining_batches import make_batches

    model = build(quick, 0.0)
    batch = make_batches(1, BATCH, sizes_of(quick))[0]
    with torch.no_grad():
        found = {which: float(losses(model, which)(batch)) for which in ("ours", *PEERS)}
    if max(found.values()) - min(found.values()) > 1e-4 * found["ours"]:
        sys.exit(f"the peers compute another loss: {found}")


def step_rows(quick: bool) -> list[Row]:
    from _pretraining_batches import make_batches

    model = build(quick, 0.1)
    batches = make_batches(1 if quick else 2, BATCH, sizes_of(quick))
    measured = {which: losses(model, which) for which in ("ours", *PEERS)}
    rows = []
    for precision in ("fp32", "bf16"):
        native = precision == "fp32" or has_native_bf16()
        seconds: dict[str, list[float]] = {which: [] for which in measured}
        for turn in range(-1, 2 if quick else 4):
            for which, loss in measured.items():
                started = cpu_seconds()
                step(loss, batches[turn % len(batches)], precision)
                if turn >= 0:  # the turn before is the warm-up
                    seconds[which].append(cpu_seconds() - started)
        for which, label in PEERS.items():
            ratio = statistics.median(
                ours / theirs for ours, theirs in zip(seconds["ours"], seconds[which], strict=True)
            )
            name = f"step, {precision}{'' if native else ' (not native here)'}, {label}"
            bar = BARS[precision, which] if native else ""
            rows.append(Row(name, speed(seconds["ours"]), speed(seconds[which]), ratio, bar))
    return rows


def speed(seconds: list[float]) -> str:
    middle = statistics.median(seconds)
    return f"{middle:.2f} s ({BATCH / middle:.2f} samples/s)"


def has_native_bf16() -> bool:
    """Whether this processor multiplies bf16."""
    flags = Path("/proc/cpuinfo").read_text().split("flags", 1)[-1].split("\n", 1)[0].split()
    return any(name in flags for name in NATIVE_BF16)


def memory_rows(quick: bool) -> list[Row]:
    rows = []
    for precision in ("fp32", "bf16"):
        peak = {}
        for which in ("ours", *PEERS):
            target = CACHE / "pretraining-memory.json"
            script = Path(__file__).resolve()
            command: list[str | Path] = [sys.executable, script, "--child", which, precision]
            run_process([*command, "quick" if quick else "full"], stdout=target)
            peak[which] = json.loads(target.read_text())["peak"]
        for which, label in PEERS.items():
            ratio = peak["ours"] / peak[which]
            ours, theirs = (f"{peak[key] / 2**20:.0f} MB" for key in ("ours", which))
            # The bars are about a vocabulary that outweighs the rest, as the full size has it.
            bar = "" if quick else MEMORY_BARS[which]
            rows.append(
                Row(f"memory above weights, {precision}, {label}", ours, theirs, ratio, bar)
            )
    return rows


def child(which: str, precision: str, size: str) -> None:
    """Print the peak of two steps above the weights."""
    from _pretraining_batches import make_batches

    quick = size == "quick"
    loss = losses(model := build(quick, 0.1), which)
    batch = make_batches(1, BATCH, sizes_of(quick))[0]
    sum(float(parameter.detach().sum()) for parameter in model.parameters())  # touch every page
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
    base = memory_of_process("VmRSS")
    for _ in range(2):
        step(loss, batch, precision)
    print(json.dumps({"peak": memory_of_process("VmHWM") - base}))


def memory_of_process(field: str) -> int:
    """Bytes of this process: ``VmRSS``, or ``VmHWM``, its peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


def loader_rows(quick: bool) -> list[Row]:
    import _luke_loader_peer as peer
    from _pretraining_batches import MAXIMUM_MENTION, make_rows, write_rows
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    from mluke_core.pretraining.collate import MaskShares
    from mluke_core.pretraining.loader import Loader
    from mluke_core.pretraining.shards import UnpackedRows

    sizes = sizes_of(quick)
    rows = make_rows(1024, sizes, 3)
    stored = write_rows(rows, CACHE / "pretraining-rows.arrow")
    shares = MaskShares(0.15, 0.15)
    loader = Loader(
        {"en": UnpackedRows([stored])}, {}, {"en": 1.0}, sizes.vocabulary, shares, 1, "benchmark"
    )
    tokens = Tokenizer(WordLevel({f"w{number}": number for number in range(sizes.words)}, "w3"))
    words = peer.Words(tokens.id_to_token, sizes.words, sizes.words - 1)
    items = [peer.item_of(row, MAXIMUM_MENTION) for row in rows]
    loader.batch(0, 16)
    speeds: dict[str, list[float]] = {"ours": [], "theirs": []}
    for turn in range(2 if quick else 6):
        first = turn * 512
        started = cpu_seconds()
        for start in range(first, first + 512, 16):
            loader.batch(start, start + 16)
        middle = cpu_seconds()
        speeds["ours"].append(512 / (middle - started))
        for start in range(0, 128, 16):
            peer.batch(items[start : start + 16], words)
        speeds["theirs"].append(128 / (cpu_seconds() - middle))
    ours, theirs = (statistics.median(found) for found in speeds.values())
    shown = (f"{ours:,.0f} sequences/s", f"{theirs:,.0f} sequences/s")
    step = gpu_step_speed(sizes.longest)
    return [
        Row("loader, one core, the authors' batch generator", *shown, ours / theirs, ">= 20"),
        Row(
            "loader, one core, a GPU's step",
            shown[0],
            f"{step:,.0f} sequences/s",
            ours / step,
            ">= 5",
        ),
    ]


def gpu_step_speed(longest: int) -> float:
    """Sequences/s of a step of base size on the GPU of the description."""
    from _pretraining_batches import Sizes, make_batches

    from mluke_core.modeling.config import ModelConfig
    from mluke_core.pretraining.flops import step_flops

    sizes = Sizes(250_002, 1_200_000, longest)
    config = ModelConfig(
        "luke",
        sizes.words,
        768,
        12,
        12,
        3072,
        514,
        entity_count=sizes.entities,
        entity_embedding_size=256,
    )
    batches = make_batches(4, 16, sizes)
    done = sum(step_flops(config, *batch, "all", True) for batch in batches)
    return sum(batch.size for batch, _ in batches) * GPU_SHARE * GPU_FLOPS / done


def run(arguments: argparse.Namespace) -> list[Row]:
    if arguments.gpu:
        import torch

        if not (torch.cuda.is_available() or arguments.quick):
            sys.exit("--gpu: no CUDA device. With --quick it runs at a tiny size on the CPU.")
        from _pretraining_gpu import gpu_rows

        return gpu_rows(arguments.quick)
    check_same_loss(arguments.quick)
    from _pretraining_update import update_rows

    quick = arguments.quick
    return [*step_rows(quick), *memory_rows(quick), *update_rows(quick), *loader_rows(quick)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--gpu", action="store_true", help="base size on a CUDA device")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:5])
        sys.exit(0)
    started_at = time.perf_counter()
    status = main(NAME, DESCRIPTION, run, ["torch", "transformers"], add_arguments)
    print(f"{time.perf_counter() - started_at:.0f} s", file=sys.stderr)
    sys.exit(status)
