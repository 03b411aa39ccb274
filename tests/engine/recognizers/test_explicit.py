"""Ids and names as reports write them: what counts, what does not, and how much."""

from __future__ import annotations

import hashlib
import json
import re
import time
from pathlib import Path

import pytest

from engine.knowledge import Knowledge
from engine.recognizers import Recognizer
from engine.recognizers.explicit import ExplicitRecognizer
from engine.types import Document, Recognition, Sentence, SentenceKind

REPORTS = Path(__file__).parents[4] / "shared/data/reports"


def document(text: str, heading: str | None = None, kind: SentenceKind = "prose") -> Document:
    """A document with a sentence a line."""
    sentences = tuple(
        Sentence(i, m[0], m.start(), m.end(), kind=kind, heading=heading)
        for i, m in enumerate(re.finditer(r"[^\n]+", text))
    )
    return Document("text", text, sentences, hashlib.sha256(text.encode()).hexdigest())


@pytest.fixture(scope="module")
def recognizer() -> ExplicitRecognizer:
    return ExplicitRecognizer.load(None, Knowledge.load(), {})


def explicit(recognition: Recognition) -> set[str]:
    return {technique for _, technique in recognition.spans}


def score(recognition: Recognition, technique: str) -> float:
    if technique not in recognition.techniques:
        return 0.0
    column = recognition.techniques.index(technique)
    return round(float(recognition.sentence_scores[:, [column]].max()), 2)


def test_it_is_a_recognizer(recognizer: ExplicitRecognizer) -> None:
    assert isinstance(recognizer, Recognizer)
    assert recognizer.name == "explicit"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("They ran PowerShell (T1059.001).", {"T1059.001"}),
        ("They ran it [T1059/001] twice", {"T1059.001"}),
        ("see https://attack.mitre.org/techniques/T1059/001/ for more", {"T1059.001"}),
        ("see hxxps://attack[.]mitre[.]org/techniques/T1059/001", {"T1059.001"}),
        ("[Masquerading](https://attack.mitre.org/techniques/T1036)", {"T1036"}),
        ("tags: attack.t1059.001, attack.execution", {"T1059.001"}),
        ("MITRE ATT&CK technique t1055 was seen", {"T1055"}),
        ("t1059.001 was seen", {"T1059.001"}),
        ("T1566, T1204; T1105.", {"T1566", "T1204", "T1105"}),
        ("T1566/T1204", {"T1566", "T1204"}),
        ("Execution/T1059", {"T1059"}),
        ("Enterprise | T1059 | .003 | Windows Command Shell", {"T1059.003"}),
        ("Enterprise\tT1059\t.003\tWindows Command Shell", {"T1059.003"}),
        ("T1021.001, .002 and .006 were used", {"T1021.001", "T1021.002", "T1021.006"}),
        ("used T1059.\n001 to run", {"T1059.001"}),
        ("used T1059\n.001 to run", {"T1059.001"}),
        ("used T10-\n59.001 to run", {"T1059.001"}),
        ("used T1059-\n.001 to run", {"T1059.001"}),
        ("used T1059.\r\n001 to run", {"T1059.001"}),
        ("\uff34\uff11\uff10\uff15\uff19\uff0e\uff10\uff10\uff11", {"T1059.001"}),
        ("T1105Ingress", set()),
        ("T1105: Ingress Tool Transfer", {"T1105"}),
        ("T1105-Ingress Tool Transfer", {"T1105"}),
        ("Discovery-T1082", {"T1082"}),
        ("used T1059.The next step", {"T1059"}),
        ("revoked T1086 here", {"T1059.001"}),
        ("sent commands with T0855", {"T0855"}),
        ("on Android, T1636.004", {"T1636.004"}),
    ],
)
def test_finds_ids_as_they_are_printed(
    recognizer: ExplicitRecognizer, text: str, expected: set[str]
) -> None:
    assert explicit(recognizer.recognize(document(text))) == expected


