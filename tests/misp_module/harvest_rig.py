"""A MISP double with events that were enriched, and what the ledger made of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from misp_double import MispDouble

from engine.knowledge import Knowledge
from engine.ledger import Ledger, Verdict
from engine.types import Analysis, Document, Evidence, Finding
from misp_module import settings, tags
from misp_module.answer import Answerer
from misp_module.harvester import from_settings

from .conftest import enrich

TEXT = "It used PowerShell (T1059.001). It dumped LSASS (T1003.001). It mailed (T1566.001)."
POWERSHELL = 'misp-galaxy:mitre-attack-pattern="PowerShell - T1059.001"'
CMD = 'misp-galaxy:mitre-attack-pattern="Windows Command Shell - T1059.003"'
LSASS = 'misp-galaxy:mitre-attack-pattern="LSASS Memory - T1003.001"'
MAIL = 'misp-galaxy:mitre-attack-pattern="Spearphishing Attachment - T1566.001"'
OLD_POWERSHELL = 'misp-galaxy:mitre-enterprise-attack-attack-pattern="PowerShell - T1086"'
REVIEWED = 'ai-computer-assisted:review-level="human-reviewed"'


class ById:
    """Finds what a text names by id, as quickly as that."""

    def release(self) -> str:
        return "by-id"

    def analyse(self, document: Document, operating_point: str, inferences: int) -> Analysis:
        knowledge, findings = Knowledge.load(), []
        for sentence in document.sentences:
            for number in re.findall(r"T\d{4}(?:\.\d{3})?", sentence.text):
                start, end = sentence.start, sentence.end
                evidence = Evidence(sentence.index, start, end, sentence.text, "by-id", 0.9)
                name = knowledge.technique(number).name
                findings.append(Finding(number, name, 0.9, True, (evidence,)))
        return Analysis(document, tuple(findings), (), (), (), "by-id", operating_point, "18.1")


class Answers(Answerer):
    """With the shipped names of tags: the double has the same, and asking for them takes time."""

    def __init__(self) -> None:
        super().__init__(ById(), settings.load)

    def clusters(self) -> tags.Clusters:
        return tags.shipped()


@dataclass
class Rig:
    misp: MispDouble
    ledger: Ledger
    answers: Answers

    def enriched(self, text: str = TEXT, leave_out: str = "", **config: str) -> dict[str, Any]:
        """An event with a text that an analyst enriched, and whose answer MISP saved."""
        event = self.misp.event_with("A campaign", ("text", text))
        self.click(event, leave_out, **config)
        self.misp.pass_time(5)
        return event

    def click(self, event: dict[str, Any], leave_out: str = "", **config: str) -> dict[str, Any]:
        attribute = event["Attribute"][0]
        body = {**enrich(attribute["value"], config=config), "event_id": event["id"]}
        body["attribute"]["uuid"] = attribute["uuid"]
        answer = self.answers.answer(body)
        results = answer["results"]
        results["Object"] = [
            o for o in results["Object"] if o["Attribute"][0]["value"].split()[0] != leave_out
        ]
        self.misp.save_module_results(event, answer)
        return answer

    def harvest(self):
        harvester = from_settings()
        try:
            return harvester.harvest(self.ledger)
        finally:
            harvester.close()

    def verdicts(self, event: dict[str, Any]) -> dict[str, Verdict]:
        return self.ledger.current_verdicts("misp", event["id"])

    def told(self, event: dict[str, Any]) -> dict[str, tuple[str, str]]:
        found = self.verdicts(event).values()
        return {each.technique: (each.verdict, each.known_by) for each in found}

    @property
    def count(self) -> int:
        return self.ledger.counts()["verdicts"]


def own(event: dict[str, Any], technique: str) -> dict[str, Any]:
    """The object of ours for a technique."""
    (found,) = [
        element
        for element in event["Object"]
        if element["Attribute"][0]["value"].split()[0] == technique
    ]
    return found


def name_of(event: dict[str, Any], technique: str) -> dict[str, Any]:
    return own(event, technique)["Attribute"][0]
