"""What HUB_SYNC changes, as a process of the hub reads them."""

import os
import subprocess
import sys

import pytest

ASK = """
import django; django.setup()
from django.conf import settings
from routing.places import spool
print("FULL" in settings.DATABASES["default"]["OPTIONS"]["init_command"], spool()._files._sync)
"""


@pytest.mark.parametrize(
    ("given", "said"), [({}, "True True"), ({"HUB_SYNC": "off"}, "False False")]
)
def test_disk_and_database_are_synchronised_unless_told_not_to(tmp_path, given, said):
    environment = os.environ | given | {
        "DJANGO_SETTINGS_MODULE": "hub.settings", "HUB_STATE_DIR": str(tmp_path),
        "HUB_DATABASE_URL": f"sqlite:///{tmp_path}/hub.sqlite3",
    }  # fmt: skip
    asked = subprocess.run(
        [sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True
    )
    assert asked.stdout.strip() == said
