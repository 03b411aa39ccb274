"""``python -m connector``: serve OpenCTI, for a container's entry point."""

from __future__ import annotations

import sys
import traceback

from connector.connector import Connector
from connector.settings import Settings
from engine.errors import TtpscribeError


def main() -> int:
    """Run the connector; say what is wrong, and show where where it was not foreseen."""
    try:
        with Connector.open(Settings.load()) as connector:
            connector.run()
    except TtpscribeError as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201 - no logger is set up yet
        return error.exit_code
    except Exception:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
