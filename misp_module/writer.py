"""From analyses to what MISP saves: one object a technique, tags, an event report.

MISP shows an answer without an object by a simpler parser that loses tags and reports, so there is
always one. Its default comment is the whole text that was enriched, so every element has its own.
All uuids derive from what was read: enriching again gives elements that MISP knows already, and
one that an analyst deleted is not made anew.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid5

from pymisp import MISPEventReport, MISPObject

from engine.knowledge import Knowledge
from engine.outputs.evidence import place, ranked, sentence_text, url
from engine.outputs.text import one_line, percent
from engine.types import Analysis, Document, Finding
from misp_module.reader import OURS, Source
from misp_module.report import event_report
from misp_module.settings import Options
from misp_module.tags import PROVENANCE, Clusters, likelihood

NAMESPACE: Final = UUID("7d5d6b0c-4c1e-5a7b-9d53-6f1d5f3a7e10")
INHERIT: Final = 5  # the event's distribution
SENTENCES = 3
SENTENCE_CHARS = 1_000
Reading = tuple[Source, Analysis]


@dataclass(frozen=True)
class Writer:
    """Builds answers.

    Attributes
    ----------
    knowledge : Knowledge
    clusters : Clusters
        The names of the tags.
    options : Options
        What the admin and the user chose.
    """

    knowledge: Knowledge
    clusters: Clusters
    options: Options

    def answer(
        self, readings: Sequence[Reading], *, problems: Sequence[str] = (), text: bool = False
    ) -> dict[str, Any]:
        """Return the module's answer to MISP.

        Parameters
        ----------
        readings : sequence of (Source, Analysis)
        problems : sequence of str
            What could not be read, to be told in the report.
        text : bool
            Whether the event report shall hold the text itself.

        Returns
        -------
        dict
            ``{"results": {}}`` where there is nothing to tell.
        """
        best = surest(readings)
        told = any(analysis.suggestions for _, analysis in readings)
        if not best and not told and not text:
            return {"results": {}}
        techniques = [finding.technique for finding, _, _ in best]
        remarks = [*self.clusters.remarks(techniques), *problems]
        objects = [self._technique(*entry, remarks) for entry in best]
        results: dict[str, Any] = {"Object": objects or [self._nothing(readings)]}
        if self.options.tag_event and best:
            names = [self.clusters.tag(technique, self.knowledge) for technique in techniques]
            results["Tag"] = [self._tag(name) for name in (*names, *PROVENANCE)]
        if self.options.event_report:
            results["EventReport"] = [self._report(readings, remarks, text)]
        comment = f"{OURS}: {len(best)} technique{'s' * (len(best) != 1)} found"
        comment = ". ".join([comment, *remarks])
        return {"results": {**results, "comment": comment}, "comment": comment}

    def _technique(
        self, finding: Finding, source: Source, analysis: Analysis, remarks: Sequence[str]
    ) -> dict[str, Any]:
        technique = finding.technique
        full_name = self.knowledge.technique(technique).full_name
        scope = f"{source.key}/{technique}"
        word = likelihood(finding.probability)
        about = (
            f"{OURS}: {technique} at {percent(finding.probability)}, release {analysis.release}, "
            f"operating point {analysis.operating_point}, ATT&CK {analysis.attack_version}, "
            f"from {one_line(source.label, 100)}"
        )
        if finding.explicit:
            about += ", named in the text"
        about = ". ".join([about, *remarks])
        element = _object("attack-pattern", scope, about)
        tags = (self.clusters.tag(technique, self.knowledge), word, *PROVENANCE)
        self._attribute(element, scope, "name", f"{technique} {full_name}", about, tags)
        self._attribute(
            element, scope, "summary", _evidence(source.document, finding),
            f"{OURS}: the evidence for {technique}",
        )  # fmt: skip
        if page := url(technique):
            self._attribute(
                element, scope, "references", page, f"{OURS}: {technique} on attack.mitre.org"
            )
        if source.uuid:
            element.add_reference(
                source.uuid,
                "derived-from",
                comment=f"{OURS}: where the evidence stands",
                uuid=str(uuid5(NAMESPACE, f"{scope}/reference")),
            )
        return _plain(element)

    def _nothing(self, readings: Sequence[Reading]) -> dict[str, Any]:
        source, analysis = readings[0]
        scope = f"{source.key}/nothing"
        about = (
            f"{OURS}: no technique reaches the operating point {analysis.operating_point}, "
            f"release {analysis.release}"
        )
        element = _object("annotation", scope, about)
        text = f"No ATT&CK technique is sure enough in {one_line(source.label, 100)}."
        if any(analysis.suggestions for _, analysis in readings):
            text += " The event report lists suggestions for an analyst to decide."
        self._attribute(element, scope, "text", text, about, PROVENANCE)
        return _plain(element)

    def _attribute(
        self,
        element: MISPObject,
        scope: str,
        relation: str,
        value: str,
        comment: str,
        tags: Sequence[str] = (),
    ) -> None:
        # Techniques would correlate every event with every other.
        element.add_attribute(
            relation,
            value=value,
            comment=comment,
            uuid=str(uuid5(NAMESPACE, f"{scope}/{relation}")),
            disable_correlation=True,
            to_ids=False,
            distribution=INHERIT,
            Tag=[self._tag(name) for name in tags],
        )

    def _tag(self, name: str) -> dict[str, Any]:
        return {"name": name, "local": True} if self.options.local_tags else {"name": name}

    def _report(
        self, readings: Sequence[Reading], remarks: Sequence[str], text: bool
    ) -> dict[str, Any]:
        first, analysis = readings[0]
        report = MISPEventReport()
        more = f" and {len(readings) - 1} more" if len(readings) > 1 else ""
        keys = "/".join(source.key for source, _ in readings)
        report.from_dict(
            name=f"{OURS}: ATT&CK techniques in {one_line(first.label, 100)}{more}",
            content=event_report(
                [(source.label, analysis) for source, analysis in readings], remarks, text=text
            ),
            distribution=INHERIT,
            sharing_group_id=0,
            # Another release makes another report: the one that analysts read stays as it was.
            uuid=str(
                uuid5(NAMESPACE, f"{keys}/{analysis.release}/{analysis.operating_point}/report")
            ),
        )
        return _plain(report)


def surest(
    readings: Sequence[Reading], *, suggestions: bool = False
) -> list[tuple[Finding, Source, Analysis]]:
    """Return each technique once, from where it is surest, most probable first.

    Parameters
    ----------
    readings : sequence of (Source, Analysis)
    suggestions : bool
        Whether to return those below the operating point too.
    """
    best: dict[str, tuple[Finding, Source, Analysis]] = {}
    for source, analysis in readings:
        for finding in (*analysis.findings, *(analysis.suggestions if suggestions else ())):
            known = best.get(finding.technique)
            if known is None or finding.probability > known[0].probability:
                best[finding.technique] = (finding, source, analysis)
    return sorted(best.values(), key=lambda entry: (-entry[0].probability, entry[0].technique))


def _evidence(document: Document, finding: Finding) -> str:
    lines = [
        f"{one_line(sentence_text(document, evidence), SENTENCE_CHARS)} ({place(evidence)})"
        for evidence in ranked(finding)[:SENTENCES]
    ]
    return "\n".join(lines) or "The document as a whole; no single sentence of it."


def _object(name: str, scope: str, comment: str) -> MISPObject:
    element = MISPObject(name, strict=True, standalone=False)
    element.uuid = str(uuid5(NAMESPACE, scope))
    element.comment = comment
    element.distribution = INHERIT
    return element


def _plain(element: MISPObject | MISPEventReport) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(element.to_json())
    return values
