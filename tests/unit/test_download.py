"""The downloader against a server that truncates, refuses, ignores ranges and lies."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from mluke_core.errors import DownloadError
from mluke_core.io import download_http, host_slots
from mluke_core.io.download import Downloader, Expected
from mluke_core.io.host_slots import host_slot
from mluke_core.io.mirror import Mirror, local_path, parse_checksums
from tests.http_world import World, serve

BODY = bytes(range(256)) * 4000


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def expected(data: bytes = BODY) -> Expected:
    return Expected(len(data), hashlib.sha1(data).hexdigest(), sha256(data), "the test")


@pytest.fixture
def world() -> Iterator[World]:
    with serve(World({"/a/b.bin": BODY})) as running:
        yield running


@pytest.fixture
def downloader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Downloader:
    monkeypatch.setattr(download_http.time, "sleep", lambda seconds: None)
    made = Downloader(tmp_path, contact="me@example.org")
    made.http = download_http.HttpSource("me@example.org", attempts=3, backoff_seconds=0)
    return made


def leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if p.is_file() and ".locks" not in p.parts)


def test_a_file_gets_its_name_with_its_digests(world: World, downloader: Downloader) -> None:
    fetched = downloader.fetch([f"{world.base}/a/b.bin"], expected())
    assert fetched.path.read_bytes() == BODY
    assert fetched.path == downloader.folder / world.base.removeprefix("http://") / "a" / "b.bin"
    assert (fetched.size, fetched.sha256) == (len(BODY), sha256(BODY))
    assert leftovers(downloader.folder) == ["b.bin"]
    (headers,) = world.of("/a/b.bin")
    assert "me@example.org" in headers["User-Agent"] and "mluke" in headers["User-Agent"]
    assert headers["Accept-Encoding"] == "identity"


def test_a_file_that_is_there_is_not_fetched_again(world: World, downloader: Downloader) -> None:
    for _ in range(2):
        downloader.fetch([f"{world.base}/a/b.bin"], expected())
    assert len(world.requests) == 1


def test_a_file_that_is_there_but_wrong_is_set_aside(world: World, downloader: Downloader) -> None:
    path = downloader.fetch([f"{world.base}/a/b.bin"]).path
    path.write_bytes(b"damaged")
    assert downloader.fetch([f"{world.base}/a/b.bin"], expected()).path.read_bytes() == BODY
    assert path.with_name("b.bin.rejected").read_bytes() == b"damaged"


@pytest.mark.parametrize("status", ["503", "429", "500"])
def test_busy_servers_are_asked_again(world: World, downloader: Downloader, status: str) -> None:
    world.behaviours["/a/b.bin"] = [status, status]
    assert downloader.fetch([f"{world.base}/a/b.bin"], expected()).size == len(BODY)
    assert len(world.requests) == 3


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that are waited for; nobody does wait."""
    seconds: list[float] = []
    # One module of the standard library under the names of its two users.
    monkeypatch.setattr(download_http.time, "sleep", seconds.append)
    return seconds


@pytest.mark.parametrize("status", ["503", "429"])
def test_retry_after_is_waited_for(
    world: World, tmp_path: Path, waits: list[float], status: str
) -> None:
    patient = Downloader(tmp_path)
    world.retry_after = "7"
    world.behaviours["/a/b.bin"] = [status, status]
    patient.fetch([f"{world.base}/a/b.bin"], expected())
    assert waits == [7, 7]


def test_retry_after_as_a_date_and_beyond_patience(
    world: World, tmp_path: Path, waits: list[float]
) -> None:
    patient = Downloader(tmp_path)
    patient.http = download_http.HttpSource(longest_wait_seconds=600)
    world.retry_after = formatdate(time.time() + 100_000, usegmt=True)
    world.behaviours["/a/b.bin"] = ["503"]
    patient.fetch([f"{world.base}/a/b.bin"], expected())
    assert waits == [600]


