"""What is on offer, as people look for it: what each algorithm looks at, finds, and stands on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy

from marketplace import body_parts
from marketplace.expiry import Alarm, alarm_of
from marketplace.models import Algorithm, AlgorithmVersion, Clearance, Evidence, SafetyNotice
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
    notices: tuple[SafetyNotice, ...] = ()

    @property
    def ce_year(self) -> int | None:
        """The year of the CE mark: of the first day on record, else of the certificate."""
        row = self.clearance
        day = row and (row.ce_marked or row.issued)
        return day.year if day else None

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts of the body as people say them."""
        return body_parts.worded(self.body_parts)

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
        """Each word stands in its name, description, company, findings or parts of the body."""
        for word in value.split()[:10]:
            named = Q(name__icontains=word) | Q(description__icontains=word)
            named |= Q(vendor__name__icontains=word)
            told = _declaring(rows, "findings", word) + _looking_at(rows, word)
            rows = rows.filter(named | Q(pk__in=told))
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
        """It looks at a part of the body whose name, in DICOM or in words, has these letters."""
        return rows.filter(pk__in=_looking_at(rows, value))

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


# the agreements that somebody sees, as (code, title); an app above knows them
_agreements: list[Callable[[Any], list[tuple[str, str]]]] = []


def tell_agreements(ask: Callable[[Any], list[tuple[str, str]]]) -> None:
    """Let an app above say which agreements a page may offer to choose among."""
    _agreements.append(ask)


def choices(user: Any, algorithms: list[Algorithm]) -> dict[str, list[Any]]:
    """What can be asked for, so that nobody has to guess how it is spelt."""
    said = [declared(one) for one in algorithms]
    vendors = {one.vendor.code: one.vendor.name for one in algorithms}
    parts = body_parts.worded(part for one in said for part in one["body_parts"])
    return {
        "modality": sorted({each for one in said for each in one["modalities"]}),
        "body_part": sorted(parts, key=str.casefold),
        "finding": sorted({each for one in said for each in one["findings"]}),
        "framework": [pair for ask in _agreements for pair in ask(user)],
        "vendor": sorted(vendors.items(), key=lambda pair: pair[1].casefold()),
    }


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


def _entry(algorithm: Algorithm) -> Entry:
    versions = sorted(algorithm.versions.all(), key=lambda one: one.pk)
    newest = versions[-1] if versions else None
    clearance = getattr(newest, "clearance", None) if newest else None
    evidence = tuple(algorithm.evidence.all())
    what = declared(algorithm)
    return Entry(
        algorithm, newest, clearance, what["modalities"], what["body_parts"], what["findings"],
        evidence, max((one.level for one in evidence), key=LEVELS.index, default=""),
        alarm_of(clearance, on=timezone.localdate()), _open_notices(newest),
    )  # fmt: skip


def _open_notices(version: AlgorithmVersion | None) -> tuple[SafetyNotice, ...]:
    rows = version.notices.select_related("notice") if version else ()
    return tuple(one.notice for one in rows if one.notice.is_open)


def _declaring(rows: Iterable[Algorithm], what: str, words: str) -> list[int]:
    return [one.pk for one in rows if any(_has(said, words) for said in declared(one)[what])]


def _looking_at(rows: Iterable[Algorithm], words: str) -> list[int]:
    return [
        one.pk for one in rows
        if any(_has(said, words) for said in _parts_of(declared(one)["body_parts"]))
    ]  # fmt: skip


def _parts_of(terms: tuple[str, ...]) -> tuple[str, ...]:
    """As DICOM says them, and as people do."""
    return (*terms, *body_parts.worded(terms))


def _has(said: str, words: str) -> bool:
    return words.casefold() in said.casefold()
