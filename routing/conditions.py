"""The rule language: pure functions over a mapping of facts, total over any study, without eval.

A rule is ``{all: [...]}``, ``{any: [...]}``, ``{not: ...}`` or one clause ``{field: {operator:
operand}}``. A fact is a list of the distinct values over all instances (never those of one slice):
a clause on values holds when there is a value and every one of them satisfies it; ``contains`` on
a list holds when one of them does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from hub.phrases import Phrase, phrase

UnfitPattern = re2.error
Facts = Mapping[str, Any]
Operator = Callable[[Any, Any], bool]

SERIES_FIELDS = (
    "modality", "body_part_examined", "series_description", "protocol_name", "laterality",
    "view_position", "manufacturer", "manufacturer_model_name", "station_name",
    "slice_thickness", "convolution_kernel", "contrast_bolus_agent", "image_type",
    "patient_position", "sop_class_uid", "transfer_syntax_uid", "instance_count",
    "series_number", "rows", "columns", "number_of_frames", "software_versions",
    "burned_in_annotation",
)
STUDY_FIELDS = (
    "modalities", "instance_count", "series_count", "study_description", "patient_age_years",
    "patient_sex", "institution_name", "referring_physician_name", "source",
)
ORDER_FIELDS = (
    "exists", "priority", "modality", "procedure_code", "procedure_meaning", "reason",
    "clinical_information", "status",
)
FIELDS = frozenset(
    [f"series.{name}" for name in SERIES_FIELDS]
    + [f"study.{name}" for name in STUDY_FIELDS]
    + [f"order.{name}" for name in ORDER_FIELDS]
)
_LONGEST_PATTERN = 200
# Far beyond what a person writes, and well within what recursion can walk.
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a rule holds, and the clause that decided, for people."""

    holds: bool
    clause: Phrase


def decide(when: Any, facts: Facts) -> Decision:
    """Evaluate a rule that check() found no fault with; an odd fact decides False, never raises."""
    if "all" in when:
        return _decide_all(when["all"], facts)
    if "any" in when:
        return _decide_any(when["any"], facts)
    if "not" in when:
        inner = decide(when["not"], facts)
        return Decision(not inner.holds, inner.clause)
    ((field, test),) = when.items()
    ((operator, operand),) = test.items()
    return clause(field, operator, operand, facts.get(field))


def clause(field: str, operator: str, operand: Any, fact: Any) -> Decision:
    """One clause: ``fact`` is a list of distinct values, a single value, or None."""
    values = values_of(fact)
    if operator == "exists":
        holds = bool(values) == bool(operand)
        words = _("%(field)s is present") if values else _("%(field)s is missing")
        return Decision(holds, phrase(words, field=field))
    if not values:
        return Decision(False, phrase(_("%(field)s is missing"), field=field))
    check_one = OPERATORS[operator]
    if operator == "contains" and not isinstance(fact, str):
        holds = any(check_one(value, operand) for value in values)
    else:
        holds = all(check_one(value, operand) for value in values)
    words = _SENTENCES[operator][holds]
    shown = ", ".join(str(value) for value in values[:8])
    return Decision(holds, phrase(words, field=field, value=shown, operand=_shown(operand)))


def check(when: Any, path: str = "when") -> list[tuple[str, str]]:
    """The faults of a rule: (path in it, what was expected); empty where it may be activated."""
    return _check(when, path, depth=0)


def _check(when: Any, path: str, *, depth: int) -> list[tuple[str, str]]:
    if depth > _DEEPEST:
        text = gettext("expected conditions nested at most %(most)s deep")
        return [(path, text % {"most": _DEEPEST})]
    if not isinstance(when, Mapping) or len(when) != 1:
        text = gettext("expected one of all, any, not, or a field such as series.modality")
        return [(path, text)]
    ((name, inner),) = when.items()
    if name in ("all", "any"):
        if not isinstance(inner, Sequence) or isinstance(inner, str) or not inner:
            return [(f"{path}.{name}", gettext("expected a list of at least one clause"))]
        return [
            fault
            for place, part in enumerate(inner)
            for fault in _check(part, f"{path}.{name}[{place}]", depth=depth + 1)
        ]
    if name == "not":
        return _check(inner, f"{path}.not", depth=depth + 1)
    return _check_clause(name, inner, path)


def _check_clause(field: Any, test: Any, path: str) -> list[tuple[str, str]]:
    if field not in FIELDS:
        text = gettext("expected a field of the rule language: %(known)s")
        return [(f"{path}.{field}", text % {"known": ", ".join(sorted(FIELDS))})]
    here = f"{path}.{field}"
    if not isinstance(test, Mapping) or len(test) != 1:
        return [(here, gettext("expected one operator, such as {equals: CT}"))]
    ((operator, operand),) = test.items()
    if operator not in _OPERANDS:
        text = gettext("expected an operator: %(known)s")
        known = ", ".join(sorted(_OPERANDS))
        return [(f"{here}.{operator}", text % {"known": known})]
    fault = _OPERANDS[operator](operand)
    return [(f"{here}.{operator}", fault)] if fault else []


