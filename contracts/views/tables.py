"""Pages on which lists of needs, evaluation models and value models are written, as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from contracts import evaluation_editing, listing_needs, tender_access
from contracts.api.evaluations import EvaluationModelSerializer
from contracts.api.needs import NeedListSerializer
from contracts.api.values import ValueModelSerializer
from contracts.forms import base, tables
from contracts.forms.base import set_rows
from contracts.offers import price_of, text_of
from contracts.tenders import ProcedureMoveRefused
from hub import conditional
from hub.access import CONTRACT_ROLES, organisations_of
from hub.conditional import NotAsSeen
from hub.models import Organisation
from hub.typed_numbers import plain_number, shown_number
from vendors.belonging import own_vendor

# columns of decimals, in whose tables people see what they typed
_NUMBERS = frozenset((
    "break_point", "gain", "high", "low", "max_points", "value", "weight", "weight_competence",
    "weight_gain",
))  # fmt: skip
_COUNTS = frozenset((
    "at_least", "at_most_each", "competence", "monthly", "months", "pick", "volume", "years",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Table:
    """One kind of thing: its head, its rows by the serializer's names, and who writes it."""

    serializer: Any
    head: type[base.Form]
    sets: Mapping[str, tuple[Any, type[base.Form], str]]
    seen_by: Callable[[Any], Any]
    write: Callable[..., Any]
    shown_at: str
    heading: Any
    # a field whose text on the page is another than in the API: (to the API, to the page)
    spoken: Mapping[str, tuple[Callable[[str], Any], Callable[[Any], str]]] = field(
        default_factory=dict
    )


NEEDS = Table(
    NeedListSerializer, tables.NeedListForm,
    {"needs": (gettext_lazy("Needs"), tables.NeedForm, "code"),
     "breadth": (gettext_lazy("Rules of breadth"), tables.BreadthForm, "dimension")},
    tender_access.need_lists, listing_needs.write, "need-list", gettext_lazy("List of needs"),
    {"every": (lambda text: [one.strip() for one in text.split(",") if one.strip()], ", ".join)},
)  # fmt: skip
EVALUATION = Table(
    EvaluationModelSerializer, tables.EvaluationModelForm,
    {"criteria": (gettext_lazy("Award criteria"), tables.CriterionForm, "code"),
     "scenario": (gettext_lazy("Volumes that tenders are priced on"), tables.DemandForm, "item")},
    tender_access.evaluation_models, evaluation_editing.write, "evaluation-model-edit",
    gettext_lazy("Evaluation model"),
)  # fmt: skip
VALUE = Table(
    ValueModelSerializer, tables.ValueModelForm,
    {"parameters": (gettext_lazy("Parameters"), tables.ParameterForm, "name")},
    tender_access.value_models, listing_needs.write_value_model, "value-model",
    gettext_lazy("Value model"), {"price": (price_of, text_of)},
)  # fmt: skip


def page_of(table: Table) -> Callable[..., HttpResponse]:
    """The page that writes one: a new one, or the one of the code."""

    @login_required
    @require_http_methods(["GET", "HEAD", "POST"])
    def written(request: HttpRequest, code: str = "") -> HttpResponse:
        row = table.seen_by(request.user).filter(code=code).first() if code else None
        if code and row is None:
            raise Http404
        return _Page(request, table, row).answer()

    return written


