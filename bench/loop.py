"""Shows that the loop closes: analysts correct, and each night the release knows more.

    python bench/loop.py --data tram2_documents.jsonl.gz --data tram2_sentences.jsonl.gz \
        --output loop/ --plot docs/images/learning-loop.svg

A release is trained from a small seed set. A simulated analyst corrects by the true labels what it
writes on the reports of a site; each night the release learns from all verdicts so far, the gate
decides, and F1 by document is measured on reports that nobody corrects. Beside it stand a release
trained by hand on everything, and a night on which a share of the verdicts is wrong at random.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from loop_plot import plot
from loop_site import Analyst, Paper, Place, Split, labels_of, split

from engine.analysis import Engine
from engine.knowledge import Knowledge
from engine.ledger import Ledger
from engine.releases import Release
from training.adapt import Adapting, AdaptSettings, adapt
from training.assemble import assemble, fit
from training.evaluation import Interval, bootstrap, document_f1s, label_list, predict
from training.evaluation.label_lists import LabelListName
from training.fusion import FusionSettings
from training.gate import Decision, GateSettings, decide, say
from training.labels import LabelledDocument, LabelSet, read
from training.labels.verdicts import Freezing, FrozenLabels, VerdictSettings, freeze
from training.out_of_fold import OutOfFold
from training.readings import Reader
from training.svc import SvcSettings, train_svc

BEGUN = datetime(2026, 6, 1, 9, tzinfo=UTC)
LABELS: LabelListName = "tram50"


@dataclass(frozen=True)
class Score:
    """F1 by document on the test documents; ``each`` is that of every one."""

    f1: Interval
    each: tuple[float, ...]


@dataclass
class Night:
    """What one night brought.

    ``champion`` is measured after the gate, ``learned`` is the night's release trained on every
    verdict, those that the gate holds back as well.
    """

    number: int
    reports: int
    verdicts: dict[str, int]
    decision: Decision | None = None
    learned: Score | None = None
    champion: Score | None = None
    seconds: float = 0.0


@dataclass
class Result:
    """The whole run."""

    split: dict[str, int]
    seed: Score
    everything: Score
    nights: list[Night] = field(default_factory=list)
    adversarial: dict[str, object] = field(default_factory=dict)

    def share(self, score: Score) -> float:
        """Return which part of the gap between seed and everything a score has closed."""
        gap = self.everything.f1.value - self.seed.f1.value
        return (score.f1.value - self.seed.f1.value) / gap


@dataclass(frozen=True)
class Site:
    """Everything that stays the same during a run."""

    directory: Path
    knowledge: Knowledge
    labels: LabelSet
    parts: Split
    svc: SvcSettings
    adapting: AdaptSettings
    verdicts: VerdictSettings
    gate: GateSettings
    label_list: LabelListName = LABELS

    def train(
        self, name: str, documents: Sequence[LabelledDocument], sources: Sequence[str]
    ) -> Release:
        """Train a release from labelled documents, the way ``train release`` does."""
        target = self.directory / name
        if target.is_dir():
            return Release.open(target)
        labels = labels_of(self.labels, documents, sources)
        trained = train_svc(labels, self.knowledge, self.svc)
        part = self.directory / f"{name}-part"
        trained.recognizer.save(part / "recognizers/svc")
        recognitions = {one.id: trained.score(one) for one in trained.documents}
        scores = {"svc": OutOfFold("svc", recognitions, trained.folds)}
        settings = FusionSettings()
        fitted = fit(labels, scores, self.knowledge, settings)
        return assemble(
            target, [part], fitted, labels, self.knowledge, settings, BEGUN, {}, {}, None, {}
        )

    def measure(self, release: Release) -> Score:
        """Measure F1 by document on the test documents, at ``balanced``."""
        labels = labels_of(self.labels, self.parts.test)
        listed = label_list(self.label_list, self.knowledge)
        engine = Engine.open(release.path)
        gold, found = [], []
        for said in predict(engine, LabelSet((), labels.documents)):
            document = said.document
            judged = (t for t in said.findings if document.says(t) is not None)
            gold.append(listed.express(document.techniques))
            found.append(listed.express(judged))
        each = document_f1s(gold, found, listed.labels or sorted(frozenset().union(*gold, *found)))
        return Score(bootstrap.interval(bootstrap.mean(each), len(each)), tuple(map(float, each)))

    def freeze(
        self, champion: Release, analyst: Analyst, at: datetime, **more: object
    ) -> FrozenLabels:
        """Freeze what the ledger holds."""
        settings = self.verdicts.model_copy(update=more)
        harvesters = {p.platform: p.harvester for p in analyst.places if p.harvester is not None}
        reader = Reader(champion, self.knowledge)
        return freeze(Freezing(analyst.ledger, harvesters, reader, settings), at)

    def learn(self, champion: Release, labels: FrozenLabels, name: str, at: datetime) -> Release:
        """Make the champion's successor."""
        target = self.directory / name
        shutil.rmtree(target, ignore_errors=True)
        given = Adapting(Reader(champion, self.knowledge), labels, self.knowledge, self.adapting)
        return adapt(given, target, at)[0]


