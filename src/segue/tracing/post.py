"""One HTTP POST from a thread, within a deadline: bytes out, the answer's status in.

No redirects are followed, so that credentials reach nobody else. Proxies of the environment are honoured for every host
except loopback. When and how often to try is decided in `segue.tracing.delivery`.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

_MOST_READ = 65_536
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    """0 where nothing did."""
    reason: str
    body: bytes = b""
    retry_after_s: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether it was taken."""
        return 200 <= self.status < 300

    @property
    def may_retry(self) -> bool:
        """Whether the same bytes may be taken later."""
        return self.status in (0, 408, 429) or self.status >= 500


class Poster:
    """Posts to one URL, a connection each time. For one thread; `interrupt` may come from any."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self.url = urlsplit(url)
        self._headers = dict(headers)
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes, headers: Mapping[str, str], *, deadline_s: float) -> Answer:
        """Send it and wait for the answer, `deadline_s` seconds at most, name resolution aside; never raises."""
        late = threading.Timer(deadline_s, self.interrupt)
        late.daemon = True
        late.start()
        try:
            connection, target = self._connect(min(deadline_s, 5.0))
            self._connection = connection
            connection.request("POST", target, body, {**self._headers, **headers})
            response = connection.getresponse()
            said = response.read(_MOST_READ)
            return Answer(response.status, response.reason, said, _seconds(response.getheader("Retry-After")))
        except Exception as error:  # whatever a socket closed from outside makes of it
            return Answer(0, type(error).__name__)
        finally:
            late.cancel()
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def interrupt(self) -> None:
        """Break off what is under way."""
        held = self._connection.sock if self._connection is not None else None
        if held is not None:
            try:
                held.shutdown(socket.SHUT_RDWR)
            except OSError:
                held.close()

    def _connect(self, timeout_s: float) -> tuple[http.client.HTTPConnection, str]:
        url, proxy = self.url, _proxy(self.url)
        host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        if url.scheme == "https":
            context = ssl.create_default_context()
            secure = http.client.HTTPSConnection(
                (proxy.hostname or "") if proxy else host, proxy.port if proxy else port, timeout=timeout_s,
                context=context,
            )  # fmt: skip
            if proxy:
                secure.set_tunnel(host, port)
            return secure, path
        if proxy:
            return http.client.HTTPConnection(proxy.hostname or "", proxy.port, timeout=timeout_s), url.geturl()
        return http.client.HTTPConnection(host, port, timeout=timeout_s), path


def _proxy(url: SplitResult) -> SplitResult | None:
    host = url.hostname or ""
    if host in _LOOPBACK or host.startswith("127.") or proxy_bypass(host):
        return None
    held = getproxies()
    found = held.get(url.scheme) or held.get("all")
    return urlsplit(found if "://" in found else f"http://{found}") if found else None


def _seconds(text: str | None) -> float:
    try:
        return max(0.0, float(text or 0))
    except ValueError:
        return 0.0
