"""One query from MISP to one answer: parse, read, ask the engine, write."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine import __version__
from engine.errors import TtpscribeError, UsageError
from engine.knowledge import Knowledge
from misp_module import tags
from misp_module.analyser import Analyser
from misp_module.reader import Reader, Source
from misp_module.records import Records
from misp_module.request import Request, parse
from misp_module.settings import Options, Settings

if TYPE_CHECKING:
    from misp_module.instance import Instance
    from misp_module.saving import Saver
    from misp_module.writer import Reading

INFERENCES = 10
log = logging.getLogger("ttpscribe.answer")


class Answerer:
    """Answers queries.

    Parameters
    ----------
    analyser : Analyser
    settings : callable that returns Settings
        Called per request, so that a wrong setting is an answer and not the end of the worker.
    """

    def __init__(self, analyser: Analyser, settings: Callable[[], Settings]) -> None:
        self._analyser = analyser
        self._settings = settings
        self._records = Records()

    def warm_up(self) -> dict[str, Any]:
        """Open what the first answer needs, before it is asked for."""
        try:
            from misp_module import writer  # noqa: F401  (PyMISP's import takes a second)

            self.clusters()
            self._analyser.analyse(self._example(), "balanced", 0)
        except TtpscribeError as error:
            log.warning("%s", error)
        return {}

    def answer(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the body of a ``POST /query``.

        Raises
        ------
        TtpscribeError
            For what the analyst or the admin can mend; the text says how.
        """
        settings = self._settings()
        request = parse(body, settings)
        reader = Reader(request.options, settings)
        match request.kind:
            case "ping":
                return {"results": self._ping()}
            case "suggest":
                return {"results": {"Tag": self._suggest(request, reader)}}
            case "action":
                done = self.enrich(self.instance(), request.event, request.options)
                log.info("event %s: %s", request.event, "; ".join(done))
                return {"data": True}
            case "import":
                sources = [reader.imported(request.data, request.name, request.event)]
            case "object":
                sources = reader.object(request.subject)
            case "attribute":
                sources = [reader.attribute(request.subject)]
        options = request.options
        if request.hover:
            options = options.model_copy(update={"event_report": False, "tag_event": False})
        if request.hover or not request.event:
            return self.written(sources, options, text=request.kind == "import")
        event = {"id": request.event}
        # MISP itself leaves alone the objects that it knows; a tag of the event it would put back.
        unwanted = (
            self._rejected(event) if options.tag_event else self._records.rejected(request.event)
        )
        return self.written(
            sources, options, event, unwanted=unwanted, text=request.kind == "import"
        )

    def check_action(self, body: Mapping[str, Any]) -> None:
        """Check that a workflow's query can be served at all, without serving it.

        Raises
        ------
        UsageError
            If it names no event, or no instance is set to write it to.
        """
        from misp_module.instance import is_set

        settings = self._settings()
        if not parse(body, settings).event:
            raise UsageError("The workflow's data names no event: give the action a whole event.")
        if not is_set(settings):
            raise UsageError(
                "ttpscribe has no key to write with: set TTPSCRIBE_MISP_URL and "
                "TTPSCRIBE_MISP_KEY where misp-modules runs."
            )

    def written(
        self,
        sources: Sequence[Source],
        options: Options,
        event: Mapping[str, Any] | None = None,
        *,
        unwanted: frozenset[str] = frozenset(),
        problems: Sequence[str] = (),
        text: bool = False,
    ) -> dict[str, Any]:
        """Analyse documents, enter in the ledger what is found, and return the answer about them.

        Without an event (a hover) nothing is written to MISP, and so nothing to the ledger.
        What an analyst rejected on the event is left out, and said to be.
        """
        from misp_module.writer import Writer

        readings, left_out = _without(self.readings(sources, options), unwanted)
        if left_out:
            problems = [*problems, f"left out, as an analyst rejected it here: {left_out}"]
        writer = Writer(Knowledge.load(), self.clusters(), options)
        answer = writer.answer(readings, problems=problems, text=text)
        if event and answer["results"]:
            self._records.enter(event, readings, answer["results"])
        return answer

    def readings(self, sources: Sequence[Source], options: Options) -> list[Reading]:
        """Analyse documents."""
        inferences = INFERENCES if options.inferences else 0
        return [
            (
                source,
                self._analyser.analyse(source.document, options.operating_point, inferences),
            )
            for source in sources
        ]

    def save(self, event: str, results: Mapping[str, Any]) -> list[str]:
        """Write results into an event of the instance; see `Saver.save`."""
        instance = self.instance()
        whole = instance.event(event)
        return _saver(instance).save(whole, results, self._rejected(whole))

    def enrich(self, instance: Instance, event: str, options: Options) -> list[str]:
        """Read an event of the instance, and write its techniques into it.

        Returns
        -------
        list of str
            What was written, and what could not be, for people.
        """
        whole = instance.event(event)
        sources, problems = Reader(options, self._settings()).event(whole)
        if not sources:
            return ["nothing to read", *problems]
        if not instance.rights.get("perm_tagger"):
            problems = [*problems, "ttpscribe's key may not tag, so the tags are dropped: an admin "
                        "should give its role perm_tagger"]  # fmt: skip
        unwanted = self._rejected(whole)
        answer = self.written(sources, options, whole, unwanted=unwanted, problems=problems)
        return [*_saver(instance).save(whole, answer["results"], unwanted), *problems]

    def instance(self) -> Instance:
        """Return the MISP instance of the settings.

        Raises
        ------
        UsageError
            If none is set.
        """
        from misp_module.instance import connect

        return connect(self._settings())

    def clusters(self) -> tags.Clusters:
        """Return the tag names of the instance where one is set, else the shipped ones."""
        from misp_module.cluster_names import known_clusters
        from misp_module.instance import is_set

        settings = self._settings()
        return known_clusters(settings) if is_set(settings) else tags.shipped()

    def _suggest(self, request: Request, reader: Reader) -> list[dict[str, str]]:
        from misp_module.verdicts import tagged
        from misp_module.writer import surest

        knowledge, event = Knowledge.load(), request.subject
        sources, problems = reader.event(event)
        for problem in problems:
            log.warning("%s", problem)
        unwanted = tagged(event, knowledge) | self._rejected(event)
        readings = self.readings(sources, request.options.model_copy(update={"inferences": False}))
        ranked = surest(readings, suggestions=True)
        wanted = [entry for entry in ranked if entry[0].technique not in unwanted]
        suggested = wanted[: request.limit]
        if suggested and event.get("id"):
            self._records.enter_suggestions(event, readings, suggested)
        clusters = self.clusters()
        return [{"name": clusters.tag(finding.technique, knowledge)} for finding, _, _ in suggested]

    def _rejected(self, event: Mapping[str, Any]) -> frozenset[str]:
        """Return what analysts took off an event: by its state, the audit log and the ledger."""
        from misp_module.audit import AuditLog
        from misp_module.harvesting import settings as harvest_settings
        from misp_module.instance import is_set
        from misp_module.verdicts import rejected

        knowledge, number = Knowledge.load(), str(event.get("id") or "")
        known = self._records.rejected(number) if number else frozenset()
        if not number or not is_set(self._settings()):
            return known | rejected(event, [], knowledge)
        harvest = harvest_settings.load()
        try:
            instance = self.instance()
            rows = AuditLog(instance, knowledge, harvest.zone).of_event(number)
        except TtpscribeError as error:
            log.warning("removed tags are not known: %s", error)
            return known | rejected(event, [], knowledge)
        return known | rejected(event, rows, knowledge, instance.people(harvest.bots))

    def _ping(self) -> dict[str, Any]:
        return {"status": "ok", "version": __version__, "release": self._analyser.release()}

    @staticmethod
    def _example() -> Any:
        from engine.documents import from_text

        return from_text("The actor sent a spearphishing e-mail (T1566.001).", "warm-up")


def _saver(instance: Instance) -> Saver:
    from misp_module.saving import Saver

    return Saver(instance, Knowledge.load())


def _without(readings: Sequence[Reading], unwanted: frozenset[str]) -> tuple[list[Reading], str]:
    """Leave techniques out of readings; return what is left, and the names of those left out."""
    kept, out = [], set()
    for source, analysis in readings:
        findings = tuple(f for f in analysis.findings if f.technique not in unwanted)
        suggestions = tuple(f for f in analysis.suggestions if f.technique not in unwanted)
        out |= {f.technique for f in (*analysis.findings, *analysis.suggestions)} & unwanted
        kept.append((source, replace(analysis, findings=findings, suggestions=suggestions)))
    return kept, ", ".join(sorted(out))
