"""A local HTTP server that behaves badly on demand."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class World:
    """Files by path, how each request for them is answered, and what was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    behaviours: dict[str, list[str]] = field(default_factory=dict)
    """Per path, one for each request in turn, then normal: a status such as ``503`` or ``204``,
    without content; ``bad-retry-after`` (503, to be asked again after ``abc``); ``empty`` (200, but
    no content); ``truncate`` (half of what is announced); ``long`` (announces half of what it has);
    ``no-range``; ``wrong-range``; ``close`` (no answer); ``stall`` (half, then nothing);
    ``no-length``; ``slow`` (waits a little)."""
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    etags: bool = True
    retry_after: str | None = "0"
    """What a busy server (503, 429) asks for; None: nothing."""
    base: str = ""
    open: int = 0
    most_open: int = 0
    """How many slow answers clients were waiting for at the same time."""

    def of(self, path: str) -> list[dict[str, str]]:
        """Headers of every request for ``path``."""
        return [headers for asked, headers in self.requests if asked == path]


@contextmanager
def serve(world: World) -> Iterator[World]:
    """Serve ``world`` on this machine; ``world.base`` is its address."""

    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            return

        def do_GET(self) -> None:
            world.requests.append((self.path, dict(self.headers)))
            queue = world.behaviours.get(self.path, [])
            behaviour = queue.pop(0) if queue else ""
            if behaviour == "slow":
                self._dawdle()
            if behaviour == "close":
                self.close_connection = True
                self.connection.close()
                return
            retry_after = "abc" if behaviour == "bad-retry-after" else world.retry_after
            behaviour = {"bad-retry-after": "503", "empty": "200"}.get(behaviour, behaviour)
            if behaviour.isdigit():
                self.send_response(int(behaviour))
                if behaviour in ("503", "429") and retry_after is not None:
                    self.send_header("Retry-After", retry_after)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = world.files.get(self.path)
            if body is None:
                self.send_error(404)
                return
            start = 0
            asked = self.headers.get("Range", "")
            fresh = self.headers.get("If-Range", self._tag(body)) == self._tag(body)
            if asked and fresh and behaviour != "no-range":
                start = int(asked.removeprefix("bytes=").partition("-")[0])
                if start >= len(body):
                    self.send_response(416)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206)
                shown = start + 1 if behaviour == "wrong-range" else start
                self.send_header("Content-Range", f"bytes {shown}-{len(body) - 1}/{len(body)}")
            else:
                self.send_response(200)
            if world.etags:
                self.send_header("ETag", self._tag(body))
            rest = body[start:]
            announced = len(rest) // 2 if behaviour == "long" else len(rest)
            if behaviour != "no-length":
                self.send_header("Content-Length", str(announced))
            else:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            if behaviour == "truncate":
                rest = rest[: len(rest) // 2]
                self.close_connection = True
            if behaviour == "stall":
                self.wfile.write(rest[: len(rest) // 2])
                self.wfile.flush()
                time.sleep(0.5)
                self.close_connection = True
                return
            self.wfile.write(rest)

        def _dawdle(self) -> None:
            # Over before the client hears anything: a client that has its answer may ask again
            # before this thread runs on.
            with lock:
                world.open += 1
                world.most_open = max(world.most_open, world.open)
            time.sleep(0.05)
            with lock:
                world.open -= 1

        @staticmethod
        def _tag(body: bytes) -> str:
            return f'"{hash(body)}"'

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    world.base = f"http://127.0.0.1:{server.server_port}"
    try:
        yield world
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
