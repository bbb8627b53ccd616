"""Fixtures for every test: no network but this machine, and where real data is found."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCAL_HOSTS = {"127.0.0.1", "::1", "localhost"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--drills", action="store_true", help="also run the long failure drills")
    parser.addoption(
        "--run-cluster", action="store_true", help="also run the tests that start a real Slurm"
    )


# Marker -> the option that asks for its tests, and why they are left out without it.
ONLY_IF_ASKED = {
    "drill": ("--drills", "a long drill: make test-drills"),
    "cluster": ("--run-cluster", "starts a real Slurm and changes the network: make test-cluster"),
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests that take long or need root unless they are asked for."""
    for marker, (option, reason) in ONLY_IF_ASKED.items():
        if config.getoption(option):
            continue
        skip = pytest.mark.skip(reason=reason)
        for item in items:
            if item.get_closest_marker(marker):
                item.add_marker(skip)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Refuse connections that leave this machine: a test that needs one is wrong."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in LOCAL_HOSTS:
            raise RuntimeError(f"a test tried to reach {address[0]}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)
    yield


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def mirror() -> Path:
    """A mirror of real data, beside the project or where MLUKE_MIRROR says; skips without one."""
    path = Path(os.environ.get("MLUKE_MIRROR", ROOT.parent / "shared" / "mirror"))
    if not (path / "SHA256SUMS").exists():
        pytest.skip(f"no mirror of real data at {path}; set MLUKE_MIRROR")
    return path
