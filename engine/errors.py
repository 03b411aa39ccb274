"""Errors that a user can act on. Each carries the exit code of the command line."""

from __future__ import annotations

from typing import ClassVar


class TtpscribeError(Exception):
    """Base of all errors raised for a reason that the user can mend.

    The text says what is wrong and what to do about it; the command line prints it without a
    traceback and ends with ``exit_code``.
    """

    exit_code: ClassVar[int] = 1


class UsageError(TtpscribeError):
    """The call itself is wrong: an option, a combination of options, a malformed request."""

    exit_code = 2


class DocumentError(TtpscribeError):
    """A document cannot be read: missing, empty, encrypted, damaged, too large, no text."""

    exit_code = 3


class KnowledgeError(TtpscribeError):
    """An ATT&CK id or a knowledge file cannot be used."""

    exit_code = 4


class ReleaseError(TtpscribeError):
    """A release is missing, damaged, of a newer protocol, or does not match its hashes."""

    exit_code = 5


class TrainingDataError(TtpscribeError):
    """Training data cannot be read or cannot be learned from."""

    exit_code = 6


class LedgerError(TtpscribeError):
    """The ledger cannot be opened, read or written: locked, full, unreachable, too new."""

    exit_code = 7
