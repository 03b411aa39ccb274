"""Shows that the loop closes: analysts correct, and each night the release knows more.

    python bench/loop.py --data tram2_documents.jsonl.gz --data tram2_sentences.jsonl.gz \
        --output loop/ --plot docs/images/learning-loop.svg

A release is trained from a small seed set. A simulated analyst corrects by the true labels what it
writes on the reports of a site, and with --quoting quotes where a technique shows. Each night the
release learns from all verdicts so far, the gate decides, and F1 by document is measured on reports
that nobody corrects. Beside it stand a release trained by hand on everything, and a night on which
a share of the verdicts is wrong at random.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import numpy as np
from loop_analyst import Analyst, Paper, Place, Quoting
from loop_plot import plot
from loop_result import Night, Result, Score, pooled, score
from loop_site import Split, abridged, labels_of, split, with_incidents, write_labels

from engine.analysis import Engine
from engine.knowledge import Knowledge
from engine.ledger import Ledger
from engine.releases import Release, ReleaseStore
from training.adapt import AdaptSettings
from training.assemble import assemble, fit
from training.evaluation import bootstrap, document_f1s, label_list, predict
from training.evaluation.label_lists import LabelListName
from training.fusion import FusionSettings
from training.gate import Decision, GateSettings
from training.labels import LabelledDocument, LabelSet, read
from training.labels.verdicts import VerdictSettings
from training.nightly.run import Nightly
from training.nightly.settings import NightlySettings
from training.out_of_fold import OutOfFold
from training.svc import SvcSettings, train_svc

BEGUN = datetime(2026, 6, 1, 9, tzinfo=UTC)
SEED_DATA = "seed-data"
LABELS: LabelListName = "tram50"


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
    quoting: Quoting = "nothing"

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
        return score(each)

    def nightly(self, analyst: Analyst, store: ReleaseStore) -> Nightly:
        """Return the night as an admin would have it, with the seed set to train from anew."""
        harvesters = tuple(p.harvester for p in analyst.places if p.harvester is not None)
        settings = NightlySettings(
            data=(self.directory / SEED_DATA,),
            verdicts=self.verdicts,
            adapt=self.adapting,
            gate=self.gate,
            svc=self.svc,
        )
        return Nightly(analyst.ledger, harvesters, self.knowledge, settings, store)

    def store(self, name: str, champion: Release) -> ReleaseStore:
        """Return a store of its own with a champion."""
        store = ReleaseStore(self.directory / name, shipped=self.directory / "none")
        store.publish(champion.path)
        store.use(champion.name)
        return store


def run(
    site: Site, nights: int, sources: Sequence[str], wrong: float, places: str = "paper"
) -> Result:
    """Run the nights, then the adversarial one."""
    parts = site.parts
    write_labels(parts.seed, site.directory / SEED_DATA)
    seed = site.train("seed", parts.seed, sources)
    everything = site.train("everything", (*parts.seed, *parts.site), sources)
    result = Result(
        {name: len(getattr(parts, name)) for name in ("seed", "site", "test")},
        site.measure(seed),
        site.measure(everything),
    )
    show(f"seed {said(result.seed)}, everything {said(result.everything)}")
    store = site.store("releases", seed)
    with at_work(site, "ledger", places) as analyst:
        for number, documents in enumerate(parts.nights(nights), 1):
            begun = time.monotonic()
            day = BEGUN + timedelta(days=number)
            done = analyst.work(Engine.open(store.champion()), documents, day)
            found = site.nightly(analyst, store).run()
            champion = site.measure(store.champion())
            night = Night(
                number,
                len(documents),
                done,
                found.trial and found.trial.decision,
                site.measure(found.challenger) if found.challenger else champion,
                champion,
                time.monotonic() - begun,
            )
            result.nights.append(night)
            outcome = "no challenger"
            if night.decision is not None:
                published = night.decision.publish
                outcome = "published" if published else night.decision.reasons[0]
            show(f"night {number}: {told(result, night)}; {outcome} [{night.seconds:.0f} s]")
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
        yield Analyst(ledger, site.knowledge, where, wrong, quoting=site.quoting)


def adversarial(site: Site, seed: Release, nights: int, wrong: float) -> dict[str, object]:
    """Let an analyst err at random on every report, and put what is learned before the gate."""
    store = site.store("adversarial", seed)
    with at_work(site, "adversarial", "paper", wrong) as analyst:
        documents = [document for night in site.parts.nights(nights) for document in night]
        counts = analyst.work(Engine.open(seed.path), documents, BEGUN)
        night = site.nightly(analyst, store).run()
    if night.trial is None or night.challenger is None:
        raise RuntimeError("nothing was learned, so there is nothing to judge")
    decision, champion = night.trial.decision, store.champion()
    before, after = site.measure(seed), site.measure(night.challenger)
    first, second = (bootstrap.mean(np.array(one.each)) for one in (before, after))
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


def said(one: Score) -> str:
    return f"{one.f1.value:.3f} ({one.f1.low:.3f} to {one.f1.high:.3f})"


def told(result: Result, night: Night) -> str:
    return (
        f"{night.reports} reports, {sum(night.verdicts.values())} verdicts; "
        f"challenger {said(night.challenger)} ({result.share(night.challenger):.0%}), "
        f"champion {said(night.champion)} ({result.share(night.champion):.0%})"
    )


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
    parser.add_argument(
        "--splits", type=int, default=1, help="run as often, on other documents each time, and pool"
    )
    parser.add_argument(
        "--sentences", type=int, help="cut documents to so many, those with a technique first"
    )
    parser.add_argument("--quick", action="store_true", help="fewer features and strengths")
    parser.add_argument(
        "--quoting", choices=get_args(Quoting), default="nothing",
        help="for which techniques the analyst quotes a sentence: for none, for those they add, "
        "or also for those that are right but not for the sentence that was shown",
    )  # fmt: skip
    parser.add_argument("--places", choices=("paper", "doubles"), default="paper")
    arguments = parser.parse_args()
    knowledge = Knowledge.load()
    labels = with_incidents(read(tuple(arguments.data), knowledge))
    if arguments.sentences:
        labels = abridged(labels, arguments.sentences, label_list(LABELS, knowledge))
    svc, adapting = SvcSettings(), AdaptSettings()
    if arguments.quick:
        svc = SvcSettings(words=6000, characters=6000, min_count=2, min_examples=4)
        adapting = AdaptSettings(strengths=(0.4,), folds=3, most_background=500)
    results = []
    for part in range(arguments.splits):
        directory = arguments.output / f"split-{part}"
        directory.mkdir(parents=True, exist_ok=True)
        os.environ["TTPSCRIBE_DATA_DIR"] = str(directory / "data")
        for old in directory.glob("*.sqlite*"):
            old.unlink()
        parts = split(
            labels.documents, arguments.seed, part, arguments.splits,
            seeds=arguments.seeds, tests=arguments.tests,
        )  # fmt: skip
        site = Site(
            directory, knowledge, labels, parts, svc, adapting, VerdictSettings(), GateSettings(),
            quoting=arguments.quoting,
        )  # fmt: skip
        show(
            f"split {part}: {len(parts.seed)} seed, {len(parts.site)} site, "
            f"{len(parts.test)} test documents"
        )
        results.append(
            run(site, arguments.nights, arguments.source, arguments.wrong, arguments.places)
        )
    whole = pooled(results)
    show(f"all splits: seed {said(whole.seed)}, everything {said(whole.everything)}")
    for number, night in enumerate(whole.nights):
        decisions = [result.nights[number].decision for result in results]
        published = sum(one is not None and one.publish for one in decisions)
        show(f"night {night.number}: {told(whole, night)}; published {published} of {len(results)}")
    text = json.dumps(as_json({"pooled": whole, "splits": results}), indent=1, default=str)
    (arguments.output / "loop.json").write_text(text + "\n", encoding="utf-8")
    if arguments.plot:
        arguments.plot.write_text(plot(whole), encoding="utf-8")


if __name__ == "__main__":
    main()
