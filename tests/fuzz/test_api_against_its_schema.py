"""The API held against its own schema: no input makes a fault, and each answer is as declared.

Every operation there is is walked, with values made of its schema and with values that break it;
half of the paths lead to rows that are there. ``--long`` tries many more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.cache import cache
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from knox.models import AuthToken
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.builders import parties, worklists
from tests.builders.parties import FirstSite

pytestmark = pytest.mark.django_db
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance,
    response_headers_conformance, response_schema_conformance,
]  # fmt: skip
FEW, MANY = 3, 100


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """A request would close the connection in whose transaction the test lives."""
    for moment in (request_started, request_finished):
        moment.disconnect(close_old_connections)
    yield
    for moment in (request_started, request_finished):
        moment.connect(close_old_connections)


@pytest.fixture
def places() -> FirstSite:
    return parties.first_site()


@pytest.fixture
def token(places: FirstSite) -> str:
    """Of somebody who may do all there is, so that every operation is reached."""
    for role in ("procurement_officer", "administrator"):
        parties.member("anybody", role=role)
    user = parties.member("anybody", role="radiologist", organisation=places.organisation)
    return str(AuthToken.objects.create(user=user)[1])


@pytest.fixture
def there(places: FirstSite) -> dict[str, Any]:
    """The parameters of paths to rows that are there, by their names."""
    study = worklists.study_at(places.site)
    item = worklists.workitem_on(
        study, places.version, state="held", write_back_mode="after_acceptance"
    )
    worklists.dead_letter(item, node=places.ris)
    return {
        "study_instance_uid": study.study_instance_uid,
        "uid": str(item.uid),
        "pk": places.framework.pk,
        "id": places.framework.pk,
        "organisation": places.organisation.code,
    }


def walk(token: str, there: dict[str, Any], *, examples: int) -> dict[str, str]:
    """Call every operation so often; gives what is wrong with each, "" where nothing is."""
    schema = schemathesis.openapi.from_wsgi("/api/schema/", get_wsgi_application())
    told = {}
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path.startswith("/api/v1/"):
            name = f"{operation.method.upper()} {operation.path}"
            told[name] = ""
            try:
                _try(operation, token, there, examples=examples)
            except FailureGroup as group:
                told[name] = str(group)
    return told


def _try(operation: Any, token: str, there: dict[str, Any], *, examples: int) -> None:
    good = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    bad = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=good | bad, is_there=st.booleans())
    def call(case: Any, is_there: bool) -> None:
        if is_there:
            known = {name: value for name, value in there.items() if name in case.path_parameters}
            case.path_parameters.update(known)
        cache.clear()  # nobody comes too often
        with transaction.atomic():
            headers = {"Authorization": f"Token {token}"}
            case.call_and_validate(headers=headers, checks=CHECKS)
            transaction.set_rollback(True)

    call()


def _demand_none(told: dict[str, str]) -> None:
    """Fail with all that is wrong, not with what is wrong with the first."""
    wrong = [f"{name}\n{what}" for name, what in told.items() if what]
    if wrong:
        pytest.fail("\n\n".join(wrong), pytrace=False)


def test_no_input_makes_a_fault_and_each_answer_is_as_declared(
    token: str, there: dict[str, Any]
) -> None:
    told = walk(token, there, examples=FEW)
    _demand_none(told)
    assert "POST /api/v1/call-offs/" in told
    assert len(told) >= 19


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_many_more_inputs_make_no_fault_either(token: str, there: dict[str, Any]) -> None:
    told = walk(token, there, examples=MANY)
    _demand_none(told)
