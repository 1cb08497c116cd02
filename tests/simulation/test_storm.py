"""The storm, small enough for every run; `ONHAND_STORM_SEED` repeats one, the others make it larger."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from tests.instance import running_instance
from tests.simulation.storm import Storm, run_storm


async def test_every_subscriber_gets_every_change_once_and_ends_with_the_exact_state(tmp_path: Path) -> None:
    given = {
        name: int(os.environ[f"ONHAND_STORM_{name.upper()}"])
        for name in ("seed", "changes", "subscribers")
        if f"ONHAND_STORM_{name.upper()}" in os.environ
    }
    storm = Storm(**{"seed": secrets.randbelow(2**31), **given})
    with running_instance(tmp_path / "data", api_processes=2) as instance:
        told = await run_storm(instance, storm)
    assert (told["valkey killed"], told["api killed"]) == (2, 1)
    assert told["left"] > storm.subscribers
