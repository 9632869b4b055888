"""What rules and manifests are held against: a study, one of its series, and its order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from routing.models import Order, Priority, Series, Study


def facts_of(study: Study, series: Series, *, series_count: int) -> dict[str, Any]:
    """Facts of ``study`` with ``series`` as the candidate input, by rule-language field name."""
    return {
        **_series_facts(series),
        **study_facts(study, series_count),
        **_order_facts(study.order),
    }


def _series_facts(series: Series) -> dict[str, Any]:
    facts: dict[str, Any] = {
        f"series.{name}": values for name, values in series.attributes.items()
    }
    facts["series.instance_count"] = series.instance_count
    facts["series.series_number"] = series.series_number
    return facts


def study_facts(study: Study, series_count: int) -> dict[str, Any]:
    """The facts that hold for every series of a study."""
    return {
        "study.modalities": study.modality.split("\\") if study.modality else [],
        "study.instance_count": study.instance_count,
        "study.series_count": series_count,
        "study.study_description": study.study_description,
        "study.patient_age_years": patient_age_years(study.header),
        "study.patient_sex": study.header.get("patient_sex"),
        "study.institution_name": study.header.get("institution_name"),
        "study.referring_physician_name": study.header.get("referring_physician_name"),
        "study.source": study.source.ae_title if study.source else None,
    }


def _order_facts(order: Order | None) -> dict[str, Any]:
    if order is None:
        return {}
    priority = Priority(order.priority).label if order.priority else None
    return {
        "order.exists": True,
        "order.priority": priority,
        "order.modality": order.modality,
        "order.procedure_code": order.procedure.get("value"),
        "order.procedure_meaning": order.procedure.get("meaning"),
        "order.reason": order.details.get("reason"),
        "order.clinical_information": order.details.get("clinical_information"),
        "order.status": order.status,
    }


def patient_age_years(header: Mapping[str, Any]) -> int | None:
    """Whole years at the study: birth date to study date, else Patient's Age (0010,1010).

    The dates first: a modality may have rounded the age, and a child must not pass for an adult.
    """
    born = _date(header.get("patient_birth_date"))
    taken = _date(header.get("study_date"))
    if born is not None and taken is not None and taken >= born:
        return taken.year - born.year - ((taken.month, taken.day) < (born.month, born.day))
    age = str(header.get("patient_age") or "")
    if len(age) == 4 and age[:3].isdecimal() and age[3] in "DWMY":
        number = int(age[:3])
        return {"Y": number, "M": number // 12, "W": number // 52, "D": number // 365}[age[3]]
    return None


def _date(value: Any) -> date | None:
    text = str(value or "")
    try:
        if len(text) == 8 and text.isascii() and text.isdigit():  # quicker than strptime
            return date(int(text[:4]), int(text[4:6]), int(text[6:]))
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 (a date has no zone)
    except ValueError:
        return None
