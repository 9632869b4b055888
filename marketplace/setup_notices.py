"""The kind ``safety_notices`` of the set-up file."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from hub.configuration import identifiers, registry
from hub.configuration.participants import CODE
from hub.configuration.problems import one_of
from hub.configuration.reader import Value
from hub.configuration.records import Field, Record, Reference, Rows
from hub.configuration.registry import Kind, Say, World
from hub.configuration.shapes import Boolean, Choice, Date, Text
from marketplace import safety_notices
from marketplace.deciding import day_problem
from marketplace.models import AlgorithmVersion, NoticeVersion, SafetyNotice


class _VersionName(Text):
    """The version of an algorithm, kept as a reference to its row."""

    def load(self, row: Any, column: str) -> str:
        return str(row.version.version)

    def save(self, row: Any, column: str, value: Any) -> None:
        """Nothing: found with its algorithm."""


class _AlgorithmOf(Reference):
    """The algorithm of a version, by its code."""

    def load(self, row: Any, column: str) -> str:
        return str(row.version.algorithm.code)

    def save(self, row: Any, column: str, value: Any) -> None:
        """Nothing: found with its version."""


class _Versions(Rows):
    """The versions that a notice is about; an open notice suspends them as it is applied."""

    def finish(self, row: Any, value: Any, *, path: str, store: Any) -> None:
        wanted = {(one["algorithm"], one["version"]) for one in value or []}
        for held in row.versions.select_related("version__algorithm"):
            name = (held.version.algorithm.code, held.version.version)
            if name not in wanted:
                held.delete()
            wanted.discard(name)
        for algorithm, version in sorted(wanted):
            found = AlgorithmVersion.objects.get(algorithm__code=algorithm, version=version)
            NoticeVersion.objects.create(notice=row, version=found)
        safety_notices.enforce(row, by=row.decided_by)


def _examine(value: Value, say: Say, world: World) -> None:
    for index, one in enumerate(value["versions"] or []):
        algorithm = world.value("algorithm", one["algorithm"])
        if not algorithm:
            continue
        manifests = [held["manifest"] for held in algorithm["versions"] or []]
        known = [manifest.data["version"] for manifest in manifests if manifest]
        if one["version"] not in known:
            what = _("a version of %(algorithm)s") % {"algorithm": one["algorithm"]}
            told = one_of(what, known, found=one["version"] or "")
            say.error(f"versions[{index}].version", told)
        if algorithm["vendor"] != value["vendor"]:
            text = _("expected an algorithm of %(vendor)s, found %(found)s")
            told = text % {"vendor": value["vendor"], "found": one["algorithm"]}
            say.error(f"versions[{index}].algorithm", told)
    for name in ("received", "lifted"):
        day = date.fromisoformat(value[name]) if value[name] else None
        if problem := day_problem(day):  # lifted from then on: an open notice is open until then
            say.error(name, problem)
    if value["lifted"] and not value["lifted_by"]:
        say.error("lifted_by", _("expected who lifted it, found nothing"))


registry.dispose("marketplace.ExpiryWarning")
registry.register(Kind(
    "safety_notice", "safety_notices", SafetyNotice,
    says="Field safety notices of manufacturers (MDR Art. 89). An open one suspends its versions "
    "at every site.",
    examine=_examine,
    make=lambda value: SafetyNotice(decided_at=timezone.now()),
    instead=gettext_noop("set lifted"),
    record=Record((
        Field("code", CODE),
        Field("vendor", Reference("vendor")),
        Field("title", Text(300)),
        Field("action", Choice(tuple(SafetyNotice.Action.values))),
        Field("description", Text(4000, identifiers.paragraphs), None),
        Field("received", Date()),
        Field("suspends", Boolean(), True, "false: advice that stops nothing.",
              column="is_suspending"),
        Field("decided_by", Text(), says="Who decided what it means here."),
        Field("lifted", Date(), None, "Since when it keeps nothing out of use.",
              column="lifted_on"),
        Field("lifted_by", Text(), None),
        Field("lifted_why", Text(4000, identifiers.paragraphs), None),
        Field("versions", _Versions(
            NoticeVersion, "notice", ("algorithm", "version"), Record((
                Field("algorithm", _AlgorithmOf("algorithm"), column="version.algorithm"),
                Field("version", _VersionName(40)),
            )), 1,
        )),
    )),
))  # fmt: skip
