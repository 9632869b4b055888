"""The questions that may be put to agreements and call-offs, for the API and the pages alike."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from contracts.models import CallOff, FrameworkAgreement


class FrameworkFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Narrows the agreements that a user may see; it never widens them."""

    code = django_filters.CharFilter(label=_("Code"), max_length=40)
    organisation = django_filters.CharFilter(
        method="naming", label=_("Code of an organisation that it names"), max_length=50
    )
    supplier = django_filters.CharFilter(
        method="supplied_by", label=_("Code of a supplier"), max_length=50
    )
    algorithm = django_filters.CharFilter(
        method="pricing", label=_("Code of an algorithm that it prices"), max_length=50
    )
    in_force_on = django_filters.DateFilter(
        method="in_force", label=_("A day on which it is in force")
    )
    q = django_filters.CharFilter(
        method="with_words", label=_("Words in code or title"), max_length=100
    )

    class Meta:
        model = FrameworkAgreement
        fields: list[str] = []

    def naming(self, queryset: Any, _name: str, value: str) -> Any:
        """As holder or among its authorities."""
        named = FrameworkAgreement.objects.filter(
            Q(holder__code=value) | Q(authorities__organisation__code=value)
        )
        return queryset.filter(pk__in=named.values("pk"))

    def supplied_by(self, queryset: Any, _name: str, value: str) -> Any:
        """As the first supplier or a further one."""
        found = FrameworkAgreement.objects.filter(
            Q(supplier__code=value) | Q(suppliers__vendor__code=value)
        )
        return queryset.filter(pk__in=found.values("pk"))

    def pricing(self, queryset: Any, _name: str, value: str) -> Any:
        """With a price for it."""
        found = FrameworkAgreement.objects.filter(price_book__algorithm__code=value)
        return queryset.filter(pk__in=found.values("pk"))

    def in_force(self, queryset: Any, _name: str, value: Any) -> Any:
        """First and last day count."""
        return queryset.filter(valid_from__lte=value, valid_to__gte=value)

    def with_words(self, queryset: Any, _name: str, value: str) -> Any:
        """Every word must be found somewhere."""
        for word in value.split():
            queryset = queryset.filter(Q(code__icontains=word) | Q(title__icontains=word))
        return queryset


class CallOffFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Narrows the call-offs that a user may see; it never widens them."""

    code = django_filters.CharFilter(label=_("Code"), max_length=40)
    framework = django_filters.CharFilter(
        field_name="framework__code", label=_("Code of the agreement"), max_length=40
    )
    organisation = django_filters.CharFilter(
        field_name="organisation__code", label=_("Code of who buys"), max_length=50
    )
    state = django_filters.ChoiceFilter(choices=CallOff.State.choices, label=_("State"))
    algorithm = django_filters.CharFilter(
        method="with_algorithm", label=_("Code of an algorithm in a line"), max_length=50
    )
    site = django_filters.CharFilter(
        method="at_site", label=_("Code of a site in a line"), max_length=50
    )

    class Meta:
        model = CallOff
        fields: list[str] = []

    def with_algorithm(self, queryset: Any, _name: str, value: str) -> Any:
        """In any of its lines."""
        found = CallOff.objects.filter(lines__algorithm__code=value)
        return queryset.filter(pk__in=found.values("pk"))

    def at_site(self, queryset: Any, _name: str, value: str) -> Any:
        """In any of its lines."""
        found = CallOff.objects.filter(lines__site__code=value)
        return queryset.filter(pk__in=found.values("pk"))