@pytest.mark.parametrize(
    "value", ["abc", "1.5", "-3", "9" * 5000, "Mon, 30 Nov 99999999999999999999 10:00:00 GMT"]
)
def test_an_unreadable_retry_after_counts_as_none(
    world: World, tmp_path: Path, waits: list[float], value: str
) -> None:
    world.retry_after = value
    world.behaviours["/a/b.bin"] = ["bad-retry-after", "503", "429"]
    assert Downloader(tmp_path).fetch([f"{world.base}/a/b.bin"], expected()).size == len(BODY)
    assert waits == [2, 4]  # the first wait of urllib3 is none


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [("204", "the server answers 204 No Content"), ("empty", "the server's answer is empty")],
)
def test_no_content_is_no_file(
    world: World, downloader: Downloader, behaviour: str, message: str
) -> None:
    world.behaviours["/a/b.bin"] = [behaviour]
    with pytest.raises(DownloadError, match=message):
        downloader.fetch([f"{world.base}/a/b.bin"])
    assert leftovers(downloader.folder) == []
    # The next address is tried.
    world.behaviours["/c.bin"] = [behaviour]
    urls = [f"{world.base}/c.bin", f"{world.base}/a/b.bin"]
    assert downloader.fetch(urls).size == len(BODY)


def test_an_empty_file_that_was_promised_is_one(world: World, downloader: Downloader) -> None:
    world.files |= {"/size": b"", "/digest": b""}
    assert downloader.fetch([f"{world.base}/size"], Expected(size=0)).size == 0
    assert downloader.fetch([f"{world.base}/digest"], Expected(sha256=sha256(b""))).size == 0


@pytest.mark.parametrize("behaviour", ["204", "empty"])
def test_an_empty_list_of_a_mirror_is_an_error(tmp_path: Path, behaviour: str) -> None:
    with (
        serve(World(behaviours={"/m/SHA256SUMS": [behaviour]})) as world,
        pytest.raises(DownloadError, match=r"SHA256SUMS: the server"),
    ):
        Downloader(tmp_path, f"{world.base}/m")


def test_the_wait_grows_with_each_try(world: World, tmp_path: Path, waits: list[float]) -> None:
    world.retry_after = None
    world.behaviours["/a/b.bin"] = ["503"] * 4
    Downloader(tmp_path / "busy").fetch([f"{world.base}/a/b.bin"], expected())
    assert waits == sorted(waits) and waits[-1] >= 4 * waits[0] > 0
    waits.clear()
    world.behaviours["/a/b.bin"] = ["truncate"] * 4
    Downloader(tmp_path / "broken").fetch([f"{world.base}/a/b.bin"], expected())
    assert waits == [1, 2, 4, 8]


def test_a_transfer_that_gets_on_is_not_given_up(
    world: World, downloader: Downloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_http, "PROGRESS_BYTES", 50_000)
    world.behaviours["/a/b.bin"] = ["truncate"] * 4
    assert downloader.http.attempts == 3
    assert downloader.fetch([f"{world.base}/a/b.bin"], expected()).size == len(BODY)


def test_a_server_that_closes_without_an_answer(world: World, downloader: Downloader) -> None:
    world.behaviours["/a/b.bin"] = ["close", "close"]
    assert downloader.fetch([f"{world.base}/a/b.bin"], expected()).size == len(BODY)
    world.behaviours["/c.bin"] = ["close"] * 9
    with pytest.raises(DownloadError, match="cannot be reached"):
        downloader.fetch([f"{world.base}/c.bin"])


