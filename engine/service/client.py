"""Asks an engine service: what a platform's plugin uses in place of an engine of its own.

>>> from engine.service.client import Client
>>> client = Client("https://engine.example.org:8321", key="ttps_...")
>>> client.analyse(document).findings  # doctest: +SKIP

It needs ``requests`` and nothing of the server. Text goes to that address only: no proxy of the
environment, no redirect.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests

from engine.analysis import DEFAULT_INFERENCES, DEFAULT_POINT, NOTHING
from engine.errors import DocumentError, KnowledgeError, TtpscribeError, UsageError
from engine.service.errors import Refused, ServiceError, Unreachable
from engine.service.wire import read_analysis, read_inference, write_document
from engine.types import Analysis, Document, Inference

log = logging.getLogger(__name__)
T = TypeVar("T")

CONNECT_S = 5.0
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
PASSING = frozenset({429, 502, 503, 504})
# The errors that the engine raises in process are raised here, too.
KINDS: Mapping[str, type[TtpscribeError]] = {
    "usage": UsageError,
    "document": DocumentError,
    "too_large": DocumentError,
    "knowledge": KnowledgeError,
    "key": Refused,
    "host": Refused,
}


@dataclass(frozen=True, slots=True)
class Serving:
    """What a service answers with now."""

    release: str
    attack_version: str


class Client:
    """Asks a service, again if it is away for a moment. Threads may share it.

    Parameters
    ----------
    url : str
        Its address, such as ``https://engine:8321``.
    key : str, optional
        The API key.
    key_file : Path, optional
        A file that holds it, read at each request: a new key needs no restart.
    ca_file : Path, optional
        Certificates to trust, where the service's is of a private authority.
    timeout : float
        Seconds to wait for one answer; more than the service's own deadline.
    retries : int
        How often a request is sent again where the service cannot be reached or has no time.

    Raises
    ------
    UsageError
        If the address is none.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        key_file: Path | None = None,
        ca_file: Path | None = None,
        timeout: float = 150.0,
        retries: int = 5,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query:
            raise UsageError(
                f"'{url}' is no address of an engine service. Write https://HOST:8321."
            )
        if parts.username or parts.password:
            raise UsageError(
                "The address of the engine service must not hold a secret: messages show it. Put "
                "the key into the setting of the engine's key."
            )
        self.url = url.rstrip("/")
        self._key = key
        self._key_file = key_file
        self._ca_file = ca_file
        self._timeout = timeout
        self._retries = retries

    def analyse(
        self,
        document: Document,
        operating_point: str = DEFAULT_POINT,
        *,
        threshold: float | None = None,
        inferences: int = DEFAULT_INFERENCES,
        added: Mapping[str, float] = NOTHING,
        removed: Collection[str] = (),
    ) -> Analysis:
        """Find the techniques of a document; as `engine.Engine.analyse`, which see.

        Raises
        ------
        Unreachable
            If the service does not answer, or has no time, after all tries.
        Refused
            If it does not take the key.
        TtpscribeError
            Whatever the engine raises, and `ServiceError` if the answer makes no sense.
        """
        body = {
            "document": write_document(document),
            "operating_point": operating_point,
            "threshold": threshold,
            "inferences": inferences,
            "added": dict(added),
            "removed": sorted(removed),
            "include": ["exact"],
        }
        return self._post("/v1/analyse", body, lambda values: read_analysis(values, document))

    def analyse_file(self, data: bytes, name: str, **options: Any) -> Analysis:
        """Have a file (PDF, DOCX, HTML, Markdown, text) read and analysed by the service.

        Parameters
        ----------
        data : bytes
        name : str
            What to call it; its extension helps to tell the format.
        **options
            As of `analyse`, by name.
        """
        given = {
            "operating_point": DEFAULT_POINT, "threshold": None, "inferences": DEFAULT_INFERENCES,
            "added": {}, "removed": (), **options,
        }  # fmt: skip
        fields = {
            "operating_point": given["operating_point"],
            "inferences": str(given["inferences"]),
            "added": json.dumps(dict(given["added"])),
            "removed": ",".join(sorted(given["removed"])),
            "include": "exact,text",
        }
        if given["threshold"] is not None:
            fields["threshold"] = repr(float(given["threshold"]))
        call = {"data": fields, "files": {"file": (name, data)}}
        return self._ask("POST", "/v1/analyse", call, read_analysis)

    def infer(
        self, observed: Mapping[str, float], k: int, recommender: str | None = None
    ) -> tuple[Inference, ...]:
        """Rank the techniques likely beside the observed; as `engine.Engine.infer`."""
        if not observed:
            return ()
        body = {
            "techniques": dict(observed), "count": k, "recommender": recommender,
            "include": ["exact"],
        }  # fmt: skip
        return self._post(
            "/v1/infer", body, lambda values: tuple(map(read_inference, values["inferences"]))
        )

    def serving(self) -> Serving:
        """Return what the service answers with now."""
        return self._ask(
            "GET", "/ready", {},
            lambda values: Serving(str(values["release"]), str(values["attack_version"])),
        )  # fmt: skip

    def releases(self) -> dict[str, Any]:
        """Return the service's releases; needs the key, and so tells whether it is good."""
        return self._ask("GET", "/v1/releases", {}, dict)

    def _post(self, path: str, body: Mapping[str, Any], read: Callable[[Any], T]) -> T:
        call = {
            "data": json.dumps(body).encode(),
            "headers": {"Content-Type": "application/json"},
        }
        return self._ask("POST", path, call, read)

    def _ask(self, method: str, path: str, call: Mapping[str, Any], read: Callable[[Any], T]) -> T:
        response = self._send(method, path, call)
        try:
            values = response.json()
        except ValueError:
            values = None
        if not response.ok or not isinstance(values, dict):
            raise self._error(response, values)
        try:
            return read(values)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ServiceError(
                f"The answer of {self.url}{path} has another form than expected ({error!r}): the "
                "service and this program are of different versions. Upgrade the older one."
            ) from error

    def _send(self, method: str, path: str, call: Mapping[str, Any]) -> requests.Response:
        wait = FIRST_WAIT_S
        for attempt in range(self._retries + 1):
            last = attempt == self._retries
            retry_after = 0.0
            try:
                response = self._once(method, path, call)
            except (requests.ConnectionError, requests.Timeout) as error:
                if last or isinstance(error, requests.exceptions.SSLError):
                    raise self._unreachable(error) from error
                told = type(error).__name__
            except requests.RequestException as error:
                raise self._unreachable(error) from error
            else:
                if response.status_code not in PASSING or last or _is_late(response):
                    return response
                retry_after = _seconds(response.headers.get("Retry-After"))
                told = str(response.status_code)
            # Many clients that were turned away together must not come back together.
            pause = min(max(wait, retry_after), LONGEST_WAIT_S) * random.uniform(1, 1.3)  # noqa: S311
            log.warning("The engine at %s: %s; again in %.1f s.", self.url, told, pause)
            time.sleep(pause)
            wait *= 2
        raise AssertionError("not reached")

    def _once(self, method: str, path: str, call: Mapping[str, Any]) -> requests.Response:
        # A session for each: requests' own is not made for threads, and a connection that the
        # service closed while it was idle would fail the next call.
        with requests.Session() as session:
            session.trust_env = False
            headers = {"Accept": "application/json", **call.get("headers", {})}
            if key := self._secret():
                headers["Authorization"] = f"Bearer {key}"
            return session.request(
                method,
                self.url + path,
                timeout=(CONNECT_S, self._timeout),
                allow_redirects=False,
                verify=str(self._ca_file) if self._ca_file else True,
                **{**call, "headers": headers},
            )

    def _secret(self) -> str | None:
        if self._key or self._key_file is None:
            return self._key
        try:
            return self._key_file.read_text(encoding="utf-8").strip() or None
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"The file of the engine's key, {self._key_file}, cannot be read "
                f"({getattr(error, 'strerror', None) or 'it is no text'})."
            ) from error

    def _unreachable(self, error: requests.RequestException) -> TtpscribeError:
        if isinstance(error, requests.exceptions.SSLError):
            return Refused(
                f"The certificate of the engine at {self.url} is not trusted ({_reason(error)}). "
                "Name the certificates to trust in the setting of the engine's CA file."
            )
        return Unreachable(
            f"The engine at {self.url} does not answer ({_reason(error)}). Check that 'ttpscribe "
            "serve' runs there and that this machine reaches it."
        )

    def _error(self, response: requests.Response, values: Any) -> TtpscribeError:
        told = values.get("error") if isinstance(values, dict) else None
        if not isinstance(told, dict) or not isinstance(told.get("message"), str):
            return ServiceError(
                f"{self.url} answers {response.status_code}, but not as an engine service. Check "
                "the address and the port."
            )
        code, message = str(told.get("code")), told["message"]
        if response.status_code in PASSING:
            return Unreachable(f"The engine at {self.url} has no time: {message}")
        return KINDS.get(code, ServiceError)(
            f"The engine at {self.url}: {message}" if code in ("key", "host") else message
        )


def _is_late(response: requests.Response) -> bool:
    """Tell whether the service ran out of time: the same again would take as long."""
    try:
        return bool(response.json()["error"]["code"] == "late")
    except (ValueError, KeyError, TypeError):
        return False


def _seconds(value: str | None) -> float:
    try:
        return max(0.0, float(value or 0))
    except ValueError:
        return 0.0  # a date; the usual wait will do


def _reason(error: BaseException) -> str:
    """Return the innermost reason, without the request."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return (getattr(error, "strerror", None) or type(error).__name__)[:200]
