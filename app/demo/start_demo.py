"""The demo's part of `onhand up`: its marketplaces as children, its company, its tokens, its traffic."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from app.demo.accounts import Account, claim_account
from app.demo.channels import DEMO_CHANNELS, DemoChannel
from app.demo.seed import answers, seed_demo
from app.demo.seed_company import holds_another_company
from app.demo.tokens import ensure_floor_token, ensure_partner_token, ensure_role_tokens, ensure_traffic_token
from app.embedded import EmbeddedError
from app.sandboxes import SANDBOXES
from app.settings import Settings
from app.state import open_state
from app.supervisor import Child, Instance

START_SECONDS_MAX = 30.0
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Demo:
    """`tokens`: secrets by role. `shops`: (title, address) of each marketplace."""

    tokens: dict[str, str]
    shops: list[tuple[str, str]]


async def start_demo(instance: Instance, settings: Settings, admin_secret: str) -> Demo | None:
    """Bring the demo up, completing what an earlier start left undone; None when another company is at home here.

    Raises `EmbeddedError` when a marketplace does not start.
    """
    async with open_state(settings, "onhand up") as state:
        if await holds_another_company(state):
            return None
        accounts = {channel.kind: _start_marketplace(instance, channel) for channel in DEMO_CHANNELS}
        for channel in DEMO_CHANNELS:
            instance.progress.step(f"Starting the sandbox {channel.title}")
            await _wait_until_serving(instance, state.http, accounts[channel.kind])
        await seed_demo(state, accounts, instance.progress)
        instance.progress.step("Writing a token for each role")
        tokens = await ensure_role_tokens(state, instance.data_dir, admin_secret)
        files = {
            "--token-file": await ensure_traffic_token(state, instance.data_dir),
            "--floor-token-file": await ensure_floor_token(state, instance.data_dir),
            "--partner-token-file": await ensure_partner_token(state, instance.data_dir),
        }
    _start_traffic(instance, accounts, files)
    return Demo(tokens, [(channel.title, accounts[channel.kind].url) for channel in DEMO_CHANNELS])


def _start_marketplace(instance: Instance, channel: DemoChannel) -> Account:
    account = claim_account(instance.data_dir, channel.kind, channel.secrets, instance.url)
    arguments = channel.arguments(instance.data_dir, account)
    command = [sys.executable, "-m", SANDBOXES[channel.kind].package, *arguments]
    instance.add(Child(f"sandbox-{channel.kind}", command, instance.outside_environment))
    return account


async def _wait_until_serving(instance: Instance, http: httpx.AsyncClient, account: Account) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while not await answers(http, account.url):
        if time.monotonic() > deadline:
            raise EmbeddedError(f"The sandbox at {account.url} did not start: see {instance.data_dir / 'logs'}.")
        instance.watch()
        await asyncio.sleep(POLL_SECONDS)


def _start_traffic(instance: Instance, accounts: dict[str, Account], token_files: dict[str, Path]) -> None:
    command = [sys.executable, "-m", "app.demo.traffic", "--api", instance.url]
    for option, path in token_files.items():
        command += [option, str(path)]
    for kind, account in accounts.items():
        command += ["--shop", f"{kind}={account.url}"]
    instance.add(Child("traffic", command, instance.outside_environment))
