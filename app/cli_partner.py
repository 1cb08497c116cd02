"""`onhand partner`: what an integrator needs."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

partner_app = typer.Typer(help="Logistics partners.", no_args_is_help=True)
STYLES = {"PASS": "green", "FAIL": "bold red", "SKIPPED": "yellow"}


@partner_app.command("check")
def check_partner_command(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where the methods of the contract are below.")],
    provider: Annotated[str, typer.Option(metavar="CODE", help="The provider's code at Connect.")] = "onhand_sandbox",
    api_key: Annotated[
        str | None, typer.Option(metavar="KEY", envvar="ONHAND_PARTNER_API_KEY", help="Sent as auth.api_key.")
    ] = None,
    sku: Annotated[str | None, typer.Option(metavar="SKU", help="One of which there is plenty.")] = None,
    scarce: Annotated[str | None, typer.Option(metavar="SKU", help="One of which there is little.")] = None,
    webhook: Annotated[str | None, typer.Option(metavar="URL", help="Where the partner takes our events.")] = None,
    secret: Annotated[
        str | None, typer.Option(metavar="WHSEC", envvar="ONHAND_PARTNER_WEBHOOK_SECRET", help="What signs them.")
    ] = None,
    wait_seconds: Annotated[float, typer.Option(metavar="S", help="Until every order must have ended.")] = 120.0,
    poll_seconds: Annotated[float, typer.Option(metavar="S", help="Between two looks.")] = 1.0,
) -> None:
    """Play a day against a partner's endpoint and print each rule as kept or broken; exit code 1 when one is broken.

    It places orders, so give it an account for tests, with stock of at least two SKUs. What is left out of --sku and
    --scarce follows from the partner's own snapshot.
    """
    from adapters.channels.threepl.call_provider import ConnectSettings
    from app.partners.check.check_partner import check_partner
    from app.partners.check.play_day import Script
    from app.partners.check.play_hooks import HookTarget

    if (webhook is None) != (secret is None):
        raise typer.BadParameter("Give --webhook and --secret together.")
    hooks = HookTarget(webhook, secret) if webhook and secret else None
    settings = ConnectSettings(url.rstrip("/"), provider, {"api_key": api_key} if api_key else {})
    script = Script(wait_seconds, poll_seconds, sku=sku, scarce=scarce)
    findings = asyncio.run(check_partner(settings, script, hooks))
    _show(findings)
    raise typer.Exit(1 if any(finding.verdict == "FAIL" for finding in findings) else 0)


@partner_app.command("snapshot")
def import_snapshot_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with the columns sku and on_hand.")],
    warehouse: Annotated[str, typer.Option(metavar="CODE", help="Whose stock it is.")],
    as_of: Annotated[datetime.datetime, typer.Option(metavar="TIME", help="When the numbers were true, in UTC.")],
    data_dir: Annotated[Path, typer.Option(metavar="D", help="Of the instance.")] = Path(".onhand"),
) -> None:
    """Hold a warehouse's own stock list against the books: small differences are adjusted, the rest become cases.

    A warehouse that is ONBOARDING or SHADOW is only compared. Prints each SKU that differs.
    """
    from app.find_instance import find_settings
    from app.partners.import_snapshot import import_snapshot
    from app.state import open_state
    from domain.identity import Principal, Role

    async def work() -> list[Any]:
        who = Principal("cli", "onhand partner", frozenset({Role.ADMIN}))
        async with open_state(find_settings(data_dir), "onhand partner") as state:
            moment = as_of.replace(tzinfo=datetime.UTC)
            return await import_snapshot(state, who, warehouse, file, moment, who.name)

    out = Console(highlight=False)
    found = [answer["snapshot"] for answer in asyncio.run(work())]
    table = Table("sku", "told", "at least", "at most", "difference", "outcome", box=None)
    for snapshot in found:
        for line in snapshot["lines"]:
            numbers = (line["told"], line["least"], line["most"], f"{line['difference']:+d}")
            table.add_row(line["sku"], *map(str, numbers), line["outcome"])
    out.print(table)
    levels, equal = (sum(snapshot[name] for snapshot in found) for name in ("levels", "equal"))
    out.print(f"{levels} SKUs, {equal} as the books have them.")


def _show(findings: Sequence[Any]) -> None:
    out = Console(highlight=False)
    table = Table(Column("rule", no_wrap=True), Column("", no_wrap=True), "what it says", "what was seen", box=None)
    for finding in findings:
        mark = f"[{STYLES[finding.verdict]}]{finding.verdict}[/]"
        table.add_row(finding.rule.name, mark, finding.rule.text, finding.detail or "")
    out.print(table)
    counts = {name: sum(finding.verdict == name for finding in findings) for name in STYLES}
    out.print(f"{counts['PASS']} kept, {counts['FAIL']} broken, {counts['SKIPPED']} not seen.")
