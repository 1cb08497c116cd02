"""The worker process: bounded loops that keep stock, feed, orders and channels in order."""

from __future__ import annotations

import asyncio
import datetime
import signal
import uuid

from app.alerts.forget_alerts import forget_alerts
from app.alerts.plan_alerts import plan_alerts
from app.alerts.send_alerts import send_alert
from app.channels.adapt_buffers import adapt_buffers
from app.channels.measure_lag import forget_lags
from app.channels.note_sales import decay_velocities
from app.channels.process_events import process_events
from app.channels.relay_stock import relay_stock
from app.channels.run_channels import run_channels
from app.channels.set_gauges import set_gauges
from app.channels.tell_drifts import tell_drifts
from app.counts.gauge_accuracy import gauge_accuracy
from app.counts.plan_counts import plan_counts
from app.feed.sweep import sweep_feed
from app.floor.run_clocks import run_clocks
from app.fulfillment.change_work import BELL
from app.fulfillment.confirm_shipments import confirm_shipments
from app.fulfillment.reject_work import time_out_work, vacate_warehouses
from app.fulfillment.release_work import release_work, tidy_lists
from app.fulfillment.reroute_units import reroute_orders, settle_order_cases
from app.logs import configure_logs
from app.metrics import serving_metrics
from app.orders.erase_contact import erase_contacts
from app.orders.mind_orders import mind_orders
from app.orders.tell_cancellations import tell_cancellations
from app.partners.delegate_work import delegate_work
from app.partners.forget_rows import forget_partner_rows
from app.partners.mind_snapshots import mind_snapshots
from app.partners.plan_events import plan_events
from app.partners.poll_changes import poll_changes
from app.partners.poll_snapshots import poll_snapshot
from app.partners.request_cancels import request_cancel
from app.partners.send_events import send_event
from app.repeat import Work, repeat
from app.replenishment.relay_demand import relay_demand
from app.replenishment.sweep_policies import sweep_policies
from app.returns.look_refunds import look_refunds
from app.returns.tell_refunds import tell_refunds
from app.routing.allocate_order import allocate_order
from app.routing.fill_backorders import fill_backorders, sweep_backorders
from app.settings import Settings, load_settings
from app.state import State, open_state
from app.stock.end_reservation import expire_reservations
from app.tasks import end_tasks
from app.tracing import traced

PENDING_SECONDS = 0.015
RELAY_BREATH_SECONDS = 0.03
"""Between two relays: under load many changes of a SKU become one new quantity."""
DEMAND_BREATH_SECONDS = 0.25
"""What is to be bought or counted may wait for so long."""
CLEANING_SECONDS = 10.0
ALERTS_SECONDS = 1.0
ALERT_SENDERS = 4
PARTNERS_SECONDS = 1.0
BUFFERS_SECONDS = 5.0
BACKORDERS_SECONDS = 30.0
DRIFTS_SECONDS = 1.0
GAUGES_SECONDS = 15.0
CLOCKS_SECONDS = 10.0
PLANS_SECONDS = 60.0
CASES_SECONDS = 2.0
KEYS_MAX = 5_000
_FORGET = """
DELETE FROM idempotency_keys WHERE (principal, key) IN (
  SELECT principal, key FROM idempotency_keys WHERE created_at < now() - make_interval(days => $1)
  ORDER BY created_at LIMIT $2)
"""
_FORGET_ATTEMPTS = """
DELETE FROM sync_attempts WHERE id IN (
  SELECT id FROM sync_attempts WHERE started_at < now() - make_interval(secs => $1) ORDER BY started_at LIMIT $2)
"""

Loop = tuple[str, float, Work, str | None]
"""(name, seconds between two looks, what it does, the bell that wakes it)."""


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


async def _expire(state: State) -> int:
    ended = await expire_reservations(state.database)
    if ended:
        state.doorbell.ring("feed")
    return ended


async def _relay(state: State) -> int:
    read, pending = await relay_stock(state)
    await asyncio.sleep(RELAY_BREATH_SECONDS if read else PENDING_SECONDS if pending else 0)
    return read or int(pending)


async def _relay_demand(state: State) -> int:
    read, pending = await relay_demand(state)
    await asyncio.sleep(DEMAND_BREATH_SECONDS if read or pending else 0)
    return read or int(pending)


async def _run_clocks(state: State) -> int:
    return await run_clocks(state, datetime.datetime.now(datetime.UTC))


async def _fill(state: State) -> int:
    """Like the relay: with a breath, so that a burst of changes is looked at once."""
    read = await fill_backorders(state)
    await asyncio.sleep(RELAY_BREATH_SECONDS if read else 0)
    return read


async def _sweep_backorders(state: State) -> int:
    await sweep_backorders(state)
    return 0


async def _forget_keys(state: State) -> int:
    status = await state.database.hot.execute(_FORGET, state.settings.idempotency_days, KEYS_MAX)
    return int(status.rsplit(" ", 1)[-1])


async def _forget_attempts(state: State) -> int:
    status = await state.database.hot.execute(_FORGET_ATTEMPTS, state.settings.attempts_retention_seconds, KEYS_MAX)
    return int(status.rsplit(" ", 1)[-1])


