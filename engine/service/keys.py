"""API keys: several, each with a name, hashed at rest, taken up as soon as the file changes.

A key is 32 random bytes, so one round of SHA-256 keeps it: there is nothing to guess. The file
never holds a key itself; whoever loses one adds another and revokes the old one.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from engine.errors import UsageError
from engine.service.errors import ServiceError

START = "ttps_"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Key(BaseModel):
    """What is kept of a key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(pattern=rf"^{NAME.pattern}$")]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    created: AwareDatetime
    expires: AwareDatetime | None = None
    revoked: AwareDatetime | None = None

    def valid(self, now: datetime) -> bool:
        """Tell whether it opens anything still."""
        return self.revoked is None and (self.expires is None or now < self.expires)


_KEYS = TypeAdapter(tuple[Key, ...])


class Keys:
    """The keys in a file.

    Parameters
    ----------
    path : Path
        It need not exist: then there are no keys.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[tuple[int, int, int], tuple[Key, ...]] | None = None

    def all(self) -> tuple[Key, ...]:
        """Return all keys, oldest first. As cheap as a ``stat`` while nothing changed.

        Raises
        ------
        ServiceError
            If the file is damaged or cannot be read.
        """
        try:
            status = self.path.stat()
            state = (status.st_ino, status.st_mtime_ns, status.st_size)
            if self._seen is None or self._seen[0] != state:
                self._seen = (state, _KEYS.validate_json(self.path.read_bytes()))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise ServiceError(
                f"The keys in {self.path} cannot be read ({error.strerror}). Check that the file "
                "is readable for the user that the service runs as."
            ) from error
        except ValidationError as error:
            raise ServiceError(
                f"The file of keys {self.path} is damaged. Put a copy back, or remove it and add "
                "new keys: ttpscribe serve keys add NAME"
            ) from error
        return self._seen[1]

    def name_of(self, given: str) -> str | None:
        """Return the name of a key that a client gave; None if it opens nothing."""
        digest = _hash(given)
        found = None
        # All are compared, so that the time tells nothing.
        for key in self.all():
            if hmac.compare_digest(key.sha256, digest) and key.valid(datetime.now(UTC)):
                found = key.name
        return found

    def add(self, name: str, expires: datetime | None = None) -> str:
        """Make a key and return it. It cannot be shown again.

        Raises
        ------
        UsageError
            If the name cannot be one, or belongs to a key that is valid.
        ServiceError
            If the file cannot be written.
        """
        if not NAME.fullmatch(name):
            raise UsageError(
                f"'{name}' cannot name a key: use up to 64 letters, digits, dots and hyphens."
            )
        now = datetime.now(UTC)
        keys = self.all()
        if any(key.name == name and key.valid(now) for key in keys):
            raise UsageError(
                f"There is a key '{name}'. Give the new one another name, such as "
                f"{name}-2, and revoke the old one once nobody uses it."
            )
        key = START + secrets.token_urlsafe(32)
        made = Key(name=name, sha256=_hash(key), created=now, expires=expires)
        self._write((*keys, made))
        return key

    def revoke(self, name: str) -> None:
        """Let a key open nothing from now on.

        Raises
        ------
        UsageError
            If there is no valid key of that name.
        ServiceError
            If the file cannot be written.
        """
        now = datetime.now(UTC)
        keys = self.all()
        if not any(key.name == name and key.valid(now) for key in keys):
            valid = ", ".join(key.name for key in keys if key.valid(now))
            raise UsageError(f"There is no valid key '{name}'. Valid ones: {valid or 'none'}.")
        self._write(
            tuple(
                key.model_copy(update={"revoked": now})
                if key.name == name and key.valid(now)
                else key
                for key in keys
            )
        )

    def _write(self, keys: tuple[Key, ...]) -> None:
        temporary: Path | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}-")
            temporary = Path(name)
            with os.fdopen(handle, "wb") as file:
                file.write(_KEYS.dump_json(keys, indent=1) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        except OSError as error:
            raise ServiceError(
                f"The keys could not be written to {self.path} ({error.strerror}). They are as "
                "they were before."
            ) from error
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
