"""Rules against a study: 1,000 rules of fifty algorithms, loaded, seen to be unchanged, and asked.

    .venv/bin/python -m bench.rules [--quick]

A study of four series that none of them wants, so that every rule is asked of every series; no
manifest demands anything that would spare it. Beside the hub's way the plain one: rules read by
the ORM, every clause of every rule evaluated, with its sentence.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.alone import run
from bench.measurement import HUB, Measurement, Target

ROOT = Path(__file__).resolve().parent.parent
_RULES, _ALGORITHMS = 1000, 50
_PAIRS, _QUICK_PAIRS = 7, 3
_STUDIES = 10
_AT_MOST_MS = 5
_SITE = "bench"
_SERIES: Sequence[tuple[int, str, str, float]] = (
    (1, "Scout", "T20s", 0.6), (2, "Caput 0.6 Br40", "Br40f", 0.6),
    (3, "Caput 3.0 Br40", "Br40f", 3.0), (4, "Caput bein", "Hr68f", 0.6),
)  # fmt: skip


def measure(*, is_quick: bool) -> list[Measurement]:
    """The time that 1,000 rules take of a study, in milliseconds, on SQLite."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        environment = {
            **os.environ,
            "HUB_STATE_DIR": folder,
            "HUB_DATABASE_URL": f"sqlite:///{folder}/hub.sqlite3",
            "DJANGO_SETTINGS_MODULE": "hub.settings",
        }
        manage = [sys.executable, str(ROOT / "manage.py")]
        subprocess.run([*manage, "migrate", "-v0"], env=environment, check=True)
        pairs = str(_QUICK_PAIRS if is_quick else _PAIRS)
        inner = [sys.executable, "-m", "bench.rules", "--inner", pairs]
        said = subprocess.run(
            inner, env=environment, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
        ).stdout
    figures = json.loads(said.splitlines()[-1])
    return [
        Measurement(
            name="rules",
            says=f"{_RULES:,} rules against a study",
            unit="ms of CPU",
            figures=figures,
            is_rate=False,
            targets=(Target(at_most=_AT_MOST_MS),),
            conditions={
                "rules": _RULES,
                "algorithms": _ALGORITHMS,
                "series": len(_SERIES),
                "database": "SQLite",
                "hub": "rules read as one text, unchanged since the last study; all of them asked",
                "plain": "rules read by the ORM; every clause of each evaluated, with its sentence",
            },
        )
    ]


def _inner(pairs: int) -> None:
    import django

    django.setup()
    study = _make_rows()
    ways: dict[str, Callable[[Any], int]] = {HUB: _by_hub, "plain": _plainly}
    # The first makes the rules ready, as the first study after a change does.
    assert _by_hub(study) == _plainly(study) == 0
    figures: dict[str, list[float]] = {who: [] for who in ways}
    for _ in range(pairs):
        for who, way in ways.items():
            started = time.thread_time()
            for _ in range(_STUDIES):
                way(study)
            figures[who].append((time.thread_time() - started) * 1000 / _STUDIES)
    print(json.dumps(figures))


def _by_hub(study: Any) -> int:
    from routing.rulebook import rules_at
    from routing.suitability import Suitable, judge, offered_by

    offered = offered_by(study)
    needs = _needs()
    verdicts = [
        judge(offered, needs=needs, rules=rules)
        for rules in rules_at(study.site_id).by_algorithm.values()
    ]
    return sum(isinstance(one, Suitable) for one in verdicts)


def _plainly(study: Any) -> int:
    from routing.conditions import decide
    from routing.facts import facts_of
    from routing.models import Rule

    series = list(study.series.filter(is_own=False))
    facts = [facts_of(study, one, series_count=len(series)) for one in series]
    rules = Rule.objects.filter(site=study.site_id).select_related("algorithm")
    return sum(decide(rule.when, one).holds for rule in rules for one in facts)


def _needs() -> Any:
    from vendors.manifest import Needs

    return Needs()


def _make_rows() -> Any:
    from django.utils import timezone

    from hub.models import Organisation, Site
    from marketplace.models import Algorithm
    from routing.models import Rule, Series, Study
    from vendors.models import Vendor

    trust = Organisation.objects.create(code="t", name="T", kind="hospital_trust", country="NO")
    site = Site.objects.create(
        code=_SITE, organisation=trust, name="Bench", timezone="Europe/Oslo"
    )
    vendor = Vendor.objects.create(code="v", name="V", country="NO")
    algorithms = [
        Algorithm.objects.create(code=f"a{n}", vendor=vendor, name=f"A{n}")
        for n in range(_ALGORITHMS)
    ]
    Rule.objects.bulk_create(
        Rule(code=f"r{n}", site=site, algorithm=algorithms[n % _ALGORITHMS], when=_rule(n))
        for n in range(_RULES)
    )
    now = timezone.now()
    study = Study.objects.create(
        site=site, study_instance_uid="1.2.3", modality="CT", instance_count=900,
        study_description="CT Caput", header={"patient_age": "056Y", "patient_sex": "F"},
        first_instance_at=now, last_instance_at=now, waiting_since=now, read_by=now,
    )  # fmt: skip
    for number, description, kernel, thickness in _SERIES:
        Series.objects.create(
            study=study, series_instance_uid=f"1.2.3.{number}", series_number=number,
            modality="CT", instance_count=225,
            attributes=_attributes(description, kernel, thickness),
        )  # fmt: skip
    return study


def _attributes(description: str, kernel: str, thickness: float) -> dict[str, list[Any]]:
    return {
        "modality": ["CT"], "body_part_examined": ["HEAD"], "series_description": [description],
        "protocol_name": ["Caput uten kontrast"], "convolution_kernel": [kernel],
        "slice_thickness": [thickness], "image_type": ["ORIGINAL\\PRIMARY\\AXIAL"],
        "manufacturer": ["Avrop"], "sop_class_uid": ["1.2.840.10008.5.1.4.1.1.2"],
    }  # fmt: skip


def _rule(number: int) -> dict[str, Any]:
    """One of a thousand, each with a pattern of its own; four out of five are for CT."""
    modality = "MR" if number % 5 == 0 else "CT"
    words = copy.deepcopy(_WORDS[number % len(_WORDS)])
    return {
        "all": [
            {"series.modality": {"equals": modality}},
            {"series.series_description": {"matches": rf"(protocol|scan)\s*{number}\b"}},
            *words,
        ]
    }


_WORDS: Sequence[list[dict[str, Any]]] = (
    [{"series.slice_thickness": {"at_most": 1.0}}, {"study.patient_age_years": {"at_least": 18}}],
    [{"any": [{"series.body_part_examined": {"in": ["HEAD", "BRAIN"]}},
              {"study.study_description": {"contains": "caput"}}]}],
    [{"not": {"series.image_type": {"contains": "LOCALIZER"}}}],
    [{"series.convolution_kernel": {"in": ["Br40f", "Hr40", "J40s"]}},
     {"order.priority": {"exists": False}}],
)  # fmt: skip


def main(words: Sequence[str]) -> int:
    """Run it alone and print its rows."""
    if words[:1] == ["--inner"]:
        _inner(int(words[1]))
        return 0
    return run(measure, words)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
