"""compose.yaml is valid, each process of the hub is a service, and none has more than it needs."""

from __future__ import annotations

import re
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import models

from hub.management.commands.hub import PROCESSES
from hub.management.commands.worker import Command as Worker
from tests.docs.test_settings_are_documented import in_code
from tests.fakes.running_hub import ROOT

FILE = ROOT / "compose.yaml"
FOREIGN = {"postgresql", "redis", "orthanc"}
SECRETS = ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "ORTHANC_PASSWORD")
Services = dict[str, dict[str, Any]]


def read() -> dict[str, Any]:
    return dict(yaml.safe_load(FILE.read_text()))


def of_hub() -> Services:
    return {name: one for name, one in read()["services"].items() if name not in FOREIGN}


def config(folder: Path, *secrets: str) -> subprocess.CompletedProcess[str]:
    """What podman-compose makes of the file with these secrets set."""
    (folder / "compose.yaml").write_text(FILE.read_text())
    lines = [f"{name}=secret{number}\n" for number, name in enumerate(secrets)]
    (folder / ".env").write_text("".join(lines))
    return subprocess.run(
        [sys.executable, "-m", "podman_compose", "--profile", "pacs", "config"],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def valid(resolved: dict[str, Any]) -> list[str]:
    """The names of the services; ValueError where the specification has no such field or type."""
    spec = models.ComposeSpecification.model_validate(resolved)
    for name, service in resolved["services"].items():
        strange = set(service) - set(models.Service.model_fields)
        strange |= set(service.get("healthcheck", {})) - set(models.Healthcheck.model_fields)
        if strange:
            raise ValueError(f"{name}: {strange}")
    return list(spec.services or {})


def test_it_is_valid_by_the_compose_specification(tmp_path: Path) -> None:
    resolved = yaml.safe_load(config(tmp_path, *SECRETS).stdout)
    assert set(valid(resolved)) == set(read()["services"])
    for field, value in (("comand", ["web"]), ("read_only", [1]), ("restart", 5)):
        broken = deepcopy(resolved)
        broken["services"]["beat"][field] = value
        with pytest.raises(ValueError, match=field):
            valid(broken)


def test_every_process_and_every_queue_is_a_service_of_its_own() -> None:
    commands = {name: one["command"] for name, one in of_hub().items()}
    words = {command[0] for command in commands.values()}
    assert words == {*PROCESSES, "migrate"}
    served = [one[2] for one in commands.values() if one[:2] == ["worker", "--queues"]]
    queues = Worker().create_parser("manage.py", "worker").get_default("queues").split(",")
    assert len(served) == len(set(served))
    assert set(queues) <= set(served)
    assert [one for one in commands.values() if one == ["beat"]] == [["beat"]]


@pytest.mark.parametrize("name", sorted(of_hub()))
def test_a_process_has_no_more_than_it_needs_and_says_whether_it_lives(name: str) -> None:
    one = of_hub()[name]
    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"]
    assert one["user"] == "65532:65532"
    assert "no-new-privileges:true" in one["security_opt"]
    if name == "migrate":
        assert one["restart"] == "no"
    else:
        assert one["restart"] == "unless-stopped"
        assert one["healthcheck"]["test"]
        assert one["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_every_variable_is_a_setting_of_the_hub() -> None:
    given = {name for one in of_hub().values() for name in one["environment"]}
    assert given <= set(in_code())


def test_no_secret_stands_in_it_and_none_may_be_left_out(tmp_path: Path) -> None:
    assert not re.search(r"(PASSWORD|KEY)[^\n]*: *[\"']?[a-z0-9]{6,}[\"']?$", FILE.read_text())
    for missing in SECRETS:
        done = config(tmp_path, *(name for name in SECRETS if name != missing))
        assert done.returncode != 0, missing
        assert "set it in .env" in done.stdout + done.stderr


def test_podman_compose_resolves_it(tmp_path: Path) -> None:
    done = config(tmp_path, *SECRETS)
    assert done.returncode == 0, done.stderr
    resolved = yaml.safe_load(done.stdout)["services"]
    environment = resolved["worker-run"]["environment"]
    assert environment["HUB_DATABASE_URL"] == "postgres://hub:secret0@postgresql:5432/hub"
    assert environment["HUB_BROKER_URL"] == "redis://:secret1@redis:6379/0"
    assert set(resolved) == set(read()["services"])


def test_the_doors_of_trying_are_open_to_this_machine_alone() -> None:
    services = read()["services"]
    assert services["web"]["ports"] == ["${WEB_ADDRESS:-127.0.0.1:8000}:8000"]
    assert services["orthanc"]["ports"] == ["127.0.0.1:8042:8042"]
    assert "ports" not in services["postgresql"]
    assert "ports" not in services["redis"]
