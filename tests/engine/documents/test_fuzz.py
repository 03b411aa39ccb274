"""Hostile files of every format: a sound document or a plain refusal, never anything else.

What is drawn is the same every time; `bench/fuzz.py` draws anew for as long as it is asked to.
"""

from __future__ import annotations

import pytest
from document_fuzzing import SUFFIXES, File, check, files, valid
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_files_to_damage_are_valid(suffix: str) -> None:
    for data in valid(suffix):
        document = check(data, f"x.{suffix}")
        assert document is not None
        assert document.sentences


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_hostile_files_are_read_or_refused(suffix: str) -> None:
    read = refused = 0

    @settings(
        max_examples=150,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(files(suffix))
    def fuzz(file: File) -> None:
        nonlocal read, refused
        if check(*file) is None:
            refused += 1
        else:
            read += 1

    fuzz()

    assert read > 10, "the fuzz must get past the parser's front door"
    assert refused > 0


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_the_format_is_told_of_any_bytes(data: st.DataObject) -> None:
    from engine.documents.sniff import MEDIA_TYPES, media_type_of
    from engine.errors import DocumentError

    content = data.draw(st.binary(max_size=80) | files("html").map(lambda file: file[0][:200]))
    name = data.draw(st.sampled_from(["", "x", "x.md", ".", "a/b.HTML", "x.pdf", "\0"]))
    try:
        assert media_type_of(content, name) in MEDIA_TYPES
    except DocumentError as error:
        assert str(error).endswith(".")  # noqa: PT017
