"""Makes the draft of a manifest from what comes in a package of another convention.

MAP: ``app.json`` and ``pkg.json`` of a MONAI application package. mercure: the entry of a module in
``mercure.json``. What neither says (findings, needs) is for the vendor to fill in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

_MEMORY = re.compile(r"([0-9]+)(Ki|Mi|Gi|Ti|k|K|M|G|T)?[bB]?")
DEFAULT_SECONDS = 300
LONGEST_SECONDS = 86_400


class PackageInvalid(ValueError):
    """A package cannot be read; ``field`` and what was expected there."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field}: {text}")
        self.field, self.text = field, text


def performer_of_map(
    app: Mapping[str, Any], package: Mapping[str, Any], *, image: str
) -> dict[str, Any]:
    """The ``performer`` of a MAP; raises PackageInvalid."""
    command = app.get("command")
    if isinstance(command, str):
        command = command.split()
    if not isinstance(command, list) or not all(isinstance(one, str) and one for one in command):
        raise PackageInvalid("app.command", _("expected a text, or a list of texts"))
    resources = _mapping(package.get("resources", {}), "package.resources")
    return {
        "kind": "container",
        "image": image,
        "packaging": "map",
        "command": command,
        "resources": _resources(resources),
        "timeout_seconds": _seconds(app.get("timeout"), "app.timeout"),
    }


def performer_of_mercure(module: Mapping[str, Any], *, image: str) -> dict[str, Any]:
    """The ``performer`` of a mercure module; raises PackageInvalid."""
    resources = _mapping(module.get("resources") or {}, "module.resources")
    return {
        "kind": "container",
        "image": image,
        "packaging": "mercure",
        "command": [],
        "resources": _resources(resources),
        "timeout_seconds": _seconds(module.get("timeout"), "module.timeout"),
    }


def draft(*, algorithm: str, version: str, performer: dict[str, Any]) -> dict[str, Any]:
    """A manifest in which what only the vendor knows is left to fill in."""
    return {
        "schema": "hub.manifest/1",
        "algorithm": algorithm,
        "version": version,
        "performer": performer,
        "needs": {},
        "returns": {"findings": []},
    }


def environment(packaging: str, *, input_dir: str, output_dir: str) -> dict[str, str]:
    """The variables by which a package of the convention finds its folders."""
    return {name: input_dir if is_input else output_dir for name, is_input in _NAMES[packaging]}


_NAMES: dict[str, tuple[tuple[str, bool], ...]] = {
    "hub": (),
    # Holoscan is what MONAI Deploy packages are made with since 1.0; before, names began with MONAI
    "map": (
        ("HOLOSCAN_INPUT_PATH", True), ("HOLOSCAN_OUTPUT_PATH", False),
        ("MONAI_INPUTPATH", True), ("MONAI_OUTPUTPATH", False),
    ),
    "mercure": (("MERCURE_IN_DIR", True), ("MERCURE_OUT_DIR", False)),
}  # fmt: skip


def _resources(held: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if (cpu := held.get("cpu")) is not None:
        found["cpu"] = _plain_number(cpu, "resources.cpu")
    if (memory := held.get("memory")) is not None:
        found["memory"] = _memory(memory)
    if (gpu := held.get("gpu")) is not None:
        number = int(gpu) if re.fullmatch("[0-9]{1,2}", str(gpu)) else -1
        if not 0 <= number <= 16:
            span = _("a whole number from %(low)s to %(high)s") % {"low": 0, "high": 16}
            raise PackageInvalid("resources.gpu", _("expected %(what)s") % {"what": span})
        found["gpu"] = number
    return found


def _plain_number(value: Any, field: str) -> str:
    text = str(value)
    if isinstance(value, bool) or not re.fullmatch(r"[1-9][0-9]{0,3}(\.[0-9]{1,3})?|0\.[0-9]{1,3}",
                                                   text):  # fmt: skip
        raise PackageInvalid(field, _("expected a number of processors such as 2 or 0.5"))
    return text.removesuffix(".0")


def _memory(value: Any) -> str:
    found = _MEMORY.fullmatch(str(value))
    if found is None or not int(found[1]):
        raise PackageInvalid("resources.memory", _("expected an amount of memory such as 4Gi"))
    unit = found[2] or ""
    return found[1] + ("k" if unit == "K" else unit)


def _seconds(value: Any, field: str) -> int:
    if value in (None, 0):
        return DEFAULT_SECONDS
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LONGEST_SECONDS:
        text = _("expected whole seconds from 1 to %(most)s")
        raise PackageInvalid(field, text % {"most": LONGEST_SECONDS})
    return value


def _mapping(value: Any, field: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise PackageInvalid(field, _("expected an object"))
    return value