@pytest.mark.parametrize(
    "text",
    [
        "T9999 does not exist",
        "T1059.999 neither",
        "T1059.0011 and T1059.1 neither",
        "TA0002 is a tactic, S0154 software, G0007 a group, M1042 a mitigation",
        "CVE-2021-T1059",
        "md5 d41d8cd98f00b204e9800998ecfT1059",
        "aGVsbG8gd29ybGQT1059aGVsbG8gd29ybGQ=",
        "aGVsbG8/T1059+d29ybGQ=",
        "dropped t1059.exe and T1055.dll",
        r"C:\Users\T1059\payload",
        "/opt/work/T1059/run.sh",
        "host WIN-T1059 answered",
        "KT1059 and T10590 and XT1059X",
        "T1064 was deprecated",
        "mail T1059@example.com",
        "bought a t1200 printer",
        "sample_T1059_final",
        "%T1059 $T1059",
    ],
)
def test_invents_no_ids(recognizer: ExplicitRecognizer, text: str) -> None:
    recognition = recognizer.recognize(document(text))
    assert not recognition.spans
    assert recognition.sentence_scores.nnz == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The loader relies on process hollowing.", {"T1055.012"}),
        ("It uses Process Hollowing to hide.", {"T1055.012"}),
        ("OS Credential Dumping: LSASS Memory", {"T1003.001"}),
        ("OS Credential Dumping (LSASS Memory)", {"T1003.001"}),
        ("os credential dumping: lsass memory", {"T1003.001"}),
        ("sent by spear-phishing attachments", {"T1566.001"}),
        ("Spearphishing Attachment", {"T1566.001"}),
        ("creates scheduled tasks for persistence", {"T1053.005"}),
        ("via DLL search order\nhijacking", {"T1574.001"}),
        (
            "an exploit of public facing applications, that is Exploit Public-Facing Application",
            {"T1190"},
        ),
        ("Deobfuscate/Decode Files or Information", {"T1140"}),
        ("Proxy: Multi-hop Proxy", {"T1090.003"}),
        ("Phishing: Spearphishing Link", {"T1566.002"}),
        ("performed Kerberoasting", {"T1558.003"}),
        ("Standard Cryptographic Protocol was used", {"T1573"}),
        ("the technique Masquerading was seen", {"T1036"}),
        ("the actor used the “Phishing” technique", {"T1566"}),
        ("Obtain Capabilities: Tool", {"T1588.002"}),
        ("Data Obfuscation: Steganography", {"T1001.002"}),
        ("Boot or Logon Autostart Execution: Registry Run Keys / Startup Folder", {"T1547.001"}),
    ],
)
def test_finds_names(recognizer: ExplicitRecognizer, text: str, expected: set[str]) -> None:
    assert explicit(recognizer.recognize(document(text))) == expected


@pytest.mark.parametrize(
    "text",
    [
        "The company's proxy settings are pushed by policy.",
        "Proxy settings of the browser were read.",
        "Employees were warned of phishing by email.",
        "Phishing remains the most common threat.",
        "The software was updated on all servers.",
        "Keylogging and scripting are covered in the next chapter.",
        "Multi-factor authentication was not enabled for email accounts.",
        "The malware connects to its server at port 443.",
        "Remote Desktop Protocol is open to the Internet.",
        "PowerShell and JavaScript are installed.",
        "Steganography is an old art.",
        "An active adversary in the Middle East",
        "attacks on the supply chain\nCompromise of the environment",
        "see https://example.com/blog/process-hollowing-explained",
        "Record audio\n- Capture screenshots",
        "the (Tools, Techniques, and Procedures) of the group",
        "call log and contact list were empty",
    ],
)
def test_everyday_words_are_no_techniques(recognizer: ExplicitRecognizer, text: str) -> None:
    assert not explicit(recognizer.recognize(document(text)))


def test_everyday_word_counts_in_a_list_of_techniques(recognizer: ExplicitRecognizer) -> None:
    listed = document("Proxy\nPhishing", heading="MITRE ATT&CK Techniques", kind="list_item")
    assert explicit(recognizer.recognize(listed)) == {"T1090", "T1566"}
    elsewhere = document("Proxy\nPhishing", heading="Vocabulary", kind="list_item")
    assert not explicit(recognizer.recognize(elsewhere))


def test_name_of_several_techniques_needs_its_parent(recognizer: ExplicitRecognizer) -> None:
    named = recognizer.recognize(
        document("Credentials of email accounts, T1087: Email Account discovery, junk data")
    )
    assert "T1087" in explicit(named)
    assert not explicit(recognizer.recognize(document("The domain account was locked.")))


def test_the_id_speaks_for_the_name_beside_it(recognizer: ExplicitRecognizer) -> None:
    recognition = recognizer.recognize(document("Indicator Removal on Host [T1070]"))
    assert explicit(recognition) == {"T1070"}


def test_scores_differ_by_kind_of_mention(recognizer: ExplicitRecognizer) -> None:
    def of(text: str, technique: str) -> float:
        return score(recognizer.recognize(document(text)), technique)

    assert of("T1055.012", "T1055.012") == 0.99
    assert of("Process Injection: Process Hollowing", "T1055.012") == 0.95
    assert of("used Process Hollowing there", "T1055.012") == 0.90
    assert of("used process hollowing there", "T1055.012") == 0.85


