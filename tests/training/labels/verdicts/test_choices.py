"""Which sentences of a report stand for a technique that nobody pointed out in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_verdicts import NEW, NOON, PHRASES, SMALL

from engine.documents import from_text
from engine.ledger import Enrichment, Ledger, Verdict
from training.labels import Example, LabelledDocument, LabelSet, read, targets
from training.labels.verdicts import Freezing, VerdictSettings, freeze, frozen
from training.labels.verdicts.again import FIRST, LIKELY, MOST_SURE, _places, choose_again
from training.labels.verdicts.likeness import Likeness
from training.svc import cross_validated
from training.svc.data import prepare
from training.svc.train import count_features, fit_sentences

VAULT, MINER = "T1003", "T1496"


@pytest.fixture
def blank(tmp_path, site, knowledge):
    """The site's labels, without what is known of the sentences that show a new technique."""
    frozen.write(site.labels, tmp_path)
    labels = read([tmp_path / site.labels.name / "train.jsonl"], knowledge)
    documents = tuple(
        replace(
            document,
            sentences=tuple(
                replace(one, techniques=one.techniques - {NEW}, certainty=())
                for one in document.sentences
            ),
        )
        for document in labels.documents
    )
    examples = tuple(one for document in documents for one in document.sentences)
    return LabelSet(examples, documents)


def shows(example):
    return any(phrase in example.text for phrase in PHRASES[NEW])


def test_rounds_find_the_sentences_of_a_technique_that_no_sentence_was_known_to_show(
    blank, site, knowledge
):
    likeness = Likeness(blank.documents, (), knowledge)
    own = choose_again(blank, site.labels.train, {}, likeness)
    seen = cross_validated(own, knowledge, SMALL)
    found = {one.id: seen.score(one) for one in seen.documents}
    own = choose_again(own, site.labels.train, found, likeness)
    chosen = [one for one in own.examples if NEW in one.techniques]
    reports = sum(NEW in document.techniques for document in own.documents)
    # One sentence in six shows it.
    assert sum(map(shows, chosen)) > 0.7 * len(chosen)
    assert len({one.document for one in chosen if shows(one)}) > 0.7 * reports
    for one in own.examples:
        assert not one.techniques & one.unsure
        assert {technique for technique, _ in one.certainty} <= one.techniques | one.unsure


def test_words_alone_find_them_better_than_chance(blank, knowledge):
    likeness = Likeness(blank.documents, (), knowledge)
    first = []
    for document in blank.documents:
        if NEW in document.techniques:
            best = int(np.argmax(likeness.odds(document.id, NEW)))
            first.append(shows(document.sentences[best]))
    assert np.mean(first) > 0.5


def report(name, techniques, *texts):
    sentences = tuple(Example(text, frozenset(), f"{name}{n}") for n, text in enumerate(texts))
    return LabelledDocument(name, "", frozenset(techniques), sentences)


def test_names_known_texts_and_other_reports_each_tell(knowledge):
    plain = "They met on a Monday."
    reports = [
        report("a", {VAULT}, plain, "OS credential dumping was seen.", "Blue lamps were lit."),
        report("b", {MINER}, plain, "A quarrel over coins.", "Green lamps were lit."),
        report("c", {MINER}, plain, "No quarrel there.", "Green doors."),
        report("d", set(), plain, "A quiet week.", "Blue doors."),
    ]
    likeness = Likeness(reports, (), knowledge)
    assert np.argmax(likeness.odds("a", VAULT)) == 1  # by its name
    by_words = likeness.odds("b", MINER)
    assert by_words[1] > by_words[0]  # "quarrel" is in the other report, and nowhere else
    assert by_words[2] > by_words[0]  # so is "green"
    known = [Example("Blue lamps, blue doors.", frozenset({VAULT}), "k")]
    told = Likeness(reports, known, knowledge).odds("a", VAULT)
    assert told[2] - told[0] > likeness.odds("a", VAULT)[2] - likeness.odds("a", VAULT)[0]


def test_reports_without_any_technique_are_no_fault(tmp_path, site):
    with Ledger.open(tmp_path / "l.sqlite", keep_text=True) as ledger:
        for number, text in enumerate(("One thing.", "Quite another matter.")):
            document = from_text(text, str(number))
            at = {"platform": "opencti", "report": str(number)}
            enrichment = Enrichment(
                **at, digest=document.digest, digests={"description": document.digest},
                release="r", attack_version="18.1", operating_point="balanced",
            )  # fmt: skip
            ledger.begin_enrichment(enrichment, {document.digest: document.text})
            ledger.finish_enrichment(enrichment.id, "done")
            rejected = Verdict(**at, technique=MINER, verdict="rejected", known_by="difference")
            ledger.record_verdicts(rejected)
        labels = freeze(Freezing(ledger, {}, site.reader, VerdictSettings()), NOON)
    assert labels.counts.rejected == 2
    assert not any(document.techniques for document in labels.train)


def test_of_a_long_report_only_a_handful_of_sentences_stand_for_a_technique():
    nothing = np.zeros(40, dtype=np.float32)
    sure = np.linspace(0.99, 0.6, 40, dtype=np.float32)
    labels, certain = _places(sure, nothing, set())
    assert labels == set(range(MOST_SURE))
    assert set(certain) == set(range(LIKELY))
    labels, certain = _places(sure / 10, nothing, set())
    assert labels == {0}
    assert [certain[place] for place in range(3)] == [FIRST, FIRST / 2, FIRST / 3]
    labels, certain = _places(sure / 10, nothing, {39})
    assert labels == {39}
    assert certain[39] == FIRST


def test_what_is_likely_is_learned_from_by_its_certainty(knowledge):
    words = [f"plain matter number {n}" for n in range(30)]
    examples = [Example(word, frozenset(), word) for word in words]
    hint = Example(
        "strange vault opened", frozenset(), "hint", unsure=frozenset({VAULT}),
        certainty=((VAULT, 0.1),),
    )  # fmt: skip
    certain = replace(hint, certainty=((VAULT, 0.8),))
    shown = [Example(f"vault emptied {n}", frozenset({VAULT}), f"s{n}") for n in range(3)]
    margins = []
    for one in (replace(hint, certainty=()), hint, certain):
        labels = LabelSet((*examples, *shown, one), ())
        settings = SMALL.model_copy(update={"min_examples": 2, "min_count": 1})
        data = prepare(labels, {}, knowledge, settings)
        row = data.targets
        assert not row.positive[-1].nnz, "it counts as no label"
        _, features = count_features(data, settings)
        model = fit_sentences(data, features, settings, None)
        margins.append(float(model.margins(features[-1:])[0, 0]))
    assert margins[0] < margins[1] < margins[2]


def test_a_parent_is_as_certain_as_the_surest_of_its_sub_techniques(knowledge):
    example = Example(
        "x", frozenset({"T1059.001"}), "x", unsure=frozenset({"T1059.003"}),
        certainty=(("T1059.001", 0.5), ("T1059.003", 0.2)),
    )  # fmt: skip
    settings = SMALL.model_copy(update={"min_examples": 1})
    data = prepare(LabelSet((example,), ()), {}, knowledge, settings)
    assert data.examples[0].certainty == (("T1059", 0.5), ("T1059.001", 0.5), ("T1059.003", 0.2))
    matrix = targets(data.examples, ["T1059", "T1059.001"]).certainty.toarray()
    assert matrix.tolist() == [[0.5, 0.5]]
