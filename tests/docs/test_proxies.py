"""The proxies that the pages describe let through what people may hand in."""

from __future__ import annotations

import re

import pytest
from django.conf import settings

from contracts.billing import claims
from marketplace import paper_forms, sboms
from tests.docs import pages

LARGEST = max(
    claims.MOST_BYTES, paper_forms.LARGEST, sboms.LARGEST, settings.HUB_DOCUMENT_BYTES
)


@pytest.mark.parametrize(
    ("page", "setting"),
    [
        ("docs/how-to/run-in-production.md", r"client_max_body_size (\d+)m;"),
        ("docs/how-to/install-with-helm.md", r"proxy-body-size: (\d+)m"),
    ],
)
def test_a_file_that_the_hub_takes_is_not_refused_in_front_of_it(page: str, setting: str) -> None:
    (found,) = re.findall(setting, pages.text_of(page))
    # around the file the form has some fields
    assert int(found) * 2**20 > LARGEST + 2**20
