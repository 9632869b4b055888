"""What is on offer, as people look for it: what each algorithm looks at, finds, and stands on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketplace.expiry import Alarm, alarm_of
from marketplace.models import Algorithm, AlgorithmVersion, Clearance, Evidence
from vendors.belonging import visible_vendors

LEVELS = tuple(Evidence.Level.values)
CLASSES = ("I", "IIa", "IIb", "III")
MOST_COMPARED = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """One algorithm with what its versions declare; ``level`` is the highest of its evidence."""

    algorithm: Algorithm
    version: AlgorithmVersion | None
    clearance: Clearance | None
    modalities: tuple[str, ...]
    body_parts: tuple[str, ...]
    findings: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    level: str
    alarm: Alarm | None

    @property
    def ce_year(self) -> int | None:
        """The year of the CE mark: of the first day on record, else of the certificate."""
        row = self.clearance
        day = row and (row.ce_marked or row.issued)
        return day.year if day else None

    @property
    def level_label(self) -> str:
        """The highest level of efficacy as people say it."""
        return str(Evidence.Level(self.level).label) if self.level else ""

    def of(self, use: str) -> list[Evidence]:
        """The references of one column of the evidence matrix, newest first."""
        found = [one for one in self.evidence if one.use == use]
        return sorted(found, key=lambda one: (-one.year, one.title))

    @property
    def validation(self) -> list[Evidence]:
        """References for validation."""
        return self.of(Evidence.Use.VALIDATION)

    @property
    def clinical(self) -> list[Evidence]:
        """References for testing in a clinical setting."""
        return self.of(Evidence.Use.CLINICAL)


class CatalogueFilter(django_filters.FilterSet):  # type: ignore[misc]
    """The questions to the catalogue, for the API and the page alike."""

    q = django_filters.CharFilter(method="with_words", label=gettext_lazy("Words"), max_length=200)
    modality = django_filters.CharFilter(method="with_modality", max_length=16)
    body_part = django_filters.CharFilter(method="with_body_part", max_length=40)
    finding = django_filters.CharFilter(method="with_finding", max_length=64)
    risk_class = django_filters.ChoiceFilter(
        field_name="versions__clearance__risk_class", distinct=True,
        choices=[(one, one) for one in CLASSES], empty_label=gettext_lazy("CE class"),
    )  # fmt: skip
    level = django_filters.ChoiceFilter(
        method="with_level", choices=Evidence.Level.choices,
        empty_label=gettext_lazy("Evidence, at least"),
    )  # fmt: skip
    vendor = django_filters.CharFilter(field_name="vendor__code", max_length=50)

    class Meta:
        model = Algorithm
        fields: tuple[str, ...] = ()

    def with_words(self, rows: QuerySet[Algorithm], name: str, value: str) -> QuerySet[Algorithm]:
        """Each word stands in its name, its description, its company, or what it finds."""
        for word in value.split()[:10]:
            named = Q(name__icontains=word) | Q(description__icontains=word)
            named |= Q(vendor__name__icontains=word)
            rows = rows.filter(named | Q(pk__in=_declaring(rows, "findings", word)))
        return rows

    def with_modality(
        self, rows: QuerySet[Algorithm], name: str, value: str
    ) -> QuerySet[Algorithm]:
        """One of its versions takes the modality."""
        known = {one.pk for one in rows if value.upper() in declared(one)["modalities"]}
        return rows.filter(pk__in=known)

    def with_body_part(
        self, rows: QuerySet[Algorithm], name: str, value: str
    ) -> QuerySet[Algorithm]:
        """It looks at a part of the body whose name has these letters."""
        return rows.filter(pk__in=_declaring(rows, "body_parts", value))

    def with_finding(
        self, rows: QuerySet[Algorithm], name: str, value: str
    ) -> QuerySet[Algorithm]:
        """It states a finding whose meaning, or code, has these letters."""
        return rows.filter(pk__in=_declaring(rows, "findings", value))

    def with_level(self, rows: QuerySet[Algorithm], name: str, value: str) -> QuerySet[Algorithm]:
        """Its evidence reaches this level of efficacy."""
        reaching = LEVELS[LEVELS.index(value) :]
        return rows.filter(
            pk__in=Evidence.objects.filter(level__in=reaching).values("algorithm")
        )


def add_filter(name: str, one: django_filters.Filter) -> None:
    """Let an app above add a question that only it can answer."""
    CatalogueFilter.base_filters[name] = one


def offered_to(user: Any) -> QuerySet[Algorithm]:
    """All algorithms for who holds a role here, its own for a vendor's people; by name."""
    rows = Algorithm.objects.filter(vendor__in=visible_vendors(user))
    return rows.select_related("vendor").order_by("name", "code")


