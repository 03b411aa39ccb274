"""Fetch the page or file behind a link, from the public internet only.

A link in MISP is written by anybody, and the worker stands inside the network. So every address
that a name resolves to is checked, the connection goes to the very address that was checked, and
each redirect is a new link. No proxy of the environment is used.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import SplitResult, urljoin, urlsplit

from engine.errors import DocumentError

MAX_BYTES = 20_000_000
TOTAL_S = 6.0
REDIRECTS = 5
_MOVED = {301, 302, 303, 307, 308}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # global by number, yet leads to any IPv4 address
_DEFANGED = (("hxxp", "http"), ("[.]", "."), ("[:]", ":"))

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def fetch(url: str, allowed: Sequence[Network] = ()) -> tuple[bytes, str, str]:
    """Fetch a link.

    Parameters
    ----------
    url : str
        HTTP or HTTPS; defanged ones (``hxxp``, ``[.]``) are read as what they stand for.
    allowed : sequence of networks
        Private networks that it may lead to.

    Returns
    -------
    data : bytes
    media_type : str
        What the server says it is.
    url : str
        Where it was in the end.

    Raises
    ------
    DocumentError
        If the link leads to a private address, or cannot be fetched within the limits.
    """
    for fanged, plain in _DEFANGED:
        url = url.replace(fanged, plain)
    deadline = time.monotonic() + TOTAL_S
    for _ in range(REDIRECTS + 1):
        parts = _checked(url)
        try:
            with _ask(parts, allowed, deadline) as response:
                if response.status in _MOVED and (target := response.getheader("Location")):
                    url = urljoin(url, target)
                    continue
                if response.status != http.client.OK:
                    raise DocumentError(
                        f"{url} answered with status {response.status}: open it in a browser, and "
                        "attach the page as a file."
                    )
                return _read(response, url), response.getheader("Content-Type", ""), url
        except (OSError, http.client.HTTPException) as error:
            raise DocumentError(
                f"{url} cannot be fetched ({error}): attach the page as a file."
            ) from error
    raise DocumentError(f"{url} is redirected more than {REDIRECTS} times.")


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        _ = parts.port
    except ValueError as error:
        raise DocumentError(f"'{url}' is no link: {error}.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise DocumentError(f"'{url}' is no link of the web: only http and https are fetched.")
    if parts.username or parts.password:
        raise DocumentError("The link holds a user name or password: it is not fetched.")
    return parts


@contextmanager
def _ask(
    parts: SplitResult, allowed: Sequence[Network], deadline: float
) -> Iterator[http.client.HTTPResponse]:
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = _resolve(host, port, allowed)
    with socket.create_connection((str(address), port), _left(deadline)) as plain, ExitStack() as s:
        # A server that sends a byte now and then passes every time limit of a single read.
        timer = threading.Timer(_left(deadline), _cut, [plain.dup()])
        timer.daemon = True
        timer.start()
        s.callback(timer.cancel)
        sock: socket.socket = plain
        if parts.scheme == "https":
            context = ssl.create_default_context()
            sock = s.enter_context(context.wrap_socket(plain, server_hostname=host))
        connection = http.client.HTTPConnection(host, port)
        connection.sock = sock
        s.callback(connection.close)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"User-Agent": "ttpscribe", "Accept-Encoding": "identity"}
        connection.request("GET", path, headers=headers)
        yield connection.getresponse()


def _cut(sock: socket.socket) -> None:
    with sock, suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _resolve(host: str, port: int, allowed: Sequence[Network]) -> Address:
    """Return an address of the host, if every one of them may be reached."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DocumentError(f"The host {host} is not known: check the link.") from error
    addresses = [ipaddress.ip_address(str(entry[4][0]).split("%")[0]) for entry in found]
    for address in addresses:
        if not may_reach(address, allowed):
            raise DocumentError(
                f"The link leads to {host} at {address}, which is no public address: it is not "
                "fetched. An admin may allow a network by TTPSCRIBE_MISP_FETCH_NETWORKS."
            )
    return addresses[0]


def may_reach(address: Address, allowed: Sequence[Network] = ()) -> bool:
    """Tell whether an address is public, or in a network that the admin allows."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return may_reach(inner, allowed)
        if address.teredo:
            return False
    if any(address in network for network in allowed):
        return True
    return address.is_global and not address.is_multicast


def _read(response: http.client.HTTPResponse, url: str) -> bytes:
    data = bytearray()
    while part := response.read1(1 << 16):
        data += part
        if len(data) > MAX_BYTES:
            raise DocumentError(f"{url} has more than {MAX_BYTES / 1e6:.0f} MB: attach a part.")
    if response.length:  # what was announced and has not come
        raise DocumentError(f"{url} broke off, or took longer than {TOTAL_S:.0f} s.")
    return bytes(data)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError(f"it took longer than {TOTAL_S:.0f} s")
    return left
