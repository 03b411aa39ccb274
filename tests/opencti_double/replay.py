"""Replays recorded traffic of a real platform against the double and compares the answers.

Ids of this run and times differ from the recorded ones. Internal ids and works are matched one
to one as they appear; standard ids follow from content and have to be equal.
"""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import requests

from .platform import OpenCTIDouble

UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
WORK = re.compile(r"work_[0-9a-f-]{36}_\d{4}-\d\d-\d\dT[\d:.]+Z")
EMBEDDED = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")

# Where this machine speaks, not the platform: addresses, keys, cursors.
OWN = frozenset({"port", "jwks", "pass", "s3", "startCursor", "endCursor"})


class DifferenceError(AssertionError):
    """An answer that is not the recorded one."""


class Replay:
    """Sends recorded requests; remembers which of our ids stands for which recorded one."""

    def __init__(self, platform: OpenCTIDouble, folder: Path) -> None:
        self._platform = platform
        self._folder = folder
        self.ours: dict[str, str] = {}
        self.files: dict[str, tuple[str, bytes, str]] = {}

    def load(self, name: str) -> Any:
        """Return one recording."""
        return json.loads((self._folder / name).read_text(encoding="utf-8"))

    def know(self, recorded: str, ours: str) -> None:
        """Match two ids, one to one."""
        if self.ours.setdefault(recorded, ours) != ours:
            raise DifferenceError(f"{recorded} was {self.ours[recorded]} and is {ours}")

    def call(self, call: dict[str, Any], queries: dict[str, list[str]]) -> None:
        """Send one recorded request and compare the answer."""
        headers = {
            key: self.translate(value)
            for key, value in call["headers"].items()
            if key not in ("user-agent", "content-type")
        }
        headers["authorization"] = self._token(headers["authorization"])
        recorded = call["response"]
        if call["method"] == "GET":
            answer = requests.get(
                self._platform.url + self.translate(call["path"]), headers=headers, timeout=10
            )
            self._equal(recorded["status"], answer.status_code, "status")
            body = recorded["body"]
            size = re.fullmatch(r"<(\d+) bytes>", body)
            self._equal(int(size[1]) if size else body, len(answer.content) if size
                        else answer.text, "body")  # fmt: skip
            return
        query = "\n".join(queries[call["op"]])
        answer = self._post(query, self.translate(call["variables"]), headers)
        self._equal(recorded["status"], answer.status_code, "status")
        self.compare(recorded["body"], answer.json(), call["op"])

    def ask(self, query: str, variables: Any, token: str | None) -> dict[str, Any]:
        """Send a request with our own token and return the body."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        body: dict[str, Any] = self._post(query, self.translate(variables), headers).json()
        return body

    def translate(self, value: Any) -> Any:
        """Put our ids in the place of recorded ones, anywhere in a value."""
        if isinstance(value, dict):
            return {key: self.translate(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.translate(each) for each in value]
        if isinstance(value, str):
            value = WORK.sub(lambda match: self.ours.get(match[0], match[0]), value)
            return EMBEDDED.sub(lambda match: self.ours.get(match[0], match[0]), value)
        return value

    def compare(self, recorded: Any, ours: Any, path: str) -> None:
        """Compare two values, ids and times aside; learn which ids stand for each other."""
        if isinstance(recorded, dict) and isinstance(ours, dict):
            self._equal(sorted(recorded), sorted(ours), f"{path}: fields")
            for key, value in recorded.items():
                if key not in OWN:
                    self.compare(value, ours[key], f"{path}.{key}")
        elif isinstance(recorded, list) and isinstance(ours, list):
            self._equal(len(recorded), len(ours), f"{path}: length")
            for index, pair in enumerate(zip(recorded, ours, strict=True)):
                self.compare(*pair, f"{path}[{index}]")
        elif isinstance(recorded, str) and isinstance(ours, str):
            self._compare_text(recorded, ours, path)
        else:
            self._equal(recorded, ours, path)

    def _compare_text(self, recorded: str, ours: str, path: str) -> None:
        if (UUID.match(recorded) and UUID.match(ours)) or (
            WORK.fullmatch(recorded) and WORK.fullmatch(ours)
        ):
            self.know(recorded, ours)
        elif not (TIME.match(recorded) and TIME.match(ours)):
            self._equal(self.translate(recorded), ours, path)

    def _equal(self, recorded: Any, ours: Any, path: str) -> None:
        if recorded != ours:
            raise DifferenceError(f"{path}:\n  recorded {recorded!r}\n  ours     {ours!r}")

    def _post(self, query: str, variables: Any, headers: dict[str, str]) -> requests.Response:
        url = f"{self._platform.url}/graphql"
        upload = self.files.get(query.split("(", 1)[0].split()[-1])
        if upload is None:
            body = {"query": query, "variables": variables}
            return requests.post(url, json=body, headers=headers, timeout=10)
        variables = copy.deepcopy(variables)
        fields = {
            "operations": json.dumps({"query": query, "variables": variables}),
            "map": json.dumps({"0": ["variables.file"]}),
        }
        return requests.post(url, data=fields, files={"0": upload}, headers=headers, timeout=10)

    def _token(self, placeholder: str) -> str:
        name = placeholder.removeprefix("Bearer <").removesuffix("_TOKEN>").lower()
        return f"Bearer {self._platform.users[name].token}"