def _decide_all(parts: Sequence[Any], facts: Facts) -> Decision:
    decisions = []
    for part in parts:
        decision = decide(part, facts)
        if not decision.holds:
            return decision
        decisions.append(decision)
    return Decision(True, _joined(decisions))


def _decide_any(parts: Sequence[Any], facts: Facts) -> Decision:
    decisions = []
    for part in parts:
        decision = decide(part, facts)
        if decision.holds:
            return decision
        decisions.append(decision)
    return Decision(False, _joined(decisions))


def _joined(decisions: Sequence[Decision]) -> Phrase:
    if len(decisions) == 1:
        return decisions[0].clause
    # By halves: a sentence nested as deep as the list is long could not be stored or rendered.
    middle = len(decisions) // 2
    first, rest = _joined(decisions[:middle]), _joined(decisions[middle:])
    return phrase(_("%(first)s; %(rest)s"), first=first, rest=rest)


def values_of(fact: Any) -> list[Any]:
    """The values of a fact that say something."""
    if fact is None:
        return []
    if isinstance(fact, (list, tuple, set, frozenset)):
        return [value for value in fact if value not in (None, "")]
    return [] if fact == "" else [fact]


def text_of(value: Any) -> str:
    """Text as compared: a stray blank or lower case never decides about a patient."""
    return " ".join(str(value).split()).casefold()


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _at_least(value: Any, operand: Any) -> bool:
    number = _number(value)
    return number is not None and number >= float(operand)


def _at_most(value: Any, operand: Any) -> bool:
    number = _number(value)
    return number is not None and number <= float(operand)


def _matches(value: Any, operand: Any) -> bool:
    return pattern(str(operand)).search(proper(value)) is not None


def proper(value: Any) -> str:
    """Text as it is searched: a lone surrogate, which JSON can bring, must not stop a study."""
    return str(value).encode("utf-8", "replace").decode()


@lru_cache(maxsize=1024)
def pattern(text: str) -> Any:
    """Compile a regular expression.

    RE2 takes linear time on any input, so no description can hold a study up.
    """
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    return re2.compile(text, options)


def _shown(operand: Any) -> str:
    return ", ".join(map(str, operand)) if isinstance(operand, (list, tuple)) else str(operand)


def _is_scalar(operand: Any) -> str:
    good = isinstance(operand, (str, int, float))
    return "" if good else gettext("expected a text or a number")


def _is_list(operand: Any) -> str:
    good = isinstance(operand, (list, tuple)) and operand and not any(map(_is_scalar, operand))
    return "" if good else gettext("expected a list of texts or numbers")


def _is_number(operand: Any) -> str:
    number = _number(operand)
    good = number is not None and number == number and not isinstance(operand, bool)
    return "" if good else gettext("expected a number")


def _is_flag(operand: Any) -> str:
    return "" if isinstance(operand, bool) else gettext("expected true or false")


def _is_pattern(operand: Any) -> str:
    if not isinstance(operand, str) or not 0 < len(operand) <= _LONGEST_PATTERN:
        text = gettext("expected a regular expression of at most %(most)s characters")
        return text % {"most": _LONGEST_PATTERN}
    try:
        pattern(operand)
    except UnicodeError:
        return gettext("expected a regular expression in proper Unicode")
    except UnfitPattern as fault:
        text = gettext("expected a regular expression (RE2 syntax): %(why)s")
        return text % {"why": _said(fault)}
    return ""


def _said(fault: Exception) -> str:
    """What RE2 says, which comes as bytes."""
    words = fault.args[0] if fault.args else ""
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)


OPERATORS: dict[str, Operator] = {
    "equals": lambda value, operand: text_of(value) == text_of(operand),
    "in": lambda value, operand: text_of(value) in {text_of(one) for one in operand},
    "contains": lambda value, operand: text_of(operand) in text_of(value),
    "matches": _matches,
    "at_least": _at_least,
    "at_most": _at_most,
}
_OPERANDS: dict[str, Callable[[Any], str]] = {
    "equals": _is_scalar,
    "in": _is_list,
    "contains": _is_scalar,
    "matches": _is_pattern,
    "at_least": _is_number,
    "at_most": _is_number,
    "exists": _is_flag,
}
_SENTENCES: dict[str, dict[bool, str]] = {
    "equals": {
        True: _("%(field)s is %(value)s"),
        False: _("%(field)s is %(value)s, not %(operand)s"),
    },
    "in": {
        True: _("%(field)s is %(value)s"),
        False: _("%(field)s is %(value)s, not one of %(operand)s"),
    },
    "contains": {
        True: _("%(field)s %(value)s contains %(operand)s"),
        False: _("%(field)s %(value)s does not contain %(operand)s"),
    },
    "matches": {
        True: _("%(field)s %(value)s matches %(operand)s"),
        False: _("%(field)s %(value)s does not match %(operand)s"),
    },
    "at_least": {
        True: _("%(field)s %(value)s is at least %(operand)s"),
        False: _("%(field)s %(value)s < %(operand)s"),
    },
    "at_most": {
        True: _("%(field)s %(value)s is at most %(operand)s"),
        False: _("%(field)s %(value)s > %(operand)s"),
    },
}
