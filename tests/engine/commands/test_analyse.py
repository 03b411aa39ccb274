"""``ttpscribe analyse``: reading, going on past bad input, writing, the machine interface."""

import io
import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from engine.commands import analyse as module
from engine.commands.analyse import analyse
from engine.commands.main import build
from engine.errors import TtpscribeError


@pytest.fixture
def engine(engine, monkeypatch):
    """The shipped release, not opened anew by each call."""
    monkeypatch.setattr(module, "open_engine", lambda _release: engine)
    return engine


@pytest.fixture
def run(engine):
    def call(*arguments, text=None):
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        return CliRunner().invoke(
            analyse, [str(a) for a in arguments], input=data, catch_exceptions=True
        )

    return call


@pytest.fixture
def report(tmp_path):
    path = tmp_path / "report.txt"
    path.write_text("The actor ran PowerShell to fetch a loader.\nIt slept.\n")
    return path


def lines(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


# --- files and folders


def test_a_file_gives_a_table(run, report):
    result = run(report)
    assert result.exit_code == 0, result.output
    assert "T1059.001" in result.stdout
    assert "The actor ran" in result.stdout


def test_options_reach_the_engine(run, report):
    def answer(*options):
        return json.loads(run(report, "--format", "json", *options).stdout)

    usual = answer()["findings"]
    assert len(answer("--operating-point", "precise")["findings"]) < len(usual)
    assert len(answer("--threshold", "0.6")["findings"]) < len(usual)
    assert len(answer("-k", "3").get("inferences", [])) <= 3
    assert not answer("--no-inferences").get("inferences")


def test_top_keeps_the_best(run, report):
    values = json.loads(run(report, "--format", "json", "--top", "1").stdout)
    assert [f["technique"] for f in values["findings"]] == ["T1059.001"]


def test_one_file_is_an_object_and_several_are_a_list(run, report, tmp_path):
    (tmp_path / "other.md").write_text("# None\n\nNothing happened here at all.")
    assert json.loads(run(report, "--format", "json").stdout)["id"] == "report.txt"
    both = json.loads(run(tmp_path, "--format", "json").stdout)
    assert [values["id"] for values in both] == ["other.md", "report.txt"]


def test_csv_of_several_has_one_header(run, tmp_path, report):
    (tmp_path / "b.txt").write_text("They used PowerShell (T1059.001) again.")
    rows = [row.split(",")[0] for row in run(tmp_path, "--format", "csv").stdout.splitlines()]
    assert rows[0] == "document"
    assert rows.count("document") == 1
    assert list(dict.fromkeys(rows[1:])) == ["b.txt", "report.txt"]


def test_it_goes_on_past_bad_files_and_says_which(run, report, tmp_path):
    empty = tmp_path / "empty.txt"
    empty.write_bytes(b"")
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"%PDF-1.7 and then nothing")
    missing = tmp_path / "missing.pdf"
    result = run(empty, broken, missing, report, "--format", "jsonl")
    assert result.exit_code == 3
    assert [values["id"] for values in lines(result)] == ["report.txt"]
    assert "3 of 4 documents could not be read" in result.stderr
    for name in ("empty.txt", "broken.pdf", "missing.pdf"):
        assert name in result.stderr
    assert "Traceback" not in result.stderr


def test_folders_are_read_through_known_formats_only(run, report, tmp_path):
    deep = tmp_path / "sub" / "deep"
    deep.mkdir(parents=True)
    (deep / "a.html").write_text("<html><body><p>They used powershell a lot.</p></body></html>")
    (tmp_path / "program.exe").write_bytes(b"MZ")
    (tmp_path / ".hidden.txt").write_text("powershell")
    values = json.loads(run(tmp_path, "--format", "json").stdout)
    assert [v["id"] for v in values] == ["report.txt", "sub/deep/a.html"]


def test_a_folder_of_nothing_is_named(run, report, tmp_path):
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    result = run(nothing, report)
    assert result.exit_code == 3
    assert "nothing holds no file of a known format" in result.stderr


def test_standard_input_is_a_document_too(run):
    result = run("-", "--format", "json", text="The actor ran PowerShell to fetch a loader.")
    assert "T1059.001" in {f["technique"] for f in json.loads(result.stdout)["findings"]}


# --- output files


def test_files_are_named_after_documents_without_meeting(run, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
        (folder / "a.txt").write_text("powershell one.")
        (folder / "a.md").write_text("powershell two.")
    out = tmp_path / "out"
    result = run(one, two / "a.txt", "-f", "html", "-f", "csv", "-f", "stix", "-o", out)
    assert result.exit_code == 0, result.stderr
    names = {p.name for p in out.iterdir()}
    assert {"a.txt.html", "a.md.html", "a.txt-2.html", "a.txt.csv", "a.txt.stix.json"} <= names
    assert len(names) == 9
    assert (out / "a.txt.csv").read_text().startswith("document,")


def test_the_same_call_writes_the_same_bytes(run, report, tmp_path):
    formats = [part for name in module.OUTPUTS for part in ("--format", name)]
    for folder in ("x", "y"):
        run(report, *formats, "--output", tmp_path / folder)
    x, y = ({p.name: p.read_bytes() for p in (tmp_path / f).iterdir()} for f in "xy")
    assert x == y
    assert len(x) == len(module.OUTPUTS)


def test_a_directory_that_cannot_be_written_is_said(run, report, tmp_path):
    (tmp_path / "file").write_text("")
    result = run(report, "--format", "html", "--output", tmp_path / "file" / "below")
    assert isinstance(result.exception, TtpscribeError)
    assert "cannot be written" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "html", "--format", "json"], "--output"),
        (["--threat", "FIN7"], "TYPE:NAME"),
        (["-", "-"], "once"),
    ],
)
def test_wrong_calls(run, report, arguments, said):
    result = run(report, *arguments)
    assert isinstance(result.exception, TtpscribeError)
    assert result.exception.exit_code == 2
    assert said in str(result.exception)


