"""The questions that may be put to the worklist, for the API and the page alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import django_filters
from django.core.validators import RegexValidator
from django.db.models import F, Func, Q, TextField, Value
from django.db.models.functions import Replace
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from hub.models import Site
from routing.models import Priority, Study
from routing.models.studies import StudyQuerySet

PRIORITIES = [(name, name) for name in Priority.names]
UNREAD, ALL = "unread", "all"
# PostgreSQL's trigrams find the middle of a word from three characters on, and a beginning always.
_SHORT = 3


class OneOf(django_filters.ChoiceFilter):  # type: ignore[misc]
    """One of a few words; a refusal names them all."""

    def __init__(self, *, choices: Iterable[tuple[str, Any]], **kwargs: Any) -> None:
        known = list(choices)
        words = ", ".join(str(word) for word, _label in known)
        message = format_lazy(
            _("expected one of {known}; got {value}"), known=words, value="%(value)s"
        )
        kwargs["error_messages"] = {"invalid_choice": message}
        super().__init__(choices=known, **kwargs)


class SearchedText(Func):
    """What words are looked for in, each part of a name and each number behind a blank.

    Written as in the index ``study_search`` (hub/trigrams.py), which PostgreSQL then uses.
    """

    arg_joiner = " || ' ' || "
    template = "(' ' || %(expressions)s)"
    output_field = TextField()

    def __init__(self) -> None:
        name = Replace(
            Replace(F("patient_name"), Value("^"), Value(" ")), Value("="), Value(" ")
        )
        super().__init__(name, F("patient_id"), F("accession_number"), F("study_description"))


class Modalities(Func):
    """Each modality of a study between two blanks, as in the index ``study_search``.

    Not so that it is used where ``is_indexed`` is False: of the few that wait to be read each is
    looked at sooner than all of a modality are found.
    """

    template = "(' ' || %(expressions)s || ' ')"
    output_field = TextField()

    def __init__(self, *, is_indexed: bool) -> None:
        super().__init__(Replace(F("modality"), Value("\\"), Value(" ")))
        if not is_indexed:
            self.template = f"({self.template} || '')"


class StudyFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Narrows the studies that a user may see; it never widens them."""

    site = django_filters.CharFilter(method="at_site", label=_("Site code"), max_length=50)
    modality = django_filters.CharFilter(
        method="with_modality",
        label=_("Modality, such as CT"),
        validators=[
            RegexValidator(
                r"^[A-Za-z0-9_]{1,16}\Z", _("expected a DICOM modality such as CT, MR or DX")
            )
        ],
    )
    priority = OneOf(choices=PRIORITIES, method="with_priority", label=_("Priority"))
    ai_state = OneOf(choices=Study.AiState.choices, label=_("What AI has done"))
    state = OneOf(
        choices=[(UNREAD, _("To read")), (ALL, _("All"))],
        method="with_state",
        label=_("unread (the default): studies that wait for a reader; all: every study"),
    )
    accession_number = django_filters.CharFilter(label=_("Accession number"), max_length=64)
    patient_id = django_filters.CharFilter(label=_("Patient ID"), max_length=64)
    q = django_filters.CharFilter(
        method="with_words",
        label=_("Words in patient name, patient ID, accession number or description"),
        max_length=100,
    )

    class Meta:
        model = Study
        fields: list[str] = []

    def filter_queryset(self, queryset: StudyQuerySet) -> StudyQuerySet:
        """The studies asked for; without a ``state`` only those that wait for a reader."""
        found: StudyQuerySet = super().filter_queryset(queryset)
        return found if self.is_of_all else found.unread()

    @property
    def is_of_all(self) -> bool:
        """Whether studies are asked for that were read as well."""
        return bool(self.form.cleaned_data.get("state") == ALL)

    def with_state(self, queryset: StudyQuerySet, _name: str, _value: str) -> StudyQuerySet:
        """Decided in filter_queryset(), because it has a default."""
        return queryset

    def at_site(self, queryset: StudyQuerySet, _name: str, value: str) -> StudyQuerySet:
        """By the key of the site: a join would keep a database from walking along an index."""
        return queryset.filter(
            site__in=list(Site.objects.filter(code=value).values_list("pk", flat=True))
        )

    def with_priority(self, queryset: StudyQuerySet, _name: str, value: str) -> StudyQuerySet:
        """By the name of the priority (0040,1003)."""
        return queryset.filter(priority=Priority[value])

    def with_modality(self, queryset: StudyQuerySet, _name: str, value: str) -> StudyQuerySet:
        """Studies with that modality, alone or among others (Modalities in Study, 0008,0061)."""
        return queryset.alias(modalities=Modalities(is_indexed=self.is_of_all)).filter(
            modalities__contains=f" {value.upper()} "
        )

    def with_words(self, queryset: StudyQuerySet, _name: str, value: str) -> StudyQuerySet:
        """Every word must be found somewhere, so that "kari hansen" finds HANSEN^KARI.

        Among all studies a word of one or two characters must begin a name or a number.
        """
        queryset = queryset.alias(searched_text=SearchedText())
        for word in value.split():
            start = " " if self.is_of_all and len(word) < _SHORT else ""
            clause = Q()
            # SQLite, and PostgreSQL in the C locale, know upper and lower case of ASCII alone.
            others = () if word.isascii() else (word.lower(), word.upper(), word.title())
            for spelling in sorted({word, *others}):
                clause |= Q(searched_text__icontains=start + spelling)
            queryset = queryset.filter(clause)
        return queryset
