"""Celery: one line for each step, and the sweep that makes lost nudges good."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import structlog
from celery import shared_task
from django.core.exceptions import ObjectDoesNotExist
from django.db import OperationalError

from hub.models import Node
from routing import (
    forgetting,
    mishaps,
    outbox,
    preparing,
    staging,
    sweeping,
    tallying,
    tidying,
    uploading,
)
from routing.models import Study, Workitem
from routing.pathway import Overtaken
from routing.steps import collect as collect_step
from routing.steps import complete as complete_step
from routing.steps import dispatch as dispatch_step
from routing.steps import entitle as entitle_step
from routing.steps import match as match_step
from routing.steps import write_back as write_back_step

log = structlog.get_logger(__name__)


def _task(
    step: Callable[[int], None], mishap: Callable[..., None] | None = None
) -> Any:
    """A task that does its step; whoever was overtaken, or whose row is gone, has nothing to do."""
    name = step.__name__

    @functools.wraps(step)
    def run(row_id: int = 0) -> None:
        try:
            uploading.start()
            step(row_id)
        except (Overtaken, ObjectDoesNotExist) as fault:
            log.info("task.nothing_to_do", task=name, row=row_id, why=str(fault))
        except OperationalError:
            # The database is away or busy: the row is still due, and the sweep comes again.
            log.warning("task.no_database", task=name, row=row_id, exc_info=True)
        except Exception as fault:
            log.error("task.failed", task=name, row=row_id, exc_info=True)
            if mishap is not None:
                mishap(row_id, step=name, fault=fault)

    return shared_task(name=f"routing.tasks.{name}")(run)


_study_task = functools.partial(_task, mishap=mishaps.of_study)
_workitem_task = functools.partial(_task, mishap=mishaps.of_workitem)


@_study_task
def complete(study_id: int) -> None:
    complete_step.complete(Study.objects.select_related("site").get(pk=study_id))


@_task
def prepare(study_id: int) -> None:
    preparing.prepare(Study.objects.select_related("site", "order").get(pk=study_id))


@_study_task
def match(study_id: int) -> None:
    match_step.match(Study.objects.select_related("site", "order", "source").get(pk=study_id))


@_workitem_task
def entitle(workitem_id: int) -> None:
    entitle_step.entitle(_workitem(workitem_id))


@_task
def dispatch(version_id: int) -> None:
    dispatch_step.dispatch(version_id)


@_workitem_task
def collect(workitem_id: int) -> None:
    collect_step.collect(_workitem(workitem_id))


@_workitem_task
def write_back(workitem_id: int) -> None:
    write_back_step.write_back(_workitem(workitem_id))


@_workitem_task
def abandon(workitem_id: int) -> None:
    staging.abandon(_workitem(workitem_id))


@_task
def deliver(node_id: int) -> None:
    outbox.deliver(Node.objects.select_related("site").get(pk=node_id))


@_task
def sweep(_row_id: int) -> None:
    sweeping.sweep()


@_task
def tidy(_row_id: int) -> None:
    tidying.tidy()


@_task
def forget(_row_id: int) -> None:
    forgetting.forget()


@_task
def tally(_row_id: int) -> None:
    tallying.tally()


def _workitem(workitem_id: int) -> Workitem:
    return Workitem.objects.select_related("study__site", "version__algorithm").get(
        pk=workitem_id
    )
