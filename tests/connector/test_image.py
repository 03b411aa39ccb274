"""The connector's image, by its own steps, up to its health check and its end."""

from __future__ import annotations

from pathlib import Path

from connector_rig import CONNECTOR_ID
from opencti_double import OpenCTIDouble


def test_the_image_registers_and_says_that_it_is_well(
    platform: OpenCTIDouble, image, tmp_path: Path
) -> None:
    token = tmp_path / "opencti_token"
    token.write_text(f"{platform.token}\n")
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents:
        if str(folder).startswith("/tmp/"):  # noqa: S108 - pytest's own, which others may not enter
            folder.chmod(folder.stat().st_mode | 0o011)
    with image("connector").start(
        "connector",
        OPENCTI_URL=platform.url,
        OPENCTI_TOKEN_FILE=str(token),
        CONNECTOR_ID=CONNECTOR_ID,
    ) as started:
        started.healthy()
        assert CONNECTOR_ID in platform.works.connectors
        assert started.stop() == 0
