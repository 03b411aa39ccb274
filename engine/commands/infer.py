"""``ttpscribe infer``: which techniques are likely though nobody has named them."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.commands.options import release_option
from engine.errors import DocumentError, KnowledgeError, TtpscribeError, UsageError

if TYPE_CHECKING:
    from engine.knowledge import Knowledge
    from engine.recommenders import Recommender
    from engine.releases import Release
    from engine.types import Inference

FORMATS = ("table", "json", "jsonl", "csv", "navigator", "stix")

EPILOG = """\b
Examples:
  ttpscribe infer T1059.001 T1105 T1566.001 --explain
  ttpscribe infer T1190 T1505.003=0.6 --tactic persistence --platform Linux -k 10
  ttpscribe infer --from layer.json --format navigator > with-inferences.json
  cat lines.jsonl | ttpscribe infer --input-format jsonl --format jsonl -

\b
An id may carry a weight in (0, 1], such as the probability that analyse gives: T1105=0.7.
JSON lines are {"id", "techniques": [...]}, or {"id", "techniques": {"T1105": 0.7}}.

\b
Exit codes: 0 done, 2 wrong call or a line that could not be read (the others were done),
3 a file could not be read, 4 no technique left, 5 the release.
"""


@click.command(epilog=EPILOG)
@click.argument("techniques", nargs=-1, metavar="[TECHNIQUE...]")
@click.option(
    "--from",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take the techniques of a Navigator layer or a STIX file; repeatable.",
)
@click.option(
    "--count",
    "-k",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="At most N inferences.",
)
@click.option("--recommender", metavar="NAME", help="Use this one, not the release's default.")
@click.option("--tactic", "tactics", multiple=True, help="Only of this tactic; repeatable.")
@click.option("--platform", "platforms", multiple=True, help="Only for this one; repeatable.")
@click.option(
    "--explain", is_flag=True, help="Say what speaks for each, and which reports are similar."
)
@click.option("--format", "-f", "form", type=click.Choice(FORMATS), default=None)
@click.option(
    "--input-format",
    type=click.Choice(["ids", "jsonl"]),
    default="ids",
    show_default=True,
    help="jsonl: read reports from standard input, one a line.",
)
@release_option
def infer(
    techniques: tuple[str, ...],
    files: tuple[Path, ...],
    count: int,
    recommender: str | None,
    tactics: tuple[str, ...],
    platforms: tuple[str, ...],
    explain: bool,
    form: str | None,
    input_format: str,
    release: str | None,
) -> int:
    """Rank the techniques that go with those observed.

    TECHNIQUE is an ATT&CK id. Observed techniques and their parents are not inferred; revoked
    ids are mapped to what they are today, unknown ones named and passed over.
    """
    from engine.knowledge import Knowledge
    from engine.recommenders import load_recommender
    from engine.recommenders.inferring import find_platforms, find_tactics
    from engine.releases import ReleaseStore

    json_lines = input_format == "jsonl"
    chosen = form or ("jsonl" if json_lines else "table")
    _check_call(techniques, files, json_lines=json_lines, form=chosen)
    knowledge = Knowledge.load()
    filters = {
        "tactics": find_tactics(tactics, knowledge),
        "platforms": find_platforms(platforms, knowledge),
    }
    store = ReleaseStore()
    opened = store.open(release) if release else store.champion()
    model = load_recommender(opened, recommender)
    if json_lines:
        return _infer_lines(sys.stdin, model, knowledge, count, filters)
    given = _given(techniques, files)
    _infer_once(given, model, opened, knowledge, count, filters, chosen, explain=explain)
    return 0


def _check_call(
    techniques: tuple[str, ...], files: tuple[Path, ...], *, json_lines: bool, form: str
) -> None:
    if json_lines and (techniques not in ((), ("-",)) or files):
        raise UsageError("With --input-format jsonl the techniques come from standard input (-).")
    if json_lines != (form == "jsonl"):
        raise UsageError("The format jsonl goes with --input-format jsonl, and only with it.")
    if not json_lines and (not (techniques or files) or "-" in techniques):
        raise UsageError(
            "Name the techniques observed, such as T1059.001 T1105, or give a Navigator layer or "
            "a STIX file with --from FILE. For JSON lines: --input-format jsonl -"
        )


def _given(techniques: tuple[str, ...], files: tuple[Path, ...]) -> list[tuple[str, float]]:
    from engine.recommenders.observed import parse, read_file

    given = [parse(argument) for argument in techniques]
    for path in files:
        found = read_file(path)
        if not found:
            raise DocumentError(
                f"{path} names no technique. Of a layer, those with a score, a colour or a comment "
                "are taken; of a STIX file, the attack-patterns with an ATT&CK id."
            )
        given += found
    return given


def _infer_once(
    given: list[tuple[str, float]],
    model: Recommender,
    release: Release,
    knowledge: Knowledge,
    count: int,
    filters: Mapping[str, frozenset[str]],
    form: str,
    *,
    explain: bool,
) -> None:
    from engine.commands import infer_formats
    from engine.recommenders import inferring
    from engine.recommenders.observed import resolve
    from engine.recommenders.serving import similar_rows

    observed = resolve(given, knowledge)
    for remark in observed.remarks:
        click.echo(remark, err=True)
    if not observed.techniques:
        raise KnowledgeError(
            "No technique is left to infer from. Check the ids: ttpscribe knowledge show ID"
        )
    answer = infer_formats.Answer(
        observed=observed.techniques,
        inferences=inferring.infer(model, observed.techniques, knowledge, k=count, **filters),
        similar=similar_rows(release, observed.techniques) if explain else (),
        recommender=model.name,
        release=release.name,
        knowledge=knowledge,
        explain=explain,
    )
    if form == "table":
        columns = max(shutil.get_terminal_size((100, 24)).columns, 60)
        infer_formats.print_table(answer, columns)
    else:
        click.echo(infer_formats.WRITERS[form](answer), nl=False)


def _infer_lines(
    lines: Iterable[str],
    model: Recommender,
    knowledge: Knowledge,
    count: int,
    filters: Mapping[str, frozenset[str]],
) -> int:
    from engine.recommenders import inferring
    from engine.recommenders.observed import parse_record, resolve

    failed = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = _record(line)
            observed = resolve(parse_record(record.get("techniques")), knowledge)
        except TtpscribeError as error:
            failed += 1
            click.echo(f"Error: line {number}: {error}", err=True)
            continue
        for remark in observed.remarks:
            click.echo(f"Line {number}: {remark}", err=True)
        if not observed.techniques:
            click.echo(f"Line {number}: no technique is left to infer from.", err=True)
        found = inferring.infer(model, observed.techniques, knowledge, k=count, **filters)
        answer = {"id": record.get("id"), "inferences": [_inference(one) for one in found]}
        click.echo(json.dumps(answer, ensure_ascii=False))
    return UsageError.exit_code if failed else 0


def _record(line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"not JSON ({error}).") from error
    if not isinstance(record, dict):
        raise UsageError('not a JSON object; write {"id": ..., "techniques": [...]}.')
    return record


def _inference(inference: Inference) -> dict[str, Any]:
    return {
        "technique": inference.technique,
        "score": round(inference.score, 6),
        "because": [
            {"technique": because.technique, "weight": round(because.weight, 6)}
            for because in inference.because
        ],
    }
