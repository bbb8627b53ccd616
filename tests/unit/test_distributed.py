"""Which network a process uses, and how it names those it waits for."""

from __future__ import annotations

import socket

import psutil
import pytest

from mluke_core.pretraining import distributed
from mluke_core.pretraining.distributed import interface_towards


def test_processes_are_named_by_machine() -> None:
    assert (
        distributed._named([0, 1, 3], ["a", "a", "a", "b"]) == "process 0, 1 on a, process 3 on b"
    )
    assert distributed._named([2, 3], []) == "process 2, 3"


def test_the_loopback_leads_to_no_other_machine() -> None:
    assert interface_towards("127.0.0.1") is None
    assert interface_towards("no.such.host.invalid") is None


def test_an_own_address_is_on_its_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first machine reaches the meeting point, itself, by the way the others come."""
    monkeypatch.undo()  # the guard against connections: a datagram socket's sends nothing
    for name, addresses in psutil.net_if_addrs().items():
        found = [a.address for a in addresses if a.family is socket.AF_INET]
        if found and not found[0].startswith("127."):
            assert interface_towards(found[0]) == name
            return
    pytest.skip("no network but the loopback")


@pytest.mark.parametrize(
    ("local_size", "expected"), [("2", None), ("1", "uplink0")], ids=["one machine", "two machines"]
)
def test_a_first_machine_that_is_its_own_loopback(
    monkeypatch: pytest.MonkeyPatch, local_size: str, expected: str | None
) -> None:
    """As Debian's /etc/hosts has it: fine alone, but no address to give to another machine."""
    ways = {"node1": None, distributed._ELSEWHERE: "uplink0"}
    monkeypatch.setattr(distributed, "interface_towards", ways.__getitem__)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", local_size)
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "x")
    monkeypatch.delenv("GLOO_SOCKET_IFNAME")
    distributed._choose_interface("node1")
    assert distributed.os.environ.get("GLOO_SOCKET_IFNAME") == expected


def test_a_setting_of_the_user_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "mine")
    distributed._choose_interface("127.0.0.1")
    assert distributed.os.environ["GLOO_SOCKET_IFNAME"] == "mine"
