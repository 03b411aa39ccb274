"""A small site: a release that does not know its language, reports in it, and an analyst.

The release is trained on `seed_labels`. The site says some things in other words, speaks of a
technique that the release has never seen, and has a sentence that looks like ransomware but is
none.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from engine.analysis import Engine
from engine.documents import from_text
from engine.fusion.findings import Selection
from engine.knowledge import Knowledge
from engine.ledger import Curation, Enrichment, Ledger, Verdict, Written
from engine.recommenders import registry
from engine.recommenders.base import Matrix, Row
from engine.releases import Release
from engine.types import Document
from training.assemble import assemble, fit
from training.fusion import FusionSettings
from training.labels import Example, LabelledDocument, LabelSet
from training.out_of_fold import OutOfFold
from training.svc import SvcSettings, train_svc

NEW = "T1053.005"
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
SMALL = SvcSettings(words=800, characters=800, min_count=1, min_examples=4, min_documents=3)
PHRASES = {
    "T1059.001": ("ran an encoded powershell command", "fired off a ps1 stager from the share"),
    "T1566.001": ("sent an email with a malicious attachment", "baited staff with a rigged file"),
    "T1003.001": ("dumped the memory of lsass for credentials", "squeezed logons out of memory"),
    "T1486": ("encrypted the files and left a ransom note",),
    NEW: ("planted a recurring job in the task planner", "set the task planner to start it daily"),
}  # fmt: skip
DECOY = "encrypted the files of the archive before the ransomware exercise"
ACTORS = ("The group", "The operators", "An intruder", "The crew")
_SYLLABLES = ("ba", "co", "du", "fe", "gi", "ka", "lo", "mu", "ne", "pi", "ra", "so", "tu", "ve")


@dataclass(frozen=True)
class SiteReport:
    """A report of the site with what is true of it."""

    name: str
    document: Document
    techniques: frozenset[str]


def site_reports(number: int, seed: int = 3, first: int = 0) -> list[SiteReport]:
    """Return reports whose sentences are all different in most of their words."""
    choice = random.Random(seed)  # noqa: S311 - test data
    reports = []
    for place in range(first, first + number):
        name = f"report-{place:03d}"
        lines = _lines(choice, PHRASES)
        if choice.random() < 0.5:
            lines.append((f"{_said(choice, DECOY)}.", None))
        choice.shuffle(lines)
        document = from_text("\n".join(text for text, _ in lines), name)
        shown = frozenset(technique for _, technique in lines if technique)
        reports.append(SiteReport(name, document, shown))
    return reports


def seed_labels(number: int = 30, seed: int = 1) -> LabelSet:
    """Return what the release is trained on: the first phrase of each technique but the new one."""
    choice = random.Random(seed)  # noqa: S311 - test data
    phrases = {t: said[:1] for t, said in PHRASES.items() if t != NEW}
    documents = []
    for place in range(number):
        name, fold, start = f"seed-{place:03d}", place % 5, 0
        lines = _lines(choice, phrases)
        choice.shuffle(lines)
        sentences = []
        for at, (text, technique) in enumerate(lines):
            # Annotators miss some, so that the release is not sure of everything it knows.
            labelled = technique is not None and choice.random() < 0.85
            shown = frozenset([technique]) if technique and labelled else frozenset()
            sentences.append(
                Example(
                    text,
                    shown,
                    id=f"{name}-{at}",
                    document=name,
                    fold=fold,
                    start=start,
                    end=start + len(text),
                    kind="sentence",
                )
            )
            start += len(text) + 1
        text = "\n".join(text for text, _ in lines)
        found = frozenset().union(*(sentence.techniques for sentence in sentences))
        documents.append(LabelledDocument(name, text, found, tuple(sentences), fold=fold))
    examples = tuple(sentence for document in documents for sentence in document.sentences)
    return LabelSet(examples, tuple(documents))


def _lines(
    choice: random.Random, phrases: Mapping[str, tuple[str, ...]]
) -> list[tuple[str, str | None]]:
    shown = choice.sample(sorted(phrases), k=choice.randint(1, 3))
    lines: list[tuple[str, str | None]] = [
        (f"{_said(choice, choice.choice(phrases[t]))}.", t) for t in shown
    ]
    return lines + [(f"{_said(choice, _words(choice, 6))}.", None) for _ in range(5)]


def _said(choice: random.Random, phrase: str) -> str:
    return f"{choice.choice(ACTORS)} near {_words(choice, 2)} {phrase} by {_words(choice, 2)}"


def _words(choice: random.Random, number: int) -> str:
    return " ".join("".join(choice.choices(_SYLLABLES, k=4)) for _ in range(number))


def small_release(directory: Path, knowledge: Knowledge) -> Release:
    """Train a release with an svc and three recommenders, within seconds."""
    labels = seed_labels()
    part = directory / "part"
    trained = train_svc(labels, knowledge, SMALL)
    trained.recognizer.save(part / "recognizers" / "svc")
    scores = OutOfFold(
        "svc", {d.id: trained.score(d) for d in trained.documents}, trained.folds
    )  # fmt: skip
    matrix = _matrix()
    names = ("top_items", "item_knn", "user_knn")
    for name in names:
        registry.create(name).fit(matrix).save(part / "recommenders" / name)
    settings = FusionSettings()
    return assemble(
        directory / "small",
        [part],
        fit(labels, {"svc": scores}, knowledge, settings),
        labels,
        knowledge,
        settings,
        datetime(2026, 1, 1, tzinfo=UTC),
        {},
        {name: {} for name in names},
        "user_knn",
        {},
    )


def _matrix() -> Matrix:
    from scipy.sparse import csr_matrix

    techniques = tuple(sorted(set(PHRASES) - {NEW}))
    rows = [[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1], [1, 0, 1, 0], [1, 1, 1, 0]]
    named = tuple(Row(f"seed-{number}") for number in range(len(rows)))
    return Matrix(named, techniques, csr_matrix(rows, dtype="float32"))


def enrich(ledger: Ledger, engine: Engine, report: SiteReport, at: datetime = NOON) -> Selection:
    """Record what an enrichment of a report would write; the ledger may keep the text."""
    analysis = engine.analyse(report.document)
    enrichment = Enrichment(
        platform="opencti",
        report=report.name,
        digest=report.document.digest,
        digests={"description": report.document.digest},
        release=analysis.release,
        attack_version=analysis.attack_version,
        operating_point="balanced",
        at=at,
        id=f"{report.name}-{analysis.release}"[:32],
    )
    with ledger.transaction():
        ledger.begin_enrichment(enrichment, {report.document.digest: report.document.text})
        ledger.record_written(
            *(
                Written(
                    enrichment=enrichment.id,
                    kind="ref",
                    technique=finding.technique,
                    probability=finding.probability,
                    evidence=finding.evidence[0].text if finding.evidence else None,
                    at=at,
                )
                for finding in analysis.findings
            )
        )
        ledger.finish_enrichment(enrichment.id, "done")
    return analysis


def judge(
    ledger: Ledger,
    engine: Engine,
    reports: Iterable[SiteReport],
    *,
    wrong: float = 0.0,
    seed: int = 0,
    who: str = "ana",
    curate: bool = True,
    begin: datetime = NOON,
) -> None:
    """Enrich the reports and judge them by what is true, but for a share of wrong verdicts."""
    choice = random.Random(seed)  # noqa: S311 - test data
    for number, report in enumerate(reports):
        at = begin + timedelta(minutes=number)
        found = {f.technique for f in enrich(ledger, engine, report, at).findings}
        said = {t: ("confirmed" if t in report.techniques else "rejected") for t in found}
        said |= dict.fromkeys(report.techniques - found, "added")
        where = {"platform": "opencti", "report": report.name, "who": who, "at": at}
        verdicts = []
        for technique, verdict in sorted(said.items()):
            if choice.random() < wrong:
                verdict = "confirmed" if verdict == "rejected" else "rejected"
            verdicts.append(
                Verdict(
                    technique=technique,
                    verdict=verdict,
                    known_by="difference",
                    origin=f"{report.name}-{technique}",
                    **where,
                )
            )
        ledger.record_verdicts(*verdicts)
        if curate:
            ledger.record_curations(
                Curation(
                    known_by="status",
                    digest=report.document.digest,
                    origin=f"{report.name}-curated",
                    **where,
                )
            )