def test_spans_are_offsets_of_the_mention(recognizer: ExplicitRecognizer) -> None:
    text = "First line.\nThen process\nhollowing and T1059.\n001 followed."
    recognition = recognizer.recognize(document(text))
    found = {t: text[start:end] for (_, t), (start, end) in recognition.spans.items()}
    assert found == {"T1055.012": "process\nhollowing", "T1059.001": "T1059.\n001"}
    # A mention broken over two sentences belongs to the one it begins in.
    assert {t: s for s, t in recognition.spans} == {"T1055.012": 1, "T1059.001": 2}


@pytest.mark.parametrize("heading", ["Mitigations", "Recommendations", "Detection", "5. Hunting"])
def test_advice_lowers_ids_and_silences_names(recognizer: ExplicitRecognizer, heading: str) -> None:
    recognition = recognizer.recognize(
        document("T1490 backups\nwatch for process hollowing", heading=heading)
    )
    assert score(recognition, "T1490") == 0.90
    assert score(recognition, "T1055.012") == 0.40
    assert explicit(recognition) == {"T1490"}
    assert "advice" in recognition.notes["T1490"]


def test_advice_is_told_by_wording_too(recognizer: ExplicitRecognizer) -> None:
    advice = document("Administrators should restrict credential stuffing attempts.")
    assert not explicit(recognizer.recognize(advice))
    claim = document("The actor used credential stuffing against administrators.")
    assert explicit(recognizer.recognize(claim)) == {"T1110.004"}


def test_defense_evasion_is_no_advice(recognizer: ExplicitRecognizer) -> None:
    recognition = recognizer.recognize(document("process hollowing", heading="Defense Evasion"))
    assert explicit(recognition) == {"T1055.012"}


def test_reference_list_is_lowest_but_its_ids_stay(recognizer: ExplicitRecognizer) -> None:
    line = "[3] https://attack.mitre.org/techniques/T1055/012/"
    recognition = recognizer.recognize(document(line, heading="References"))
    assert explicit(recognition) == {"T1055.012"}
    assert score(recognition, "T1055.012") == 0.60
    assert "references" in recognition.notes["T1055.012"]


def test_a_claim_elsewhere_takes_the_note_away(recognizer: ExplicitRecognizer) -> None:
    text = "The actor used T1490.\nAdministrators should prevent T1490."
    recognition = recognizer.recognize(document(text))
    assert score(recognition, "T1490") == 0.99
    assert not recognition.notes


def test_note_says_what_was_printed(recognizer: ExplicitRecognizer) -> None:
    recognition = recognizer.recognize(document("T1086"))
    assert "T1086" in recognition.notes["T1059.001"]


def test_empty_document(recognizer: ExplicitRecognizer) -> None:
    recognition = recognizer.recognize(document(""))
    assert recognition.techniques == ()
    assert recognition.sentence_scores.shape == (0, 0)


def test_same_text_same_result_and_nothing_changes(recognizer: ExplicitRecognizer) -> None:
    text = document("T1059 and process hollowing, then Proxy: Multi-hop Proxy")
    first, second = recognizer.recognize(text), recognizer.recognize(text)
    assert first.spans == second.spans
    assert (first.sentence_scores != second.sentence_scores).nnz == 0


def test_hostile_text_takes_linear_time(recognizer: ExplicitRecognizer) -> None:
    for piece in (
        "T1059 | ",
        "T1",
        "process ",
        "\n-\n",
        "https://",
        "a",
        "T1059.001, .002, ",
        "Proxy: ",
    ):
        start = time.process_time()
        recognizer.recognize(document(piece * (200_000 // len(piece))))
        assert time.process_time() - start < 10


@pytest.mark.skipif(not REPORTS.is_dir(), reason="needs ../shared/data/reports")
def test_all_ids_of_the_markdown_reports_and_no_others(recognizer: ExplicitRecognizer) -> None:
    for line in (REPORTS / "labels.jsonl").read_text().splitlines():
        record = json.loads(line)
        if record["format"] != "md":
            continue
        text = (REPORTS / record["file"]).read_text()
        recognition = recognizer.recognize(document(text))
        by_id = {
            technique
            for (_, technique), (start, end) in recognition.spans.items()
            if re.match(r"T\d", text[start:end])
        }
        assert by_id == set(record["labels"]), record["file"]
