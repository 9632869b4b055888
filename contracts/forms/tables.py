"""The forms of lists of needs, evaluation models and value models: a head, and rows below it.

What is typed is judged by the serializers of the API, whose refusals stand beside the fields.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from contracts import valuing
from contracts.api.needs import CLASSES
from contracts.forms import base
from contracts.models import AwardCriterion, BreadthRule, EvaluationModel, Need, ValueParameter
from contracts.templatetags.value_words import VALUE

EXTRA = 3
MOST = 500


def line(label: Any, *, says: Any = "") -> forms.CharField:
    """One line of text that may be left out here; the serializer knows better."""
    return base.words(label, needed=False, most=500, says=says)


def pick(label: Any, options: Any) -> forms.ChoiceField:
    """One of a few, or nothing yet."""
    return base.choice(label, options, needed=False)


class _Head(base.Form):
    revision = base.revision()
    code = line(_("Code"))
    title = line(_("Title"))


class NeedListForm(_Head):
    """How needs are chosen among."""

    pick = line(_("How many are chosen"))
    weight_gain = line(_("Weight of the gain"))
    weight_competence = line(_("Weight of competence"))
    gain_unit = line(_("Unit of the gain"))


class NeedForm(base.Form):
    """One need."""

    code = line(_("Code"))
    title = line(_("Need"))
    modality = line(_("Modality"))
    organ = line(_("Organ"))
    pathology = line(_("Pathology"))
    volume = line(_("Examinations a year"))
    gain = line(_("Gain of one"))
    competence = line(_("Competence, 1 to 5"))
    risk = pick(_("Risk"), Need.Risk.choices)
    best_class = pick(_("CE class"), [(one, one) for one in CLASSES])


class BreadthForm(base.Form):
    """One rule of breadth."""

    dimension = pick(_("Spread over"), BreadthRule.Dimension.choices)
    at_least = line(_("So many values"))
    at_most_each = line(_("So many of each value"))
    every = line(_("These for certain, by commas"))


class EvaluationModelForm(_Head):
    """How price and quality are brought together."""

    formula = pick(_("Formula"), EvaluationModel.Formula.choices)
    max_points = line(_("Points at most"))
    break_point = line(_("Break point (hybrid)"))
    environment_exemption = base.text(
        _("Why the environment weighs less than the law demands"), needed=False, rows=2
    )


class CriterionForm(base.Form):
    """One award criterion."""

    code = line(_("Code"))
    name = line(_("Name"))
    kind = pick(_("Kind"), AwardCriterion.Kind.choices)
    weight = line(_("Weight in percent"))
    is_environment = base.flag(_("climate and environment"))
    value = line(_("What full points are worth"))


class DemandForm(base.Form):
    """Volumes that tenders are priced on."""

    item = line(_("Item"))
    start = base.day(_("From"))
    months = line(_("Months"))
    monthly = line(_("Examinations a month"))


class ValueModelForm(_Head):
    """What is expected of an algorithm."""

    years = line(_("Years"))
    price = line(
        _("Price"),
        says=_("One price, or tiers with their upper bounds: 10000: 24.00; 18.00"),
    )


class ParameterForm(base.Form):
    """One number, and how sure it is."""

    name = pick(_("Parameter"), [(one, VALUE[one]) for one in valuing.NAMES])
    value = line(_("Value"))
    low = line(_("Low"))
    high = line(_("High"))
    source = line(_("Source"))
    quality = pick(_("Quality"), ValueParameter.Quality.choices)


class MeasurementForm(base.Form):
    """What a driver was in a quarter."""

    quarter = base.day(_("First day of the quarter"), needed=True)
    name = base.choice(_("Parameter"), [(one, VALUE[one]) for one in valuing.NAMES])
    value = base.words(_("Measured"), most=40)
    source = base.words(_("Source"), most=500)


def rows_of(form: type[base.Form]) -> Any:
    """A set of rows, with a few empty ones after those that are there."""
    return forms.formset_factory(form, extra=EXTRA, max_num=MOST, absolute_max=MOST)