def test_proxies_come_from_the_environment(
    world: World, downloader: Downloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", world.base)
    world.files["http://far.example/a"] = b"by proxy"
    fetched = downloader.fetch(["http://far.example/a"])
    assert fetched.path.read_bytes() == b"by proxy"
    assert world.requests[-1][0] == "http://far.example/a"


def test_a_broken_transfer_is_resumed(world: World, downloader: Downloader) -> None:
    world.behaviours["/a/b.bin"] = ["truncate", "truncate"]
    assert downloader.fetch([f"{world.base}/a/b.bin"], expected()).path.read_bytes() == BODY
    first, second, third = world.of("/a/b.bin")
    assert "Range" not in first
    assert 0 < resumed_at(second) < resumed_at(third) < len(BODY)
    assert "If-Range" in second


def resumed_at(headers: dict[str, str]) -> int:
    return int(headers["Range"].removeprefix("bytes=").removesuffix("-"))


def test_a_transfer_that_stalls_is_given_up_and_resumed(world: World, tmp_path: Path) -> None:
    patient = Downloader(tmp_path)
    patient.http = download_http.HttpSource(attempts=2, backoff_seconds=0, timeout_seconds=0.2)
    world.behaviours["/a/b.bin"] = ["stall"]
    assert patient.fetch([f"{world.base}/a/b.bin"], expected()).path.read_bytes() == BODY
    assert resumed_at(world.requests[-1][1]) > 0


def test_a_part_of_an_earlier_run_is_resumed(world: World, downloader: Downloader) -> None:
    world.behaviours["/a/b.bin"] = ["truncate", "404"]
    with pytest.raises(DownloadError, match="404"):
        downloader.fetch([f"{world.base}/a/b.bin"], expected())
    assert leftovers(downloader.folder) == ["b.bin.part", "b.bin.part.json"]
    fetched = Downloader(downloader.folder).fetch([f"{world.base}/a/b.bin"], expected())
    assert fetched.path.read_bytes() == BODY
    assert resumed_at(world.of("/a/b.bin")[-1]) > 0


def test_a_file_that_changed_meanwhile_is_fetched_from_its_beginning(
    world: World, downloader: Downloader
) -> None:
    world.behaviours["/a/b.bin"] = ["truncate", "404"]
    with pytest.raises(DownloadError):
        downloader.fetch([f"{world.base}/a/b.bin"])
    new = world.files["/a/b.bin"] = BODY[::-1]
    assert downloader.fetch([f"{world.base}/a/b.bin"]).path.read_bytes() == new


def test_without_version_or_digest_nothing_is_resumed(world: World, downloader: Downloader) -> None:
    world.etags = False
    world.behaviours["/a/b.bin"] = ["truncate", "404"]
    with pytest.raises(DownloadError):
        downloader.fetch([f"{world.base}/a/b.bin"])
    assert downloader.fetch([f"{world.base}/a/b.bin"]).path.read_bytes() == BODY
    assert "Range" not in world.requests[-1][1]


@pytest.mark.parametrize("behaviour", ["no-range", "wrong-range"])
def test_servers_without_working_ranges(
    world: World, downloader: Downloader, behaviour: str
) -> None:
    world.behaviours["/a/b.bin"] = ["truncate", behaviour]
    assert downloader.fetch([f"{world.base}/a/b.bin"], expected()).path.read_bytes() == BODY


def test_a_part_longer_than_the_file_is_started_anew(world: World, downloader: Downloader) -> None:
    target = downloader.folder / local_path(f"{world.base}/a/b.bin")
    target.parent.mkdir(parents=True)
    target.with_name("b.bin.part").write_bytes(b"x" * (len(BODY) + 5))
    assert downloader.fetch([f"{world.base}/a/b.bin"], expected()).path.read_bytes() == BODY


def test_a_complete_part_needs_no_transfer(world: World, downloader: Downloader) -> None:
    target = downloader.folder / local_path(f"{world.base}/a/b.bin")
    target.parent.mkdir(parents=True)
    target.with_name("b.bin.part").write_bytes(BODY)
    assert downloader.fetch([f"{world.base}/a/b.bin"], expected()).path.read_bytes() == BODY


def test_a_server_that_announces_too_little(world: World, downloader: Downloader) -> None:
    world.behaviours["/a/b.bin"] = ["long"]
    with pytest.raises(DownloadError, match=r"announces 512,000 bytes, but 1,024,000 were"):
        downloader.fetch([f"{world.base}/a/b.bin"], expected())
    world.behaviours["/a/b.bin"] = ["long"]
    with pytest.raises(DownloadError, match="sha256 is"):
        downloader.fetch([f"{world.base}/a/b.bin"], Expected(sha256=sha256(BODY)))


def test_a_server_that_names_no_length(world: World, downloader: Downloader) -> None:
    world.behaviours["/a/b.bin"] = ["no-length"]
    assert downloader.fetch([f"{world.base}/a/b.bin"], expected()).size == len(BODY)
    world.files["/c.bin"] = BODY + b"more"
    world.behaviours["/c.bin"] = ["no-length"]
    with pytest.raises(DownloadError, match="sends more than"):
        downloader.fetch([f"{world.base}/c.bin"], expected())


def test_a_transfer_that_never_completes(world: World, downloader: Downloader) -> None:
    world.behaviours["/a/b.bin"] = ["truncate"] * 9
    with pytest.raises(DownloadError, match=r"shorter than announced .* 3 times.*resumes"):
        downloader.fetch([f"{world.base}/a/b.bin"], expected())
    assert not (downloader.folder / local_path(f"{world.base}/a/b.bin")).exists()


def test_a_wrong_digest_names_who_sent_what(world: World, downloader: Downloader) -> None:
    promised = Expected(sha256="0" * 64, sha1="1" * 40, size=len(BODY), promised_by="the list")
    with pytest.raises(DownloadError) as error:
        downloader.fetch([f"{world.base}/a/b.bin"], promised)
    message = str(error.value)
    assert f"{world.base}/a/b.bin sent 1,024,000 bytes" in message
    assert f"sha256 is {sha256(BODY)}, but the list promises {'0' * 64}" in message
    assert f"promises {'1' * 40}" in message
    assert leftovers(downloader.folder) == ["b.bin.rejected"]


def test_addresses_are_tried_in_order_and_each_failure_is_named(
    world: World, downloader: Downloader
) -> None:
    world.files["/wrong/b.bin"] = b"other"
    urls = [f"{world.base}/{folder}/b.bin" for folder in ("gone", "wrong", "a")]
    assert downloader.fetch(urls, expected()).path.read_bytes() == BODY
    with pytest.raises(DownloadError) as error:
        downloader.fetch(urls[:2], expected())
    message = str(error.value)
    assert "none of 2 addresses" in message
    assert "/gone/b.bin: the server answers 404" in message
    assert "/wrong/b.bin: the server announces 5 bytes" in message


def test_a_server_that_is_not_there(downloader: Downloader) -> None:
    with pytest.raises(DownloadError, match="cannot be reached"):
        downloader.fetch(["http://127.0.0.1:9/x"])


def test_no_address_and_wrong_addresses(downloader: Downloader) -> None:
    with pytest.raises(DownloadError, match="has no address"):
        downloader.fetch([])
    for url in ("ftp://host/x", "https://host/", "https://host/a/../b", "https:///x", "x.txt"):
        with pytest.raises(DownloadError, match="not an address"):
            local_path(url)
    with pytest.raises(DownloadError, match="not an address"):
        local_path("https://host/a/%2e%2e/b")


def test_a_full_disk_is_one_message(
    world: World, downloader: Downloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = download_http.shutil.disk_usage(downloader.folder)
    monkeypatch.setattr(download_http.shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(DownloadError, match=r"needs 1,024,000 bytes, but only 1,000 are free"):
        downloader.fetch([f"{world.base}/a/b.bin"], expected())


def test_a_disk_that_fills_up_meanwhile(
    world: World, downloader: Downloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(downloader.http, "download", full)
    with pytest.raises(DownloadError, match=r"b\.bin: No space left.*free some space"):
        downloader.fetch([f"{world.base}/a/b.bin"], expected())


def test_an_unwritable_folder(tmp_path: Path, world: World) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DownloadError, match=r"Not a directory|Check the disk"):
        Downloader(tmp_path / "file").fetch([f"{world.base}/a/b.bin"])
    if os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(DownloadError, match="Make the folder writable"):
            Downloader(tmp_path / "locked").fetch([f"{world.base}/a/b.bin"])


def test_two_processes_at_once_fetch_once(world: World, tmp_path: Path) -> None:
    results: list[bytes] = []

    def fetch() -> None:
        found = Downloader(tmp_path).fetch([f"{world.base}/a/b.bin"], expected())
        results.append(found.path.read_bytes())

    threads = [threading.Thread(target=fetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [BODY] * 4


def test_at_most_two_slots_of_a_wikimedia_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "https://dumps.wikimedia.org/x"
    waited: list[float] = []

    class StillTaken(Exception):
        pass

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            raise StillTaken

    monkeypatch.setattr(host_slots.time, "sleep", sleep)
    with host_slot(tmp_path, address) as first:
        with host_slot(tmp_path, address) as second:
            assert {first, second} == {0, 1}
            with pytest.raises(StillTaken), host_slot(tmp_path, address):
                pass
            with host_slot(tmp_path, "https://example.org/x") as other:
                assert other == 0
        with host_slot(tmp_path, address) as again:
            assert again == second


def test_at_most_two_connections_to_a_wikimedia_host(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_slots, "LIMITED_DOMAINS", ("127.0.0.1",))
    monkeypatch.setattr(host_slots, "_WAIT_SECONDS", 0.005)
    paths = [f"/{number}" for number in range(6)]
    for path in paths:
        world.files[path] = BODY
        world.behaviours[path] = ["slow"]
    threads = [
        threading.Thread(target=Downloader(tmp_path).fetch, args=([world.base + path], expected()))
        for path in paths
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(world.requests) == 6 and world.most_open <= 2


def make_mirror(folder: Path, files: dict[str, bytes], sums: dict[str, str] | None = None) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    if sums is not None:
        lines = "".join(f"{digest}  ./{name}\n" for name, digest in sums.items())
        (folder / "SHA256SUMS").write_text(lines)
    return folder


def test_a_folder_as_mirror(tmp_path: Path) -> None:
    name = "host.example/a/b c.bin"
    mirror = make_mirror(tmp_path / "m", {name: BODY}, {name: sha256(BODY)})
    fetched = Downloader(tmp_path / "d", str(mirror)).fetch(["https://host.example/a/b%20c.bin"])
    assert fetched.path == tmp_path / "d" / name
    assert fetched.path.read_bytes() == BODY and fetched.url.startswith("https://host.example")


def test_a_mirror_is_checked_against_its_list(tmp_path: Path) -> None:
    name = "host.example/b.bin"
    mirror = make_mirror(tmp_path / "m", {name: BODY}, {name: "a" * 64})
    with pytest.raises(DownloadError) as error:
        Downloader(tmp_path / "d", str(mirror)).fetch([f"https://{name}"])
    assert f"{mirror}/{name} sent 1,024,000 bytes" in str(error.value)
    assert f"{mirror}/SHA256SUMS promises {'a' * 64}" in str(error.value)
    assert not (tmp_path / "d" / name).exists()


def test_a_server_as_mirror(tmp_path: Path) -> None:
    sums = f"{sha256(BODY)}  host.example/a b.bin\n".encode()
    with serve(World({"/m/host.example/a%20b.bin": BODY, "/m/SHA256SUMS": sums})) as world:
        mirror = f"{world.base}/m/"
        fetched = Downloader(tmp_path, mirror).fetch(["https://host.example/a%20b.bin"])
        assert fetched.path == tmp_path / "host.example" / "a b.bin"
        world.files["/m/host.example/a%20b.bin"] = BODY + b"x"
        fetched.path.unlink()
        with pytest.raises(DownloadError, match=r"SHA256SUMS promises"):
            Downloader(tmp_path, mirror).fetch(["https://host.example/a%20b.bin"])
        assert all(path.startswith("/m/") for path, _ in world.requests)


def test_a_mirror_server_without_a_list_is_taken_as_it_is(tmp_path: Path) -> None:
    with serve(World({"/host.example/a": b"1"})) as world:
        assert Downloader(tmp_path, world.base).fetch(["https://host.example/a"]).size == 1


def test_mirrors_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"there is no folder '.*/nowhere'.*or to null"):
        Downloader(tmp_path, str(tmp_path / "nowhere"))
    mirror = make_mirror(tmp_path / "m", {})
    mirror.mkdir()
    with pytest.raises(DownloadError, match="the mirror has no such file"):
        Downloader(tmp_path, str(mirror)).fetch(["https://host.example/a"])
    (mirror / "SHA256SUMS").write_text("nonsense\n")
    with pytest.raises(DownloadError, match="SHA256SUMS, line 1"):
        Downloader(tmp_path, str(mirror))


def test_checksum_lists() -> None:
    digest = "AB" * 32
    assert parse_checksums(f"{digest} *a b\n\n{digest}  ./c\n", "x") == {
        "a b": digest.lower(),
        "c": digest.lower(),
    }


def test_no_mirror_means_the_address_itself() -> None:
    location = Mirror(None, lambda address: None).locate("https://host.example/a")
    assert (location.address, location.is_local) == ("https://host.example/a", False)