def entries(algorithms: Iterable[Algorithm]) -> list[Entry]:
    """Each algorithm with what stands behind it."""
    return [_entry(one) for one in algorithms]


def declared(algorithm: Algorithm) -> dict[str, tuple[str, ...]]:
    """What all versions declare, and the words of people for the part of the body."""
    found: dict[str, dict[str, None]] = {"modalities": {}, "body_parts": {}, "findings": {}}
    found["body_parts"] |= dict.fromkeys(algorithm.body_parts)
    for version in algorithm.versions.all():
        needs, returns = version.manifest["needs"], version.manifest["returns"]
        found["modalities"] |= dict.fromkeys(needs.get("modality", ()))
        found["body_parts"] |= dict.fromkeys(needs.get("body_part_examined", ()))
        found["findings"] |= dict.fromkeys(one["code"]["meaning"] for one in returns["findings"])
    return {name: tuple(values) for name, values in found.items()}


def comparison(found: list[Entry]) -> list[tuple[str, list[str]]]:
    """(what is compared, the word of each entry) for pages and API alike."""
    return [
        (_("Vendor"), [one.algorithm.vendor.name for one in found]),
        (_("Version"), [one.version.version if one.version else "–" for one in found]),
        (_("Modality"), [_listed(one.modalities) for one in found]),
        (_("Body part"), [_listed(one.body_parts) for one in found]),
        (_("Findings"), [_listed(one.findings) for one in found]),
        (_("CE class and year"), [_ce(one) for one in found]),
        (_("Regime"), [one.clearance.regime if one.clearance else "–" for one in found]),
        (_("Certificate until"), [_until(one) for one in found]),
        (_("Intended use"), [_text(one.clearance, "intended_use") for one in found]),
        (_("Highest level of efficacy"), [one.level_label or "–" for one in found]),
        (_("References for validation"), [str(len(one.validation)) for one in found]),
        (_("References for testing in a clinical setting"),
         [str(len(one.clinical)) for one in found]),
        (_("Independent of the vendor"),
         [str(sum(each.is_independent for each in one.evidence)) for one in found]),
        (_("Runs as"), [_performer(one) for one in found]),
        (_("Identity"), [_need(one, "identity", "pseudonym") for one in found]),
    ]  # fmt: skip


def _entry(algorithm: Algorithm) -> Entry:
    versions = sorted(algorithm.versions.all(), key=lambda one: one.pk)
    newest = versions[-1] if versions else None
    clearance = getattr(newest, "clearance", None) if newest else None
    evidence = tuple(algorithm.evidence.all())
    what = declared(algorithm)
    return Entry(
        algorithm, newest, clearance, what["modalities"], what["body_parts"], what["findings"],
        evidence, max((one.level for one in evidence), key=LEVELS.index, default=""),
        alarm_of(clearance, on=timezone.localdate()),
    )  # fmt: skip


def _declaring(rows: Iterable[Algorithm], what: str, words: str) -> list[int]:
    return [one.pk for one in rows if any(_has(said, words) for said in declared(one)[what])]


def _has(said: str, words: str) -> bool:
    return words.casefold() in said.casefold()


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words) or "–"


def _ce(entry: Entry) -> str:
    return " ".join(_parts_of_ce(entry)) or "–"


def _parts_of_ce(entry: Entry) -> Iterator[str]:
    if entry.clearance:
        yield entry.clearance.risk_class
        yield str(entry.ce_year or "")


def _until(entry: Entry) -> str:
    row = entry.clearance
    if row is None or row.expires is None:
        return "–"
    return date_format(row.expires, "SHORT_DATE_FORMAT")


def _text(row: Any, name: str) -> str:
    return (getattr(row, name) if row else "") or "–"


def _performer(entry: Entry) -> str:
    if entry.version is None:
        return "–"
    performer = entry.version.manifest["performer"]
    return f"{performer['kind']} ({performer.get('packaging', 'hub')})"


def _need(entry: Entry, name: str, default: str) -> str:
    return str(entry.version.manifest["needs"].get(name, default)) if entry.version else "–"
