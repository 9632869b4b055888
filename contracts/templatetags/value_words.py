"""The words of people for what a value simulation, an evaluation and a price list hold."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _

from contracts.models import Requirement
from contracts.templatetags.money import plain
from hub.typed_numbers import shown_number
from marketplace.value import ROI_DEFINITION

register = template.Library()
VALUE = {
    "volume": _("Examinations a year"), "coverage": _("Share that is processed"),
    "prevalence": _("Prevalence"), "sensitivity_alone": _("Sensitivity, reader alone"),
    "sensitivity_with": _("Sensitivity, with the algorithm"),
    "specificity_alone": _("Specificity, reader alone"),
    "specificity_with": _("Specificity, with the algorithm"),
    "minutes_alone": _("Minutes of reading, alone"),
    "minutes_with": _("Minutes of reading, with the algorithm"),
    "minutes_tp": _("Minutes where it is rightly positive"),
    "minutes_fp": _("Minutes where it is wrongly positive"),
    "minutes_tn": _("Minutes where it is rightly negative"),
    "minutes_fn": _("Minutes where it is wrongly negative"),
    "hourly_cost": _("Cost of an hour"), "cashable": _("Share of saved time that is money"),
    "consults_avoided": _("Consultations avoided a year"),
    "consult_value": _("Worth of a consultation"),
    "sent_home": _("Share sent home at once"), "hours_saved": _("Hours of waiting saved by each"),
    "hour_value": _("Worth of an hour of waiting"),
    "missed_cost": _("Cost of a missed finding"),
    "false_alarm_cost": _("Cost of a false alarm"),
    "qaly_loss": _("QALYs lost by a missed finding"), "qaly_value": _("Worth of a QALY"),
    "fixed_fee": _("Fixed fee a year"), "operations": _("Operations a year"),
    "one_off": _("Once, at the beginning"), "discount_rate": _("Discount rate"),
    "price": _("Price of one examination"), "time": _("Time of reading"),
    "missed": _("Fewer missed findings"), "false_alarms": _("False alarms"),
    "consults": _("Consultations avoided"), "waiting": _("Time of waiting"),
    "qaly": _("Quality of life"), "examinations": _("Price of examinations"),
    "radiology": _("Radiology"), "emergency": _("Emergency department"),
    "other_departments": _("Other departments"), "municipality": _("Municipality"),
    "patient": _("Patient"), "supplier": _("Supplier"), "hospital": _("Hospital"),
    "region": _("Region"), "societal": _("Society"),
}  # fmt: skip
MODELS = {
    "graduated": _("graduated"), "all_units": _("all units"), "flat": _("one price"),
    "stair_step": _("stair-step"), "package": _("package"), "percentage": _("percentage"),
}  # fmt: skip


@register.filter
def value_word(name: str) -> str:
    """What a name of the value model means; the name itself where it is nobody's."""
    return str(VALUE.get(name, name.replace("_", " ")))


# fields of a requirement, as the form on which it is written calls them
FIELDS = {
    "text": _("Text"), "kind": _("Kind"), "group": _("Group"), "text_no": _("Text in Norwegian"),
    "rationale": _("Rationale"), "answer_type": _("Kind of answer"), "choices": _("Choices"),
    "criterion": _("Award criterion"), "max_points": _("Points at most"),
    "min_points": _("Points at least"), "needs_document": _("with a document"),
    "parent": _("Part of"), "supersedes": _("Takes the place of"), "source": _("Source"),
}  # fmt: skip
# what the hub itself says by default in columns that people may fill
SAID = {
    "seconds": _("seconds"),
    ROI_DEFINITION: _("(present value of benefits − present value of costs) / present value of "
                      "costs; one-off costs are costs"),
}  # fmt: skip


@register.filter
def requirement_field(name: str) -> str:
    """What a field of a requirement is called; its own name where it is nobody's."""
    return str(FIELDS.get(name, name))


@register.filter
def requirement_word(value: Any) -> str:
    """A value of such a field in words, where it is one of a few."""
    known = {
        str(word): label
        for some in (Requirement.Kind, Requirement.Group, Requirement.Answer)
        for word, label in some.choices
    }
    return str(known.get(str(value)) or shown_number(str(value)))


