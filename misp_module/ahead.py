"""Events of a backfill, read some time before their turn and analysed by workers meanwhile."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from engine.errors import TtpscribeError
from misp_module.reader import Reader

if TYPE_CHECKING:
    from engine.scale.ahead import EngineAhead
    from misp_module.instance import Instance
    from misp_module.settings import Options, Settings

log = logging.getLogger("ttpscribe.ahead")


class Ahead:
    """Sends the texts of events to the workers of an engine.

    Parameters
    ----------
    instance : Instance
    engine : EngineAhead
    options : Options
        As the event will be enriched.
    settings : Settings
    """

    def __init__(
        self, instance: Instance, engine: EngineAhead, options: Options, settings: Settings
    ) -> None:
        self._instance = instance
        self._engine = engine
        self._options = options
        self._settings = settings

    def __call__(self, event: str) -> None:
        """Send an event's texts; what is wrong with it is told when its turn comes."""
        try:
            sources, _ = Reader(self._options, self._settings).event(self._instance.event(event))
        except TtpscribeError as error:
            log.debug("event %s is not sent ahead: %s", event, error)
            return
        for source in sources:
            self._engine.send(source.document, self._options.operating_point)