class _Page:
    """One request for the page of a table."""

    def __init__(self, request: HttpRequest, table: Table, row: Any) -> None:
        self.request, self.table, self.row = request, table, row
        self.held: dict[str, Any] = self._told() if row else {}
        sent = request.POST if request.method == "POST" else None
        revision = conditional.revision(self._told) if row else ""
        shown = self._spoken(self.held) | {"revision": revision}
        self.head = table.head(sent, key="head", initial=shown)
        self._choose_organisation()
        if row is not None:
            del self.head.fields["code"]
        self.sets = {
            name: tables.rows_of(form)(
                sent, prefix=name, initial=[self._spoken(one) for one in self.held.get(name, ())]
            )
            for name, (_heading, form, _key) in table.sets.items()
        }

    def answer(self) -> HttpResponse:
        """The form; or, once it is written, the page of what was."""
        is_sent = self.request.method == "POST"
        if is_sent and self.head.is_valid() and all(one.is_valid() for one in self.sets.values()):
            made = self._write()
            if made is not None:
                messages.success(self.request, _("Written."))
                return redirect(self.table.shown_at, made.code)
        heading = self.row.title if self.row else self.table.heading
        context = {
            "form": self.head, "heading": heading, "submit": _("Save"),
            "sets": [
                (self.table.sets[name][0], rows, f"set-{name}")
                for name, rows in self.sets.items()
            ],
            "back": reverse("procedures"), "back_label": _("Choosing"),
        }  # fmt: skip
        return render(
            self.request, "hub/form.html", context, status=400 if is_sent else 200
        )

    def _write(self) -> Any:
        asked = self.table.serializer(data=self._said())
        if not asked.is_valid():
            self._tell(asked.errors)
            return None
        said = dict(asked.validated_data)
        said.pop("problems", None)
        if self.row is None and self._is_taken(said["code"]):
            self.head.add_error("code", _("expected a code that is not taken"))
            return None
        if self.row is not None:
            said = {n: v for n, v in said.items() if n not in ("code", "organisation")}
        try:
            with self._as_seen():
                return self.table.write(self.row, by=self.request.user, **said)
        except ProcedureMoveRefused as refused:
            self.head.refuse(base.told(refused))
        except NotAsSeen as refused:
            self.head.refuse([str(refused.detail)])
        return None

    def _told(self) -> dict[str, Any]:
        """The row as it is now, as the API tells it."""
        fresh = type(self.row)._default_manager.get(pk=self.row.pk)
        return dict(self.table.serializer(fresh).data)

    def _as_seen(self) -> AbstractContextManager[None]:
        if self.row is None:
            return nullcontext()
        of = self.head.cleaned_data["revision"] or "*"
        return conditional.as_seen(self.row, self._told, of=of, called=self.row.code)

    def _said(self) -> dict[str, Any]:
        """What the API would be sent: as it was, with what the form says instead."""
        said = self._merged(self.held, self.head)
        if self.row is None:
            said["organisation"] = self.head.cleaned_data["organisation"].code
        for name, (_heading, _form, key) in self.table.sets.items():
            before = {one[key]: one for one in self.held.get(name, ())}
            said[name] = [
                self._merged(before.get(row.cleaned_data.get(key), {}), row)
                for row in self.sets[name]
                if _has_something(self._heard(row.cleaned_data))
            ]
        return said

    def _merged(self, told: Mapping[str, Any], form: base.Form) -> dict[str, Any]:
        """What was there, with what the form says instead; what it showed and was cleared is gone.

        A text that is as it was shown changes nothing: it may not tell all, such as of a price.
        """
        shown, ways = self._spoken(told), self.table.spoken
        changed = {
            name: value
            for name, value in form.cleaned_data.items()
            if name not in ways or value != shown.get(name)
        }
        cleared = {
            name
            for name in changed
            if form.data.get(form.add_prefix(name)) == "" and shown.get(name) not in (None, "")
        }
        kept = {name: value for name, value in told.items() if name not in cleared}
        return kept | self._heard(changed)

    def _heard(self, cleaned: dict[str, Any]) -> dict[str, Any]:
        """Texts as the serializer reads them; what was left empty is nothing."""
        heard: dict[str, Any] = {}
        for name, value in cleaned.items():
            if name in self.table.spoken and isinstance(value, str):
                heard |= {name: self.table.spoken[name][0](value)} if value else {}
            elif name not in ("organisation", "revision") and value not in (None, ""):
                is_number = name in _NUMBERS | _COUNTS and isinstance(value, str)
                heard[name] = plain_number(value) if is_number else value
        return heard

    def _spoken(self, told: Mapping[str, Any]) -> dict[str, Any]:
        ways = self.table.spoken
        return {
            name: ways[name][1](value) if name in ways else _short(name, value)
            for name, value in told.items()
        }

    def _tell(self, errors: Mapping[str, Any]) -> None:
        """Each refusal beside its field, in the head or in its row."""
        for name, found in errors.items():
            rows = list(self.sets.get(name, ()))
            filled = [one for one in rows if _has_something(self._heard(one.cleaned_data))]
            if isinstance(found, Mapping) and filled:
                for index, below in found.items():
                    _put(filled[int(index)], below)
            elif isinstance(found, list) and found and isinstance(found[0], Mapping):
                for one, below in zip(filled, found, strict=False):
                    _put(one, below)
            else:
                self.head.refuse(
                    [f"{name}: {one}" for one in found] if name in self.head.fields else found
                )

    def _choose_organisation(self) -> None:
        if self.row is not None:
            return
        mine = organisations_of(self.request.user, roles=CONTRACT_ROLES)
        if own_vendor(self.request.user) is not None or mine == frozenset():
            raise PermissionDenied(
                _("Only a procurement officer of the organisation may do this.")
            )
        buyers = Organisation.objects.order_by("name")
        self.head.fields["organisation"] = base.row(_("Organisation"))
        set_rows(
            self.head, "organisation", buyers if mine is None else buyers.filter(pk__in=mine)
        )

    def _is_taken(self, code: str) -> bool:
        model = self.table.serializer.Meta.model
        return code == "new" or bool(model.objects.filter(code=code).exists())


def _has_something(row: Mapping[str, Any]) -> bool:
    return any(value not in (None, "", False, []) for value in row.values())


def _put(form: Any, errors: Any) -> None:
    if isinstance(errors, Mapping):
        for name, found in errors.items():
            sentences = found if isinstance(found, list) else [str(found)]
            for one in sentences:
                form.add_error(name if name in form.fields else None, str(one))


def _short(name: str, value: Any) -> Any:
    """A number as people write it, without the zeros that its column adds at the end."""
    if name not in _NUMBERS or not isinstance(value, str):
        return value
    return shown_number(value.rstrip("0").rstrip(".") if "." in value else value)
