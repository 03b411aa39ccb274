"""What reading one document may cost."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds for reading one document; the parser's process is ended when it passes one.

    Attributes
    ----------
    max_bytes : int
        Largest file that is read at all.
    max_text_chars : int
        Text beyond this many characters is left out, with a warning.
    max_pages : int
        Pages beyond this are left out, with a warning.
    max_unpacked_bytes : int
        Largest total size of what a zip container (DOCX) may unpack to.
    timeout_s : float
        Wall time and processor time for one document, in seconds.
    memory_mb : int
        Address space of the parser's process, in MiB.
    """

    max_bytes: int = 50_000_000
    max_text_chars: int = 5_000_000
    max_pages: int = 2_000
    max_unpacked_bytes: int = 300_000_000
    timeout_s: float = 60.0
    memory_mb: int = 2_048

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) <= 0:
                raise ValueError(f"{field.name} must be greater than 0")
