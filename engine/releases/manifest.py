"""The manifest of a release as a type, and the reading of its older forms.

A manifest describes the whole release: what it was trained on, what it is good for, and every
file with its hash. Its ``protocol`` number is the lowest that says all: it is a newer one only
where an older ttpscribe could misread the release. A loader for each older protocol stays in
``LOADERS``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from engine.errors import ReleaseError, UsageError

PROTOCOL: Final = 2  # 2 may hold an adaptation to a site, which 1 would leave out
MANIFEST: Final = "manifest.json"
SUFFIXES: Final = frozenset({".json", ".onnx", ".safetensors"})
# What is read of a release, beside folders that each recognizer and recommender reads itself.
PARTS: Final = frozenset({"recognizers", "recommenders"})
ADAPTATION: Final = frozenset({"fusion/adaptation.json", "fusion/adaptation.safetensors"})
READ: Final = ADAPTATION | {"fusion/fusion.json", "measured.json"}
LARGEST_MANIFEST: Final = 16 * 1024 * 1024

Probability = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
TechniqueId = Annotated[str, StringConstraints(pattern=r"^T\d{4}(\.\d{3})?$")]
# One path component: no separator, no leading dot, nothing a shell or a URL would trip over.
Name = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._+-]{0,79}$")]
_COMPONENT = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._+-]*")


def _relative_file(path: str) -> str:
    """Accept only a plain relative path of a data file, such as ``fusion/fusion.json``."""
    if not all(_COMPONENT.fullmatch(part) for part in path.split("/")):
        raise ValueError("not a plain relative path inside the release")
    if PurePosixPath(path).suffix not in SUFFIXES:
        raise ValueError(f"a release holds only {', '.join(sorted(SUFFIXES))} files")
    if path == MANIFEST:
        raise ValueError("the manifest does not list itself")
    return path


RelativeFile = Annotated[str, AfterValidator(_relative_file)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class File(_Strict):
    """Hash and size of one file of the release."""

    sha256: Sha256
    bytes: Annotated[int, Field(ge=0)]


class OperatingPoint(_Strict):
    """Thresholds, and the precision and recall to expect at them.

    ``expected_precision`` and ``expected_recall`` are those of the findings written, measured on
    documents that the models had not seen.
    """

    write_threshold: Probability
    suggest_threshold: Probability
    sentence_threshold: Probability
    expected_precision: Probability
    expected_recall: Probability

    @model_validator(mode="after")
    def _suggest_before_write(self) -> Self:
        if self.suggest_threshold > self.write_threshold:
            raise ValueError("suggest_threshold is over write_threshold")
        return self


class TrainingSource(_Strict):
    """One collection that the models learned from."""

    name: str
    licence: str
    records: Annotated[int, Field(ge=0)]


class TrainingData(_Strict):
    """What the models learned from; ``hash`` is the SHA-256 of the frozen label set."""

    hash: Sha256
    sources: tuple[TrainingSource, ...]


class ManifestDraft(_Strict):
    """All of a manifest that its maker states; the rest is computed from the files.

    Attributes
    ----------
    name : str
        Name of the release and of its directory.
    created : datetime
        When it was made, in UTC. Given by the maker, so that the same input gives the same bytes.
    attack_version : str
        ATT&CK release of the label space, such as "18.1".
    techniques : tuple of str
        The label space, sorted.
    recognizers, recommenders : mapping from name to settings
        What the release holds; settings are handed to ``load`` of the class of that name.
    default_recommender : str or None
        The one that infers, unless the caller names another.
    operating_points : mapping from name to OperatingPoint
        By convention ``precise``, ``balanced`` and ``sensitive``.
    training_data : TrainingData
    figures : mapping
        Cross-validated figures, as the training's report names them.
    """

    name: Name
    created: AwareDatetime
    attack_version: Annotated[str, StringConstraints(min_length=1)]
    techniques: tuple[TechniqueId, ...]
    recognizers: dict[Name, dict[str, Any]]
    recommenders: dict[Name, dict[str, Any]] = {}
    default_recommender: str | None = None
    operating_points: dict[Name, OperatingPoint]
    training_data: TrainingData
    figures: dict[str, Any] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if list(self.techniques) != sorted(set(self.techniques)):
            raise ValueError("techniques are not sorted, or one is there twice")
        if self.default_recommender not in (None, *self.recommenders):
            raise ValueError(f"no recommender '{self.default_recommender}' in the release")
        return self

    def operating_point(self, name: str) -> OperatingPoint:
        """Return an operating point by name.

        Raises
        ------
        UsageError
            If the release has none of that name.
        """
        try:
            return self.operating_points[name]
        except KeyError:
            raise UsageError(
                f"Release {self.name} has no operating point '{name}'. "
                f"Choose one of: {', '.join(self.operating_points)}."
            ) from None


class Manifest(ManifestDraft):
    """The whole manifest, as it stands in ``manifest.json``."""

    protocol: int
    files: dict[RelativeFile, File]

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each part (``recognizers/svc``, ``fusion``), sorted by name."""
        sizes: dict[str, int] = {}
        for path, file in sorted(self.files.items()):
            folders = path.split("/")[:-1]
            part = "/".join(folders[:2]) or path
            sizes[part] = sizes.get(part, 0) + file.bytes
        return sizes

    def to_json(self) -> str:
        """Return the text of ``manifest.json``: the same manifest gives the same bytes."""
        fields = self.model_dump(mode="json")
        fields["created"] = self.created.astimezone(UTC).isoformat().replace("+00:00", "Z")
        return json.dumps(fields, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


# Every protocol that this version opens. A loader turns the JSON of its protocol into today's
# Manifest; when PROTOCOL rises, the loader of the old one is added here and is kept.
LOADERS: dict[int, Callable[[Mapping[str, Any]], Manifest]] = {
    1: Manifest.model_validate,
    2: Manifest.model_validate,
}


def protocol_of(files: Iterable[str]) -> int:
    """Return the lowest protocol that a release of these files can have."""
    return 2 if ADAPTATION & set(files) else 1


def read_manifest(directory: Path) -> tuple[Manifest, bytes]:
    """Read the manifest of a release, whatever its protocol.

    Returns
    -------
    Manifest, bytes
        The manifest, and the bytes it was read from.

    Raises
    ------
    ReleaseError
        If it is missing, unreadable, damaged, or of a protocol that this version does not open.
    """
    path = directory / MANIFEST
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_MANIFEST + 1)
    except FileNotFoundError:
        raise ReleaseError(
            f"{directory} is not a release: it has no {MANIFEST}. See: ttpscribe releases list"
        ) from None
    except OSError as error:
        raise ReleaseError(
            f"The release's manifest {path} cannot be read ({error.strerror}). "
            "Check that the file and its directory are readable for this user."
        ) from error
    if len(content) > LARGEST_MANIFEST:
        raise ReleaseError(_damaged(path, "it is far larger than any manifest"))
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ReleaseError(_damaged(path, f"it is not JSON: {error}")) from error
    return _from_fields(fields, path), content


