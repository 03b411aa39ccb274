"""The learning loop in small: an analyst corrects, and within a few nights the release knows.

The release of the beginning has read how the public writes; the reports of the site say some of it
in other words, and speak of a technique that the release has never seen.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.analysis import Engine
from engine.knowledge import Knowledge
from training.adapt import AdaptSettings
from training.card import read_card
from training.gate import GateSettings
from training.labels import Example, LabelledDocument, LabelSet
from training.labels.verdicts import VerdictSettings
from training.svc import SvcSettings

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
import loop
from loop_plot import plot
from loop_result import pooled, score
from loop_site import Split, split

NEW = "T1053.005"
PUBLIC = {
    "T1059.001": "ran an encoded powershell command",
    "T1566.001": "sent an email with a malicious attachment",
    "T1003.001": "dumped the memory of lsass for credentials",
    "T1486": "encrypted the files and left a ransom note",
}
OWN = {
    "T1059.001": "fired off a ps1 stager from the share",
    "T1566.001": "baited staff with a booby trapped file",
    "T1003.001": "squeezed logons out of process memory",
    "T1486": "locked every disk and asked for coins",
    NEW: "planted a recurring job in the planner",
}
WORDS = (
    *("harbour", "lantern", "copper", "meadow", "river", "winter", "engine", "garden", "window"),
    *("basket", "silver", "thunder", "marble", "station", "anchor", "blanket", "candle", "driver"),
    *("forest", "ladder", "market", "needle", "orange", "pocket", "saddle"),
)
ACTORS = ("The group", "The operators", "An intruder", "The crew")


def _document(number: int, wording: dict[str, str], choice: random.Random) -> LabelledDocument:
    def words(count: int) -> str:
        return " ".join(choice.choices(WORDS, k=count))

    shown = choice.sample(sorted(wording), k=choice.randint(1, 3))
    lines = [
        (f"{choice.choice(ACTORS)} near {words(3)} {wording[t]} by {words(3)}.", frozenset([t]))
        for t in shown
    ]
    lines += [(f"The {words(8)} was seen.", frozenset()) for _ in range(4)]
    choice.shuffle(lines)
    name, start, sentences = f"doc-{number:03d}", 0, []
    for place, (text, techniques) in enumerate(lines):
        end = start + len(text)
        sentences.append(
            Example(
                text, techniques, f"{name}-{place}", name, fold=number % 5, start=start, end=end,
                kind="sentence",
            )
        )  # fmt: skip
        start = end + 1
    text = "\n".join(line for line, _ in lines)
    return LabelledDocument(name, text, frozenset(shown), tuple(sentences), fold=number % 5)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[loop.Site]:
    folder = tmp_path_factory.mktemp("loop")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TTPSCRIBE_DATA_DIR", str(folder / "data"))
        yield _site(folder)


def _site(folder: Path) -> loop.Site:
    choice = random.Random(7)  # noqa: S311 - test data
    seed = [_document(number, PUBLIC, choice) for number in range(16)]
    own = [_document(number, OWN, choice) for number in range(16, 60)]
    documents = (*seed, *own)
    labels = LabelSet(tuple(s for d in documents for s in d.sentences), documents)
    return loop.Site(
        folder,
        Knowledge.load(),
        labels,
        Split(tuple(seed), tuple(own[:32]), tuple(own[32:])),
        SvcSettings(words=2000, characters=2000, min_count=1, min_examples=3, min_documents=3),
        AdaptSettings(strengths=(0.4,), folds=3),
        VerdictSettings(least_held=5),
        GateSettings(least_verdicts=10, least_documents=5),
        "all",
    )


@pytest.fixture(scope="module")
def result(site: loop.Site) -> loop.Result:
    return loop.run(site, 2, (), 0.3)


def test_night_by_night_the_release_learns_what_the_analyst_knows(result: loop.Result) -> None:
    assert result.everything.f1.value > result.seed.f1.value + 0.2, "there is something to learn"
    learned = [night.challenger for night in result.nights]
    assert result.share(learned[-1]) >= 0.8
    noise = 0.05
    assert all(
        after.f1.value >= before.f1.value - noise
        for before, after in zip([result.seed, *learned], learned, strict=False)
    )


def test_what_is_in_use_never_gets_worse_and_is_better_in_the_end(result: loop.Result) -> None:
    in_use = [result.seed, *(night.champion for night in result.nights)]
    for night, before, after in zip(result.nights, in_use, in_use[1:], strict=False):
        if not night.decision.publish:
            assert after == before
    assert any(night.decision.publish for night in result.nights)
    assert in_use[-1].f1.low > result.seed.f1.value


def test_wrong_verdicts_are_refused_or_cost_no_more_than_noise(result: loop.Result) -> None:
    found = result.adversarial
    assert sum(found["verdicts"].values()) > 50
    assert not found["published"] or found["difference"].high >= 0


def test_a_technique_without_labels_is_found_after_eight_added_verdicts(site: loop.Site) -> None:
    seed = site.train("seed", site.parts.seed, ())
    with_new = [d for d in site.parts.site if NEW in d.techniques][:8]
    without = [d for d in site.parts.site if NEW not in d.techniques][:8]
    unseen = [d for d in site.parts.test if NEW in d.techniques]
    assert len(with_new) == 8
    assert len(unseen) >= 3

    def found(release: Path) -> int:
        engine = Engine.open(release)
        analyses = [engine.analyse_text(document.text) for document in unseen]
        return sum(NEW in {f.technique for f in each.findings} for each in analyses)

    assert found(seed.path) == 0
    with loop.at_work(site, "new", "paper") as analyst:
        # The newest are held back for the gate, so those that teach come first.
        done = analyst.work(Engine.open(seed.path), [*with_new, *without], loop.BEGUN)
        night = site.nightly(analyst, site.store("new", seed)).run()
    assert night.labels is not None
    assert done["added"] >= 8
    assert sum(NEW in document.techniques for document in night.labels.train) == 8
    taught = night.challenger
    assert taught is not None
    assert found(taught.path) > len(unseen) / 2


def test_each_night_leaves_a_card_that_quotes_no_report(
    site: loop.Site, result: loop.Result
) -> None:
    cards = sorted((site.directory / "data" / "cards").glob("*.card.json"))
    assert len(cards) >= len(result.nights)
    own = {s.text for document in site.parts.site for s in document.sentences}
    for path in cards:
        card = read_card(path)
        assert card.gate is not None
        assert card.changes is not None
        assert card.labels is not None
        assert card.drift[0].reports > 0
        page = path.with_name(path.name.replace(".json", ".html")).read_text("utf-8")
        assert not any(sentence in page or sentence in path.read_text() for sentence in own)


def test_the_plot_shows_every_night(result: loop.Result) -> None:
    drawn = plot(result)
    assert drawn.startswith("<svg xmlns=")
    assert drawn.count("<circle") == drawn.count("<polygon") == len(result.nights) + 2
    assert len(drawn) < 20_000


def test_splits_test_on_different_documents() -> None:
    choice = random.Random(3)  # noqa: S311 - test data
    documents = [_document(number, PUBLIC, choice) for number in range(40)]
    parts = [split(documents, 5, part, 4, seeds=6, tests=10) for part in range(4)]
    for one in parts:
        ids = [d.id for d in (*one.seed, *one.site, *one.test)]
        assert sorted(ids) == sorted(d.id for d in documents)
        assert (len(one.seed), len(one.test)) == (6, 10)
    tested = [d.id for one in parts for d in one.test]
    assert len(tested) == len(set(tested)) == 40
    assert split(documents, 5, seeds=6, tests=10) == parts[0]


def test_pooled_is_the_mean_over_all_test_documents(result: loop.Result) -> None:
    other = replace(
        result,
        seed=score([0.0] * len(result.seed.each)),
        nights=[replace(night, challenger=score([1.0])) for night in result.nights],
    )
    whole = pooled([result, other])
    assert whole.seed.f1.value == pytest.approx(result.seed.f1.value / 2)
    assert whole.everything.f1.value == pytest.approx(result.everything.f1.value)
    for night, one in zip(whole.nights, result.nights, strict=True):
        each = (*one.challenger.each, 1.0)
        assert night.challenger.f1.value == pytest.approx(sum(each) / len(each))
        assert night.reports == 2 * one.reports
        assert night.verdicts == {name: 2 * count for name, count in one.verdicts.items()}
