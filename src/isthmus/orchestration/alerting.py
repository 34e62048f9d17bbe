"""Alerts: what is in trouble is told to the desk that looks after it, once for each incident, in business words.

An alert is an outbox row. It is gathered for a moment, so that one incident with 300 orders is one alert; told again
when it gets worse, and when it is over; and kept for the morning in a desk's quiet hours. A row is told at least once:
each telling has an id, by which a receiver drops the second one. Any number of workers may do this at once.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from isthmus.connectivity.transport.answer import NoAnswer, NotSent
from isthmus.connectivity.transport.wire import Wire
from isthmus.landscape.release import Desk
from isthmus.landscape.secrets import SecretMissing, resolve
from isthmus.orchestration.engine import Engine
from isthmus.store import service_levels
from isthmus.store.clock import instant, moment
from isthmus.store.transaction import Row, Transaction
from isthmus.visibility.following import APPROVAL, follow
from isthmus.visibility.incidents import INCIDENT, Incident, incidents

log = logging.getLogger("isthmus.alerts")
#: how long an incident is gathered before it is told, and how long it stays quiet before it is told to have grown
GATHER, AGAIN = timedelta(seconds=20), timedelta(minutes=30)
_HOLD, _RETRY = timedelta(seconds=60), timedelta(minutes=1)
_TIMEOUT_S = 10.0


class Alerting:
    """One worker's part in it: follow the journal, find incidents, tell desks."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._store = engine, engine.store
        self._wire = Wire("alerts", limit=4, cookies=False)

    async def round(self) -> None:
        """One round."""
        release, clock = self._engine.release, self._store.clock
        levels = tuple(release.service_levels.values())
        while await self._store.read(service_levels.is_behind):
            if not await self._store.write(lambda tx: follow(tx, levels, clock())):
                break  # another worker is at it
        if not levels:
            return
        found = await self._store.read(lambda tx: self._incidents(tx, clock()))
        standing = await self._store.read(service_levels.open_alerts)
        if _told_of(found) != [(row["group_key"], row["documents"], row["late"]) for row in standing]:
            await self._store.write(lambda tx: self._keep(tx, found, clock()))
        if await self._store.read(lambda tx: service_levels.is_due(tx, instant(clock()))):
            await self._tell_due(clock())

    async def close(self) -> None:
        """Let go of connections."""
        await self._wire.close()

    # Finding --------------------------------------------------------------------------------------

    def _incidents(self, tx: Transaction, now: datetime) -> list[Incident]:
        troubled = service_levels.troubled(tx, instant(now))
        return incidents(self._engine.release, troubled, service_levels.unread(tx), now)

    def _keep(self, tx: Transaction, found: Sequence[Incident], now: datetime) -> None:
        standing = {row["group_key"]: row for row in service_levels.open_alerts(tx)}
        for incident in found:
            facts = {
                "title": incident.title(), "data": incident.to_json(),
                "documents": incident.documents, "late": incident.late,
            }  # fmt: skip
            row = standing.pop(incident.group_key, None)
            if row is None:
                about = {"desk": incident.desk, "level": incident.level, "group_key": incident.group_key}
                at = {"opened_at": instant(now), "tell_at": instant(now + GATHER)}
                service_levels.open_alert(tx, {**about, **facts, **at})
            else:
                if _has_grown(row, incident, now):
                    facts["tell_at"] = instant(now)
                service_levels.change_alert(tx, row["number"], facts)
        for row in standing.values():
            over: Row = {"state": "ended", "ended_at": instant(now), "tell_at": None, "told_to": []}
            if row["told_at"]:
                over["tell_at"] = instant(now)
            service_levels.change_alert(tx, row["number"], over)

    def _awake(self, desk: str, at: datetime) -> str:
        """The instant at which a desk may be told: not in its quiet hours."""
        found = self._engine.release.desks.get(desk)
        quiet = found.quiet if found else None
        return instant((quiet.until(at) if quiet else None) or at)

    # Telling --------------------------------------------------------------------------------------

    async def _tell_due(self, now: datetime) -> None:
        until = instant(now + _HOLD)
        for row in await self._store.write(lambda tx: service_levels.take_due_alerts(tx, instant(now), until)):
            if (later := self._awake(row["desk"], now)) > instant(now):
                rest: Row = {"tell_at": later, "held_until": None}
                await self._store.write(partial(service_levels.change_alert, number=row["number"], values=rest))
                continue
            told_to, said = await self._tell(row)
            values: Row = {"told_to": told_to, "held_until": None, "said": said}
            if said is None:
                counts = {"told_documents": row["documents"], "told_late": row["late"], "told_to": []}
                values |= {"told_at": instant(now), "tell_at": None, "tellings": row["tellings"] + 1, **counts}
            else:
                values["tell_at"] = instant(now + _RETRY)
                log.warning("alert %s cannot be told to %s: %s", row["number"], row["desk"], said)
            await self._store.write(partial(service_levels.change_alert, number=row["number"], values=values))

    async def _tell(self, row: Row) -> tuple[list[str], str | None]:
        """Tell everybody who does not know yet; who knows now, and what kept somebody from hearing it."""
        desk, told = self._engine.release.desks.get(row["desk"]), list(row["told_to"])
        said: str | None = None
        if desk is None or not (desk.alert_url or desk.tell):
            log.warning("alert %s for %s, whom nothing tells: %s", row["number"], row["desk"], row["title"])
            return told, None
        if desk.alert_url and "alert_url" not in told:
            said = await self._post(desk, row)
            told += ["alert_url"] if said is None else []
        for number, address in enumerate(desk.tell):
            name = f"tell.{number}"
            if name in told:
                continue
            refused = await self._notify(desk, name, address, row)
            said = said or refused
            told += [name] if refused is None else []
        return told, said

    async def _post(self, desk: Desk, row: Row) -> str | None:
        event = json.dumps(self.cloud_event(row), ensure_ascii=False).encode()
        try:
            url = self._resolved(desk, "alert_url", desk.alert_url or "")
            headers = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
            answer = await self._wire.exchange("POST", url, headers, event, timeout_s=_TIMEOUT_S)
        except (NotSent, NoAnswer, SecretMissing) as error:
            return str(error)
        return None if answer.status < 300 else f"desks.{desk.name}.alert_url answered {answer.status}"

    async def _notify(self, desk: Desk, name: str, address: str, row: Row) -> str | None:
        from apprise import Apprise

        try:
            url = self._resolved(desk, name, address)
        except SecretMissing as error:
            return str(error)
        channel = Apprise()
        if not channel.add(url):
            return f"desks.{desk.name}.{name} is no address that Apprise knows"
        title, body = self._words(row)
        done = await asyncio.to_thread(channel.notify, body=body, title=title)
        return None if done else f"desks.{desk.name}.{name} could not be reached"

    def cloud_event(self, row: Row) -> dict[str, Any]:
        """The alert as a CloudEvent 1.0, structured mode; a second delivery of one telling has the same id."""
        release = self._engine.release
        kind = "ended" if row["state"] == "ended" else "opened" if not row["tellings"] else "grown"
        type_ = row["data"]["type"] if row["level"] == APPROVAL else f"isthmus.alert.{kind}.v1"
        title, body = self._words(row)
        return {
            "specversion": "1.0",
            "id": f"{release.name}.alert.{row['number']}.{row['tellings'] + 1}",
            "source": f"/isthmus/{release.name}/{release.environment.name}",
            "type": type_,
            "subject": row["level"],
            "time": row["ended_at"] or row["opened_at"],
            "datacontenttype": "application/json",
            "data": {**row["data"], "alert": row["number"], "title": title, "text": body},
        }

    def _words(self, row: Row) -> tuple[str, str]:
        if row["level"] == APPROVAL:
            return row["title"], self._question(row["data"])
        incident, console = INCIDENT.validate_python(row["data"]), self._console()
        if row["state"] == "ended":
            body = f"It was told with {row['told_documents']} documents. Nothing is left to do."
            return f"Over: {row['level']} · {incident.cause}", body
        look = f"{console.rstrip('/')}/exceptions" if console else None
        return row["title"], incident.body(look)

    def _question(self, asked: Row) -> str:
        console, id_ = self._console(), asked["approval"]
        lines = [
            f"To be decided by {asked['due_at'][:16].replace('T', ' ')} UTC." if asked["due_at"] else "",
            f"Look and decide: {console.rstrip('/')}/approvals/{id_}" if console else "",
            f"Or type: isthmus approvals approve {id_} (or reject)",
        ]
        return "\n".join(line for line in lines if line)

    def _console(self) -> str | None:
        written = self._engine.release.environment.console_url
        try:
            return written and resolve(written, setting="environments.console_url", folder=self._engine.release.folder)
        except SecretMissing:
            return None

    def _resolved(self, desk: Desk, name: str, text: str) -> str:
        return resolve(text, setting=f"desks.{desk.name}.{name}", folder=self._engine.release.folder)


def _has_grown(row: Row, incident: Incident, now: datetime) -> bool:
    """Worth a second telling: the first one is late now, or there are twice as many and it was quiet for a while."""
    if row["told_at"] is None or row["tell_at"] is not None:
        return False
    if incident.late and not row["told_late"]:
        return True
    return incident.documents >= 2 * row["told_documents"] and now - moment(row["told_at"]) >= AGAIN


def _told_of(found: Sequence[Incident]) -> list[tuple[str, int, int]]:
    return sorted((incident.group_key, incident.documents, incident.late) for incident in found)