def _from_fields(fields: Any, path: Path) -> Manifest:
    protocol = fields.get("protocol") if isinstance(fields, dict) else None
    if not isinstance(protocol, int) or isinstance(protocol, bool):
        raise ReleaseError(_damaged(path, "it has no protocol number"))
    if protocol > PROTOCOL:
        raise ReleaseError(
            f"The release {path.parent} is of protocol {protocol}; this ttpscribe reads up to "
            f"{PROTOCOL}. Upgrade ttpscribe (pip install -U ttpscribe), or use an older release: "
            "ttpscribe releases list"
        )
    if protocol not in LOADERS:
        raise ReleaseError(_damaged(path, f"there never was a protocol {protocol}"))
    try:
        manifest = LOADERS[protocol](fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise ReleaseError(_damaged(path, f"{where}: {first['msg']}")) from error
    # Of a later ttpscribe, or of another one: without it, the findings would not be the release's.
    if unknown := sorted(f for f in manifest.files if f not in READ and not _is_of_part(f)):
        raise ReleaseError(
            f"The release {path.parent} holds {unknown[0]}, which this ttpscribe does not know. It "
            "is not used, as its findings would be others without it. Upgrade ttpscribe (pip "
            "install -U ttpscribe), or use an older release: ttpscribe releases list"
        )
    return manifest


def _is_of_part(file: str) -> bool:
    part, _, rest = file.partition("/")
    return part in PARTS and "/" in rest


def _damaged(path: Path, why: str) -> str:
    return (
        f"The release's manifest {path} is damaged: {why}. "
        "Fetch the release again, or use another: ttpscribe releases list"
    )