def run(
    site: Site, nights: int, sources: Sequence[str], wrong: float, places: str = "paper"
) -> Result:
    """Run the nights, then the adversarial one."""
    parts = site.parts
    seed = site.train("seed", parts.seed, sources)
    everything = site.train("everything", (*parts.seed, *parts.site), sources)
    result = Result(
        {name: len(getattr(parts, name)) for name in ("seed", "site", "test")},
        site.measure(seed),
        site.measure(everything),
    )
    show(f"seed {said(result.seed)}, everything {said(result.everything)}")
    champion = seed
    with at_work(site, "ledger", places) as analyst:
        for number, documents in enumerate(parts.nights(nights), 1):
            begun = time.monotonic()
            day = BEGUN + timedelta(days=number)
            done = analyst.work(Engine.open(champion.path), documents, day)
            night = Night(number, len(documents), done)
            at = day + timedelta(hours=17)
            champion, night.decision = one_night(site, champion, analyst, f"night-{number}", at)
            # What all verdicts teach, those included that the gate holds back tonight.
            labels = site.freeze(champion, analyst, at, least_held=1, most_held=1)
            night.learned = site.measure(site.learn(champion, labels, f"all-{number}", at))
            night.champion = site.measure(champion)
            night.seconds = time.monotonic() - begun
            result.nights.append(night)
            show(
                f"night {number}: {night.reports} reports, {sum(done.values())} verdicts; "
                f"champion {said(night.champion)} ({result.share(night.champion):.0%}), "
                f"all verdicts {said(night.learned)} ({result.share(night.learned):.0%}); "
                f"{'published' if night.decision.publish else night.decision.reasons[0]} "
                f"[{night.seconds:.0f} s]"
            )
    result.adversarial = adversarial(site, seed, nights, wrong)
    return result


@contextmanager
def at_work(site: Site, name: str, places: str, wrong: float = 0.0) -> Iterator[Analyst]:
    """Give an analyst with a ledger, at no platform or at the doubles of both."""
    path = site.directory / f"{name}.sqlite"
    with Ledger.open(path, keep_text=places == "paper") as ledger, ExitStack() as opened:
        where: list[Place] = [Paper(platform, ledger) for platform in ("opencti", "misp")]
        if places == "doubles":
            from loop_platforms import MispPlace, OpenCTIPlace

            where = [OpenCTIPlace(ledger, path), MispPlace(ledger, path)]
        for place in where:
            opened.callback(place.close)
        yield Analyst(ledger, site.knowledge, where, wrong)


def one_night(
    site: Site, champion: Release, analyst: Analyst, name: str, at: datetime
) -> tuple[Release, Decision]:
    """Harvest, freeze, learn, compare, publish or not; return the champion of the morning."""
    for place in analyst.places:
        if place.harvester is not None:
            place.harvester.harvest(analyst.ledger)
    labels = site.freeze(champion, analyst, at)
    challenger = site.learn(champion, labels, name, at)
    both = [say(Engine.open(one.path), labels.held) for one in (champion, challenger)]
    origins = ("verdicts",) * len(labels.held)
    decision = decide(both[0], both[1], origins, labels.counts.verdicts, site.gate).decision
    return (challenger if decision.publish else champion), decision


def adversarial(site: Site, seed: Release, nights: int, wrong: float) -> dict[str, object]:
    """Let an analyst err at random on every report, and put what is learned before the gate."""
    with at_work(site, "adversarial", "paper", wrong) as analyst:
        documents = [document for night in site.parts.nights(nights) for document in night]
        counts = analyst.work(Engine.open(seed.path), documents, BEGUN)
        at = BEGUN + timedelta(days=nights)
        champion, decision = one_night(site, seed, analyst, "adversarial", at)
    before, after = site.measure(seed), site.measure(Release.open(site.directory / "adversarial"))
    first, second = (bootstrap.mean(np.array(score.each)) for score in (before, after))
    compared = bootstrap.compare(first, second, len(before.each))
    result = {
        "wrong": wrong,
        "verdicts": counts,
        "published": decision.publish,
        "reasons": decision.reasons,
        "seed": before,
        "challenger": after,
        "difference": compared.difference,
        "champion": champion.name,
    }
    show(
        f"{wrong:.0%} wrong: {'published' if decision.publish else 'refused'}; seed "
        f"{said(before)}, challenger {said(after)}, difference {compared.difference.value:+.3f} "
        f"({compared.difference.low:+.3f} to {compared.difference.high:+.3f})"
    )
    return result


def said(score: Score) -> str:
    return f"{score.f1.value:.3f} ({score.f1.low:.3f} to {score.f1.high:.3f})"


def show(line: str) -> None:
    print(line, flush=True)


def as_json(value: object) -> object:
    if isinstance(value, Decision):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {key: as_json(one) for key, one in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        return {key: as_json(getattr(value, key)) for key in value.__dataclass_fields__}
    if isinstance(value, list | tuple):
        return [as_json(one) for one in value]
    return value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--plot", type=Path, help="SVG to write")
    parser.add_argument("--nights", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=12, help="documents to train the seed on")
    parser.add_argument("--tests", type=int, default=25, help="documents that nobody corrects")
    parser.add_argument("--wrong", type=float, default=0.3, help="of the adversarial night")
    parser.add_argument("--source", action="append", default=[], help="whole source for the seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--places", choices=("paper", "doubles"), default="paper")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for old in arguments.output.glob("*.sqlite*"):
        old.unlink()
    knowledge = Knowledge.load()
    labels = read(tuple(arguments.data), knowledge)
    parts = split(labels.documents, arguments.seed, seeds=arguments.seeds, tests=arguments.tests)
    site = Site(
        arguments.output, knowledge, labels, parts, SvcSettings(), AdaptSettings(),
        VerdictSettings(), GateSettings(),
    )  # fmt: skip
    show(f"{len(parts.seed)} seed, {len(parts.site)} site, {len(parts.test)} test documents")
    result = run(site, arguments.nights, arguments.source, arguments.wrong, arguments.places)
    text = json.dumps(as_json(result), indent=1, default=str)
    (arguments.output / "loop.json").write_text(text + "\n", encoding="utf-8")
    if arguments.plot:
        arguments.plot.write_text(plot(result), encoding="utf-8")


if __name__ == "__main__":
    main()