def test_several_documents_need_files_of_their_own(run, report):
    result = run(report, report, "--format", "stix")
    assert "--output DIR" in str(result.exception)


# --- the machine interface


def machine(run, text, *more):
    return run("--input-format", "jsonl", "--format", "jsonl", "-", *more, text=text)


def test_lines_in_and_lines_out(run):
    given = [
        {"id": 7, "text": "It slept. They used PowerShell here."},
        {"id": {"a": [1]}, "sentences": ["Dr. Who came. He left.", "", "They used powershell."]},
        {"id": None, "text": "Nothing of note."},
    ]
    result = machine(run, "\n".join(map(json.dumps, given)) + "\n\n")
    assert result.exit_code == 0, result.stderr
    answers = lines(result)
    assert [a["id"] for a in answers] == [7, {"a": [1]}, None]
    for answer, index in zip(answers, (1, 2), strict=False):
        [sentence] = answer["sentences"]
        assert sentence["index"] == index, "the index refers to the list given"
        assert "T1059.001" in {found["technique"] for found in sentence["techniques"]}
        assert {e["sentence"] for f in answer["findings"] for e in f["evidence"]} == {index}
    assert answers[2]["findings"] == []
    fixed = ["id", "findings", "suggestions", "tactics", "sentences", "release"]
    assert all(list(answer)[:6] == fixed for answer in answers)


def test_ids_come_back_in_json_too(run):
    text = '{"id": 7, "text": "powershell"}\n{"id": null, "text": "x y z"}'
    result = run("--input-format", "jsonl", "--format", "json", "-", text=text)
    assert [values["id"] for values in json.loads(result.stdout)] == [7, None]


BAD = {
    b"{": "not JSON",
    b"[1]": "not an object",
    b'{"text": "x"}': 'no "id"',
    b'{"id": 1}': '"text"',
    b'{"id": 1, "text": "x", "sentences": ["x"]}': '"text"',
    b'{"id": 1, "sentences": ["x", 2]}': '"sentences"',
    b'{"id": 1, "text": 5}': '"text"',
    b'{"id": NaN, "text": "x"}': "NaN",
    b'{"id": 1, "text": "\xff"}': "not JSON in UTF-8",
    b'{"id": 1, "text": ""}': "empty",
    b'{"id": 1, "sentences": []}': "no sentences",
    b"[" * 100_000: "nested",
}


@pytest.mark.parametrize("bad", BAD, ids=list(BAD.values()))
def test_a_bad_line_is_named_and_the_others_are_done(run, bad):
    good = b'{"id": "good", "text": "They used powershell."}'
    result = machine(run, b"\n".join([good, bad, good]))
    assert result.exit_code == 3
    assert [a["id"] for a in lines(result)] == ["good", "good"]
    assert "line 2" in result.stderr
    assert BAD[bad] in result.stderr
    assert "1 of 3 documents could not be read" in result.stderr


def test_half_a_surrogate_pair_is_no_obstacle(run):
    result = machine(run, r'{"id": "\ud800", "text": "powershell \udfff ran"}')
    assert result.exit_code == 0, result.stderr
    assert lines(result)[0]["id"] == "\ud800"


def test_a_byte_order_mark_is_no_obstacle(run):
    assert machine(run, b'\xef\xbb\xbf{"id": 1, "text": "x y z."}').exit_code == 0


def test_lines_are_answered_as_they_come(engine, monkeypatch):
    """The answer to a line is out before the next line is read; nothing piles up."""
    answered = []

    class Out(io.BytesIO):
        def flush(self):
            answered.append(self.getvalue().count(b"\n"))

    class In:
        def __iter__(self):
            for number in range(5):
                assert not number or answered[-1] == number
                yield b'{"id": %d, "text": "powershell"}\n' % number

    monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": In()}))
    monkeypatch.setattr(
        sys, "stdout", type("Stdout", (), {"buffer": Out(), "isatty": lambda: False})
    )
    analyse.main(["--input-format", "jsonl", "-"], standalone_mode=False)
    assert answered[-1] == 5


def test_json_lines_can_be_written_to_files_as_well(run, tmp_path):
    text = '{"id": "../../etc/x", "text": "powershell"}\n{"id": "a b", "text": "powershell"}\n'
    result = machine(run, text, "--output", tmp_path / "out")
    assert result.exit_code == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a_b.jsonl", "etc_x.jsonl"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


# --- the command as installed


def test_help_shows_examples():
    result = CliRunner().invoke(build(), ["analyse", "--help"])
    assert result.exit_code == 0
    assert "ttpscribe analyse --input-format" in result.output or "jsonl" in result.output
    assert "Exit codes" in result.output


def test_help_loads_no_model():
    code = (
        "import sys; from engine.commands.main import build\n"
        "try: build()(['analyse', '--help'], standalone_mode=False)\n"
        "finally: assert not {'sklearn', 'scipy', 'stix2', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
