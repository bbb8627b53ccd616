"""Write envs/*.yaml from the pip requirements and their pins.

Example:
    python envs/write_conda_files.py
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Besides Python: DeepSpeed compiles a small extension when training starts.
KINDS = {
    "mluke": ("requirements.txt", ["gxx"], "What the project imports or runs"),
    "dev": ("requirements-dev.txt", [], "What tests and linters need on top"),
    "cluster": ("requirements-cluster.txt", [], "What the cluster profiles need on top"),
}


def main() -> int:
    """Write one file per kind of requirements."""
    pins = dict(line.split("==") for line in _lines("constraints.txt"))
    versions = {_normal(name): version for name, version in pins.items()}
    for kind, (requirements, more, text) in KINDS.items():
        packages = [f"      - {n}=={versions[_normal(n)]}" for n in _lines(requirements)]
        lines = [
            f"# {text}, for conda. Written by `make envs`; edit {requirements} instead.",
            "channels: [conda-forge]",
            "dependencies:",
            *(f"  - {name}" for name in ["python=3.11", "pip", *more]),
            "  - pip:",
            *packages,
        ]
        (ROOT / "envs" / f"{kind}.yaml").write_text("\n".join(lines) + "\n", "utf-8")
    return 0


def _lines(name: str) -> list[str]:
    found = (line.split("#")[0].strip() for line in (ROOT / name).read_text("utf-8").splitlines())
    return [line for line in found if line]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main())
