import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from engine.errors import TrainingDataError
from training.labels import (
    Example,
    LabelledDocument,
    LabelSet,
    document_folds,
    drop_near_duplicates,
    fold_to,
    group_documents,
    near_duplicates,
    targets,
    to_parents,
    tram50,
)

WORDS = [f"word{number}" for number in range(400)]


def example(text, techniques=(), **more):
    return Example(text=text, techniques=frozenset(techniques), id=text, **more)


def document(number, techniques=(), text=None, **more):
    words = np.random.default_rng(number).choice(WORDS, 120)
    return LabelledDocument(
        id=str(number), text=text or " ".join(words), techniques=frozenset(techniques), **more
    )


def test_near_duplicates():
    held_out = document(1, text=(
        "The group used PowerShell scripts to download a second stage from its server. "
        "Later it deleted the shadow copies."
    ))  # fmt: skip
    same = "the  GROUP used powershell scripts to download a second stage from its server!"
    part = "powershell scripts to download a second stage"
    edited = "The group used PowerShell scripts to fetch a second stage from its server in July."
    other = "The group used Python scripts to upload its own stage to another server in May."
    longer = f"In 2021, we saw this. {held_out.text} It went on like this for years and years."
    texts = [same, part, edited, other, longer, "used PowerShell scripts to", "", "..."]
    expected = [True, True, False, False, True, False, False, False]
    examples = [example(text) for text in texts]
    assert near_duplicates(examples, [held_out]).tolist() == expected
    assert near_duplicates(examples, [held_out], 0.3)[2]
    assert drop_near_duplicates(examples, [held_out]) == tuple(
        e for e, repeat in zip(examples, expected, strict=True) if not repeat
    )


def test_a_heading_repeats_a_sentence_of_a_held_out_document_only_if_equal():
    sentences = (example("Initial Access"),)
    held_out = document(1, text="Initial Access and more", sentences=sentences)
    found = near_duplicates([example("initial access:"), example("Access")], [held_out])
    assert found.tolist() == [True, False]


def test_documents_that_repeat_each_other_are_grouped():
    first, other = document(1), document(2)
    copy = document(3, text=first.text.upper() + " and a new footer")
    short, short_too = document(4, text="Too short"), document(5, text="too SHORT")
    groups = group_documents([first, other, copy, short, short_too])
    assert groups.tolist() == [0, 1, 0, 2, 2]


def test_folds_spread_labels_and_keep_groups_and_given_folds():
    documents = [document(n, ["T1059"]) for n in range(40)]
    documents += [document(n, ["T1003", "T1059"]) for n in range(40, 45)]
    documents.append(document(100, ["T1059"], text=documents[0].text + " new"))
    folds = document_folds(documents, 5, seed=3)
    assert folds["0"] == folds["100"]
    assert sorted(folds[str(n)] for n in range(40, 45)) == [0, 1, 2, 3, 4]
    sizes = np.bincount(list(folds.values()))
    assert sizes.max() - sizes.min() <= 2
    assert folds == document_folds(documents, 5, seed=3)
    given = [replace(documents[0], fold=4), *documents[1:]]
    folds = document_folds(given, 5, seed=3)
    assert folds["0"] == folds["100"] == 4


def test_too_few_documents_for_the_folds():
    with pytest.raises(TrainingDataError, match="cannot be split into 3 folds"):
        document_folds([document(1), document(2)], 3)


def test_folding(knowledge):
    fifty = tram50(knowledge)
    assert len(fifty) == 50
    # T1574.002 was merged into T1574.001 after TRAM.
    assert "T1574.001" in fifty
    assert fold_to(["T1055.012", "T1059.001", "T1003.001"], fifty, knowledge) == {
        "T1055",
        "T1003.001",
    }
    assert to_parents(["T1055.012", "T1486"], knowledge) == {"T1055", "T1486"}


def test_targets_tell_absent_from_unknown():
    examples = [
        example("a", ["T1003", "T9"], known=frozenset()),
        example("b", ["T1057"], known=frozenset({"T1003"}), weight=0.5),
        example("c"),
    ]
    found = targets(examples, ["T1003", "T1057"])
    assert found.positive.toarray().tolist() == [[True, False], [False, True], [False, False]]
    assert found.known.tolist() == [[True, False], [True, True], [True, True]]
    assert found.weights.tolist() == [1.0, 0.5, 1.0]


def test_the_digest_names_the_content_whatever_its_order():
    a, b = example("a", ["T1003"]), example("b")
    digest = LabelSet((a, b), (document(1),)).digest()
    assert digest == LabelSet((b, a), (document(1),)).digest()
    assert len(digest) == 64
    changes = [
        replace(a, weight=0.5), replace(a, text="A"), replace(a, known=frozenset()),
        replace(a, techniques=frozenset({"T1057"})), replace(a, fold=1), replace(a, start=1),
    ]  # fmt: skip
    assert (
        len({LabelSet((changed, b), (document(1),)).digest() for changed in changes} | {digest})
        == 7
    )


def test_select():
    labels = LabelSet((example("a"), example("b", source="kev")), (document(1),))
    chosen = labels.select(lambda e: e.source == "kev", lambda _: False)
    assert [e.text for e in chosen.examples] == ["b"]
    assert chosen.documents == ()
    assert labels.sources == ("kev", "own")


IN_A_PROCESS = """
import random
from training.labels import LabelledDocument, document_folds
for seed in range(13):
    chance = random.Random(seed)
    shown = [[f"T{1000 + t}" for t in chance.sample(range(8), 4)] for _ in range(30)]
    texts = [" ".join(f"{chance.random():.9f}" for _ in range(12)) for _ in shown]
    documents = [
        LabelledDocument(f"d{n}", text, frozenset(techniques))
        for n, (text, techniques) in enumerate(zip(texts, shown, strict=True))
    ]
    print(document_folds(documents))
"""


def test_folds_are_the_same_in_every_process():
    """Python orders sets of strings anew in each; a night goes on in another one."""
    said = {
        subprocess.run(
            [sys.executable, "-c", IN_A_PROCESS],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
    assert "d29" in said.pop()
