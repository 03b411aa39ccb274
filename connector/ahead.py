"""Reports of a backfill, read some time before their turn and analysed by workers meanwhile.

Each report is still enriched by itself, one after the other, from what it says when its turn comes;
where that is no longer what was sent ahead, it is analysed anew.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from connector.reader import read
from engine.errors import TtpscribeError

if TYPE_CHECKING:
    from connector.connector import Connector
    from connector.orders import Listed
    from engine.scale.ahead import EngineAhead

log = logging.getLogger(__name__)


class Ahead:
    """Sends the texts of reports to the workers of an engine.

    Parameters
    ----------
    connector : Connector
    engine : EngineAhead
        The one that the connector's analyser has.
    series : str
        Of the backfill: what it has done is not sent.
    """

    def __init__(self, connector: Connector, engine: EngineAhead, series: str) -> None:
        self._connector = connector
        self._engine = engine
        finished = (*connector.journal.entries("done"), *connector.journal.entries("failed"))
        self._done = {entry.report for entry in finished if entry.message.startswith(f"{series}/")}

    def __call__(self, listed: Listed) -> None:
        """Send a report's text, if it may be read; what is wrong is told when its turn comes."""
        if listed.id in self._done:
            return
        platform, settings = self._connector.platform, self._connector.settings.ttpscribe
        try:
            platform.check_markings(listed.entity_type, listed.id, settings.max_tlp)
            report = platform.report(listed.entity_type, listed.id)
            document = read(report, settings, platform).document
        except TtpscribeError as error:
            log.debug("%s is not sent ahead: %s", listed.id, error)
            return
        if document is not None:
            self._engine.send(document, settings.operating_point, settings.threshold)
