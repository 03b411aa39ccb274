"""The text of a judged report, from wherever it may be taken, and what still holds for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from engine.errors import DocumentError, TtpscribeError
from engine.ledger import text_digest
from training.labels.verdicts.collect import level, strictest
from training.labels.verdicts.evidence import in_text
from training.labels.verdicts.settings import VerdictSettings
from training.labels.verdicts.types import Judged, JudgedDocument

if TYPE_CHECKING:
    from engine.harvest import Harvester, ReportText
    from engine.ledger import Ledger
    from engine.types import Document


@dataclass(frozen=True)
class Texts:
    """Where texts come from, in this order: the ledger, the platform, the evidence alone.

    Attributes
    ----------
    ledger : Ledger
        Holds texts only where the admin allows it.
    harvesters : mapping from platform to Harvester
        Read the report as it is now; may be empty.
    settings : VerdictSettings
    down : dict of platform to str
        Platforms that did not answer, and what they said; not asked again.
    """

    ledger: Ledger
    harvesters: Mapping[str, Harvester]
    settings: VerdictSettings
    down: dict[str, str] = field(default_factory=dict)

    def of(self, judged: Judged) -> JudgedDocument | str:
        """Return the document of a report, or why there is none.

        Returns
        -------
        JudgedDocument or str
            The latter: "over TLP", "no text". Where the platform does not answer, the evidence
            alone is what there is.
        """
        if level(judged.tlp) > level(self.settings.max_tlp):
            return "over TLP"
        kept = self._kept(judged)
        if kept is not None:
            return JudgedDocument(in_text(judged, kept), kept)
        read = self._now(judged)
        if read is None:
            return _evidence_alone(judged)
        if level(strictest([read.tlp, judged.tlp])) > level(self.settings.max_tlp):
            return "over TLP"
        changed = None not in (read.digest, judged.digest) and read.digest != judged.digest
        judged = in_text(judged, read.document)
        return JudgedDocument(
            still_holding(judged, read.document) if changed else judged, read.document
        )

    def _now(self, judged: Judged) -> ReportText | None:
        harvester = self.harvesters.get(judged.platform)
        if harvester is None or judged.platform in self.down:
            return None
        try:
            return harvester.read(judged.report)
        except TtpscribeError as error:
            self.down[judged.platform] = str(error)
            return None

    def _kept(self, judged: Judged) -> Document | None:
        from engine.documents import from_text

        last = self.ledger.last_enrichment(judged.platform, judged.report)
        if last is None or not last.digests:
            return None
        if judged.digest not in (None, last.digest):
            return None  # Another text than the one that was judged.
        found = [
            self.ledger.text(judged.platform, judged.report, digest)
            for _, digest in sorted(last.digests.items())
        ]
        texts = [text for text in found if text and text.strip()]
        if len(texts) < len(last.digests):
            return None
        try:
            return from_text("\n\n".join(texts), judged.key)
        except DocumentError:
            return None  # Too large to be learned from; its evidence still is.


def still_holding(judged: Judged, document: Document) -> Judged:
    """Return what holds of a judgement for a text that changed since.

    The sentences that an analyst saw decide, by their digests: labels whose sentence is still
    there hold, others do not, and what is absent from the new text nobody looked at.
    """
    there = {text_digest(sentence.text) for sentence in document.sentences}
    evidence = {
        technique: tuple(one for one in shown if one[1] in there)
        for technique, shown in judged.evidence.items()
    }
    labels = {t: label for t, label in judged.labels.items() if evidence.get(t)}
    return replace(judged, labels=labels, evidence=evidence, complete=False)


def _evidence_alone(judged: Judged) -> JudgedDocument | str:
    from engine.documents import from_sentences

    texts = dict.fromkeys(
        text
        for technique in sorted(judged.evidence)
        for text, _ in judged.evidence[technique]
        if text and text.strip()
    )
    if not texts:
        return "no text"
    seen = {t for t, shown in judged.evidence.items() if any(text for text, _ in shown)}
    labels = {t: label for t, label in judged.labels.items() if t in seen}
    judged = replace(judged, labels=labels, complete=False)
    return JudgedDocument(judged, from_sentences(list(texts), judged.key), whole=False)
