"""Keeps which warm servers there are in a cluster, and which run each has.

A server asks for its next run by way of the web; performers, in other processes, read what became
of it. The row decides: a run is given to one server, and a server has one run.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from vendors import cluster_runs
from vendors.models import WarmRun, WarmServer

WAITING, GIVEN, OVER = WarmRun.State.WAITING, WarmRun.State.GIVEN, WarmRun.State.OVER


class ServerDismissed(Exception):
    """The server is not known, is to be stopped, or has lost its run."""


# -- runs --------------------------------------------------------------------------------------
def queue(name: str, *, group: str, priority: int) -> None:
    """A run waits for a server of its group, unless it does already."""
    WarmRun.objects.get_or_create(
        name=name,
        defaults={"group": group, "priority": priority, "submitted_at": timezone.now()},
    )


def run_of(name: str) -> WarmRun | None:
    """The run, or None where none was handed over."""
    return WarmRun.objects.filter(name=name).first()


def waiting(group: str) -> int:
    """How many runs of a group wait."""
    return WarmRun.objects.filter(group=group, state=WAITING).count()


def runs_with(servers: Sequence[str]) -> list[str]:
    """The runs that these servers have, and those that wait in their groups."""
    known = WarmServer.objects.filter(name__in=servers)
    groups_there = list(known.values_list("group", flat=True))
    theirs = Q(server__in=servers, state=GIVEN) | Q(group__in=groups_there, state=WAITING)
    return list(WarmRun.objects.filter(theirs).values_list("name", flat=True)) if servers else []


def place(run: WarmRun) -> int:
    """Where a run stands among those of its group that wait; 1 is first."""
    before = Q(priority__lt=run.priority) | Q(
        priority=run.priority, submitted_at__lt=run.submitted_at
    )
    return WarmRun.objects.filter(before, group=run.group, state=WAITING).count() + 1


def end(name: str, outcome: Mapping[str, Any], *, is_stopping: bool = False) -> bool:
    """The run is over; its server is free, or to be stopped. False where it was over already."""
    now = timezone.now()
    with transaction.atomic():
        is_first = WarmRun.objects.filter(name=name).exclude(state=OVER).update(
            state=OVER, ended_at=now, outcome=dict(outcome)
        )
        if is_first:
            changed: dict[str, Any] = {"run": "", "ask": "", "idle_since": now}
            changed |= {"is_stopping": True} if is_stopping else {}
            WarmServer.objects.filter(run=name).update(**changed)
    return bool(is_first)


def forget_run(name: str, *, is_given: bool = False) -> bool:
    """The run is cleaned up; False for one that a server has, unless ``is_given``, or for none."""
    found = WarmRun.objects.filter(name=name)
    found = found if is_given else found.exclude(state=GIVEN)
    return bool(found.delete()[0])


# -- servers -----------------------------------------------------------------------------------
def begin(group: str, number: int, *, fingerprint: str) -> WarmServer | None:
    """Write down that a server is about to be made; None where another worker was faster.

    Its name is drawn, and kept before anything bears it: two hubs may share a namespace.
    """
    now = timezone.now()
    name = f"{group}-{number}-{secrets.token_hex(4)}"
    try:
        with transaction.atomic():
            made = WarmServer.objects.create(
                name=name, group=group, number=number, fingerprint=fingerprint,
                made_at=now, idle_since=now,
            )  # fmt: skip
            # what the watch sees of its pods is kept there
            cluster_runs.begin(name, priority=4)
    except IntegrityError:
        return None
    return made


def servers_of(group: str) -> list[WarmServer]:
    """The servers of a group, by number."""
    return list(WarmServer.objects.filter(group=group).order_by("number"))


def server_of(name: str) -> WarmServer | None:
    """The server of this name."""
    return WarmServer.objects.filter(name=name).first()


def groups() -> list[str]:
    """The groups that have servers, or runs that wait for one."""
    found = set(WarmServer.objects.values_list("group", flat=True))
    return sorted(found | set(WarmRun.objects.values_list("group", flat=True)))


def stop_idle(server: WarmServer) -> bool:
    """Give it no run any more; False where it was given one meanwhile."""
    return bool(WarmServer.objects.filter(pk=server.pk, run="").update(is_stopping=True))


def stop(name: str) -> None:
    """Give it no run any more, whatever it has."""
    WarmServer.objects.filter(name=name).update(is_stopping=True)


def forget(server: WarmServer) -> None:
    """It is gone."""
    server.delete()
    cluster_runs.forget(server.name)


# -- what a server itself asks -----------------------------------------------------------------
def give(name: str, *, ask: str, pod: str) -> WarmRun | None:
    """The next run for a server that is free; None where none waits. Raises ServerDismissed.

    A server that asks anew while it has a run has lost it, and may still be at it: it is stopped.
    """
    now = timezone.now()
    with transaction.atomic():
        server = WarmServer.objects.select_for_update().filter(name=name).first()
        if server is None or server.is_stopping:
            raise ServerDismissed
        if server.run and server.ask == ask:
            return WarmRun.objects.filter(name=server.run, state=GIVEN).first()
        lost, server.heard_at = server.run, now
        server.ready_at = server.ready_at or now
        run = None if lost else _taken(server)
        if lost:
            # Stopped whatever became of the run, which may be over or forgotten by now.
            server.run, server.is_stopping = "", True
        elif run is not None:
            server.run, server.ask, server.pod = run.name, ask, pod
            server.served += 1
        server.save(update_fields=[
            "run", "ask", "pod", "served", "heard_at", "ready_at", "is_stopping",
        ])  # fmt: skip
    if lost:
        why = "the warm server was started anew"
        end(lost, {"state": "failed", "why": why, "is_retryable": True, "is_disruption": True})
        raise ServerDismissed
    return run


def _taken(server: WarmServer) -> WarmRun | None:
    waiting_runs = WarmRun.objects.filter(group=server.group, state=WAITING)
    for run in waiting_runs.order_by("priority", "submitted_at", "pk")[:5]:
        taken = {"state": GIVEN, "server": server.name, "given_at": timezone.now()}
        if WarmRun.objects.filter(pk=run.pk, state=WAITING).update(**taken):
            run.refresh_from_db()
            return run
    return None


def heard(name: str, run: str) -> None:
    """The run goes on; raises ServerDismissed where nobody waits for it there."""
    found = WarmServer.objects.filter(name=name, run=run, is_stopping=False)
    if not found.update(heard_at=timezone.now()):
        raise ServerDismissed
