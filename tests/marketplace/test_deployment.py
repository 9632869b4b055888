"""Which versions of an algorithm a site has in use, and why others are not."""

from __future__ import annotations

import pytest

from marketplace.deployment import deployed_version
from tests.builders.parties import algorithm_version, deployment_of, first_site

pytestmark = pytest.mark.django_db


def test_the_clinical_version_comes_before_the_one_in_shadow() -> None:
    here = first_site()
    here.deployment.delete()
    shadow = deployment_of(algorithm_version(version="2.0.0"), site=here.site, state="shadow")
    validation = deployment_of(
        algorithm_version(version="1.1.0"), site=here.site, state="validation"
    )
    clinical = deployment_of(here.version, site=here.site, state="clinical")

    found = deployed_version(here.algorithm, site=here.site)

    assert found.deployments == (clinical, validation, shadow)
    assert found.reasons == ()


@pytest.mark.parametrize("state", ["suspended", "retired"])
def test_a_version_out_of_use_is_named_with_its_reason(state: str) -> None:
    here = first_site()
    deployment_of(algorithm_version(version="0.9.0"), site=here.site, state=state)

    found = deployed_version(here.algorithm, site=here.site)

    assert found.deployments == (here.deployment,)
    assert [str(why) for why in found.reasons] == [
        f"ICH Triage 0.9.0 is {state} at Drammen sykehus"
    ]


def test_a_deployment_at_another_site_does_not_count() -> None:
    here = first_site()

    found = deployed_version(here.algorithm, site=here.other_site)

    assert found.deployments == ()
    assert [str(why) for why in found.reasons] == [
        "ICH Triage is not deployed at Nordbyhagen sykehus"
    ]