def _list_fulfillment(state: State) -> list[Loop]:
    seconds = state.settings.fulfillment_poll_seconds
    return [
        ("release", seconds, lambda: release_work(state), BELL),
        ("time outs", seconds, lambda: time_out_work(state), None),
        ("closed warehouses", seconds, lambda: vacate_warehouses(state), None),
        ("reroute", seconds, lambda: reroute_orders(state, allocate_order), BELL),
        ("confirm", seconds, lambda: confirm_shipments(state), BELL),
        ("refunds", seconds, lambda: tell_refunds(state), BELL),
        ("refund looks", seconds, lambda: look_refunds(state), BELL),
        ("cancel", seconds, lambda: tell_cancellations(state), BELL),
        ("settle", CASES_SECONDS, lambda: settle_order_cases(state), None),
        ("pick lists", CLEANING_SECONDS, lambda: tidy_lists(state), None),
    ]


def start_loops(state: State) -> list[asyncio.Task[None]]:
    """Every loop of a worker, as tasks to be cancelled at the end."""
    settings, owner = state.settings, f"worker:{uuid.uuid4().hex}"
    loops: list[Loop] = [
        ("relay", settings.feed_poll_seconds, lambda: _relay(state), "feed"),
        ("demand", settings.feed_poll_seconds, lambda: _relay_demand(state), "feed"),
        ("counts", PLANS_SECONDS, lambda: plan_counts(state), None),
        ("policies", CLEANING_SECONDS, lambda: sweep_policies(state), None),
        ("accuracy", PLANS_SECONDS, lambda: gauge_accuracy(state), None),
        ("backorders", settings.feed_poll_seconds, lambda: _fill(state), "feed"),
        ("backorder sweep", BACKORDERS_SECONDS, lambda: _sweep_backorders(state), None),
        ("events", settings.push_poll_seconds, lambda: process_events(state), "events"),
        *_list_fulfillment(state),
        ("expire", settings.sweep_seconds, lambda: _expire(state), None),
        ("feed", CLEANING_SECONDS, lambda: sweep_feed(state.database, settings), None),
        ("keys", CLEANING_SECONDS, lambda: _forget_keys(state), None),
        ("attempts", CLEANING_SECONDS, lambda: _forget_attempts(state), None),
        ("buffers", BUFFERS_SECONDS, lambda: adapt_buffers(state), None),
        ("velocities", CLEANING_SECONDS, lambda: decay_velocities(state.database), None),
        ("drifts", DRIFTS_SECONDS, lambda: tell_drifts(state), None),
        ("orders", settings.orders_sweep_seconds, lambda: mind_orders(state), None),
        ("contacts", CLEANING_SECONDS, lambda: erase_contacts(state), None),
        ("gauges", GAUGES_SECONDS, lambda: set_gauges(state), None),
        ("plan alerts", ALERTS_SECONDS, lambda: plan_alerts(state), None),
        *((f"alerts {n}", ALERTS_SECONDS, lambda: send_alert(state), None) for n in range(ALERT_SENDERS)),
        ("old alerts", CLEANING_SECONDS, lambda: forget_alerts(state), None),
        ("floor clocks", CLOCKS_SECONDS, lambda: _run_clocks(state), None),
        ("plan partners", PARTNERS_SECONDS, lambda: plan_events(state, now()), "fulfillment"),
        *((f"delegate {n}", PARTNERS_SECONDS, lambda: delegate_work(state, now()), "partners") for n in range(2)),
        ("partner changes", PARTNERS_SECONDS, lambda: poll_changes(state, now()), "partners"),
        ("old partner rows", CLEANING_SECONDS, lambda: forget_partner_rows(state), None),
        ("partner stock", PARTNERS_SECONDS, lambda: poll_snapshot(state, now()), None),
        ("stock lists", CLEANING_SECONDS, lambda: mind_snapshots(state, now()), None),
        ("partner cancels", PARTNERS_SECONDS, lambda: request_cancel(state, now()), "partners"),
        *((f"partner events {n}", PARTNERS_SECONDS, lambda: send_event(state, now()), "partners") for n in range(2)),
        ("lags", CLEANING_SECONDS, lambda: forget_lags(state.database), None),
    ]
    tasks = [
        asyncio.create_task(repeat(state, name, seconds, work, bell), name=name) for name, seconds, work, bell in loops
    ]
    tasks.append(asyncio.create_task(state.places.load(), name="places"))
    return [*tasks, asyncio.create_task(run_channels(state, owner), name="channels")]


async def run_worker(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with serving_metrics(settings), traced(settings, "onhand-worker"):
        await _work_until(stop, settings)


async def _work_until(stop: asyncio.Event, settings: Settings) -> None:
    async with open_state(settings, "onhand worker") as state:
        tasks = start_loops(state)
        await stop.wait()
        await end_tasks(*tasks)


def main() -> None:
    settings = load_settings()
    configure_logs(settings)
    asyncio.run(run_worker(settings))


if __name__ == "__main__":
    main()