@register.filter
def worded(text: str) -> str:
    """What the hub said by default in the language of the reader; else as people wrote it."""
    return str(SAID.get(text, text))


@register.filter
def price_model(name: str) -> str:
    """How a price is reckoned, in words."""
    return str(MODELS.get(name, name.replace("_", " ")))


@register.filter
def price_notes(terms: dict[str, Any]) -> list[str]:
    """What else was agreed about a price, a line each; amounts as they were agreed."""
    return [line for line in (*_phases(terms), *_bounds(terms), *_clauses(terms)) if line]


def _phases(terms: dict[str, Any]) -> list[str]:
    lines = []
    for number, one in enumerate(terms.get("introduction") or (), start=1):
        told = {"number": number, "months": one["months"]}
        if one.get("unit_price"):
            text = _("Introduction %(number)s: %(months)s months at %(price)s")
            lines.append(str(text) % (told | {"price": plain(one["unit_price"])}))
        else:
            text = _("Introduction %(number)s: %(months)s months, %(discount)s off")
            lines.append(str(text) % (told | {"discount": one.get("discount", "")}))
    return lines


def _bounds(terms: dict[str, Any]) -> list[str]:
    lines = []
    if terms.get("included_units"):
        lines.append(str(_("%(number)s included")) % {"number": plain(terms["included_units"])})
    for name, text in (("minimum", _("at least %(amount)s")), ("cap", _("at most %(amount)s"))):
        held = terms.get(name)
        if held:
            amount = held["amount"] if isinstance(held, dict) else held
            lines.append(str(text) % {"amount": plain(amount, least=2)})
    return lines


def _clauses(terms: dict[str, Any]) -> list[str]:
    lines = []
    if index := terms.get("indexation"):
        lines.append(str(_("follows %(series)s")) % {"series": index["series"]})
    if name := terms.get("price_class"):
        lines.append(str(_("list price of class %(name)s")) % {"name": name})
    if fraction := terms.get("customer_fault"):
        text = _("rejected by the customer's fault: %(share)s of the price")
        lines.append(str(text) % {"share": fraction})
    if level := terms.get("sla"):
        text = _("credits for the level of service, up to %(cap)s")
        lines.append(str(text) % {"cap": level.get("cap", "100%")})
    if outcome := terms.get("outcome"):
        text = _("follows %(kpi)s, target %(target)s")
        lines.append(str(text) % {"kpi": outcome["kpi"], "target": outcome["target"]})
    return lines


@register.filter
def tier_price(value: Any) -> str:
    """A price as it was agreed, with two decimals or more."""
    return plain(value, least=2)


END_REASONS = {
    "all-rej": _("All tenders and requests were withdrawn or are inadmissible"),
    "chan-need": _("The needs changed"),
    "ins-fund": _("The money does not suffice"),
    "no-rece": _("No tender and no request came in"),
    "no-signed": _("Who stood first did not sign"),
    "one-admis": _("Only one was admissible"),
    "other": _("Another reason"),
    "rev-body": _("A review body or a court decided it"),
    "rev-buyer": _("The buyer decided it after a complaint"),
    "tch-err": _("Technical or procedural errors"),
}  # fmt: skip


@register.filter
def end_reason(code: str) -> str:
    """A reason of eForms BT-144 in words, with its code."""
    return f"{END_REASONS[code]} ({code})" if code in END_REASONS else code


@register.filter
def named(names: dict[str, str], code: str) -> str:
    """What a code is called; the code itself where nobody calls it anything."""
    return names.get(code, code)


@register.filter
def held(rows: dict[str, Any], key: str) -> Any:
    """What is there for a key, or nothing."""
    return rows.get(key)


@register.filter
def weight(value: Any) -> str:
    """A weight in percent, without needless zeros."""
    text = plain(value)
    return f"{text}\N{NO-BREAK SPACE}%"


@register.filter
def points(value: Any) -> str:
    """Points with two decimals."""
    return "–" if value is None else number_format(round(value, 2), decimal_pos=2)
