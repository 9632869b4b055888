"""What a vendor declares about one version of an algorithm, as a frozen value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from django.utils.translation import gettext as _

from vendors.shapes import ShapeInvalid, problems_in, unfit_values

Kind = Literal["process", "container", "kubernetes", "dicom_node", "http"]
Urgency = Literal["stat", "high", "medium", "routine", "low"]

MEMORY_UNITS = {
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40,
    "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
}  # fmt: skip


class ManifestInvalid(ShapeInvalid):
    """A manifest is not of the shape hub.manifest/1; ``problems`` lists each departure."""


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept: Code Value, Coding Scheme Designator, Code Meaning (PS3.3 8)."""

    value: str
    scheme: str
    meaning: str

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """From ``{"value", "scheme", "meaning"}``."""
        return cls(data["value"], data["scheme"], data["meaning"])

    def as_json(self) -> dict[str, str]:
        """The shape that :meth:`from_json` reads."""
        return {"value": self.value, "scheme": self.scheme, "meaning": self.meaning}


@dataclass(frozen=True, slots=True)
class Resources:
    """What one run may use at most; ``cpu`` and ``memory`` are Kubernetes quantities."""

    cpu: str = "1"
    memory: str = "1Gi"
    gpu: int = 0

    @property
    def cpu_count(self) -> float:
        """Processors: ``"500m"`` is 0.5."""
        return int(self.cpu[:-1]) / 1000 if self.cpu.endswith("m") else float(self.cpu)

    @property
    def memory_bytes(self) -> int:
        """Bytes: ``"512Mi"`` is 536870912."""
        number = self.memory.rstrip("KMGTki")
        return int(number) * MEMORY_UNITS.get(self.memory[len(number) :], 1)


@dataclass(frozen=True, slots=True)
class PerformerSpec:
    """How the algorithm is made to run; ``image`` is by digest, or empty where none is needed."""

    kind: Kind
    image: str = ""
    packaging: str = "hub"
    command: tuple[str, ...] = ()
    resources: Resources = Resources()
    timeout_seconds: int = 300
    concurrency: int = 2
    # each: started for one run. warm: stays up, between so many and so many for an organisation
    serving: Literal["each", "warm"] = "each"
    least_servers: int = 0
    most_servers: int = 1

    @property
    def runs_at_once(self) -> int:
        """How many runs of the version may go on at once."""
        return min(self.concurrency, self.most_servers) if self.is_warm else self.concurrency

    @property
    def is_warm(self) -> bool:
        """Whether one server takes one run after another."""
        return self.serving == "warm"

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """From the manifest's ``performer``, already held against the schema."""
        resources = _known(data.get("resources", {}))
        return cls(
            kind=data["kind"],
            image=data.get("image", ""),
            packaging=data.get("packaging", "hub"),
            command=tuple(data.get("command", ())),
            resources=Resources(**resources | {"gpu": int(resources.get("gpu", 0))}),
            timeout_seconds=int(data.get("timeout_seconds", 300)),
            concurrency=int(data.get("concurrency", 2)),
            serving=data.get("serving", "each"),
            least_servers=int(data.get("min", 0)),
            most_servers=int(data.get("max", 1)),
        )


@dataclass(frozen=True, slots=True)
class Range:
    """A closed range; a bound of None bounds nothing."""

    at_least: float | None = None
    at_most: float | None = None

    def holds(self, value: float) -> bool:
        """Whether ``value`` lies within, both ends included."""
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )


@dataclass(frozen=True, slots=True)
class Needs:
    """What a study must have; an empty tuple or None demands nothing."""

    modality: tuple[str, ...] = ()
    sop_class: tuple[str, ...] = ()
    minimum_instances: int = 1
    patient_age_years: Range | None = None
    body_part_examined: tuple[str, ...] = ()
    identity: Literal["pseudonym", "as_is"] = "pseudonym"
    input: Literal["series", "study"] = "series"
    allow_burned_in: bool = False

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """From the manifest's ``needs``, already held against the schema."""
        age = data.get("patient_age_years")
        return cls(
            modality=tuple(data.get("modality", ())),
            sop_class=tuple(data.get("sop_class", ())),
            minimum_instances=int(data.get("minimum_instances", 1)),
            patient_age_years=Range(**_known(age)) if age else None,
            body_part_examined=tuple(data.get("body_part_examined", ())),
            identity=data.get("identity", "pseudonym"),
            input=data.get("input", "series"),
            allow_burned_in=data.get("allow_burned_in", False),
        )


@dataclass(frozen=True, slots=True)
class PromisedFinding:
    """A statement that every complete result must make."""

    code: Code
    urgency_when_present: Urgency | None = None


@dataclass(frozen=True, slots=True)
class Returns:
    """What every run that ends well must give back; ``dicom`` holds modalities."""

    findings: tuple[PromisedFinding, ...]
    dicom: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """From the manifest's ``returns``, already held against the schema."""
        findings = tuple(
            PromisedFinding(Code.from_json(one["code"]), one.get("urgency_when_present"))
            for one in data["findings"]
        )
        return cls(findings, tuple(data.get("dicom", ())))

    def urgency_of(self, code: Code) -> Urgency | None:
        """The urgency promised for a present finding of ``code``; value and scheme decide."""
        for finding in self.findings:
            if (finding.code.value, finding.code.scheme) == (code.value, code.scheme):
                return finding.urgency_when_present
        return None


@dataclass(frozen=True, slots=True)
class Manifest:
    """One version of an algorithm, as its vendor declares it (hub.manifest/1)."""

    algorithm: str
    version: str
    performer: PerformerSpec
    needs: Needs
    returns: Returns

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """From parsed JSON; raises ManifestInvalid with every problem, each with its path."""
        if problems := _problems_of(data):
            raise ManifestInvalid(problems)
        return cls(
            algorithm=data["algorithm"],
            version=data["version"],
            performer=PerformerSpec.from_json(data["performer"]),
            needs=Needs.from_json(data["needs"]),
            returns=Returns.from_json(data["returns"]),
        )


def _problems_of(data: Any) -> list[str]:
    return (
        problems_in(data, "manifest")
        or list(unfit_values(data["returns"], "returns"))
        or _contradictions(data)
    )


def _known(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if not key.startswith("x-")}


def _contradictions(data: Mapping[str, Any]) -> list[str]:
    """What a schema cannot say: a range must hold something, a finding is promised once."""
    problems = []
    age = data["needs"].get("patient_age_years", {})
    low, high = age.get("at_least", 0), age.get("at_most", math.inf)
    # not "low > high": a bound that is not a number must be refused as well
    if not low <= high:
        path = "needs.patient_age_years"
        text = _("expected at_least not above at_most, got %(low)s and %(high)s")
        problems.append(f"{path}: {text % {'low': low, 'high': high}}")
    performer = data["performer"]
    if performer.get("min", 0) > performer.get("max", 1):
        least, most = performer["min"], performer.get("max", 1)
        text = _("expected not above max (%(most)s), got %(least)s")
        problems.append(f"performer.min: {text % {'most': most, 'least': least}}")
    for name in ("min", "max"):
        if name in performer and performer.get("serving") != "warm":
            text = _("expected only with serving: warm, got it alone")
            problems.append(f"performer.{name}: {text}")
    seen = set()
    for index, one in enumerate(data["returns"]["findings"]):
        code = (one["code"]["value"], one["code"]["scheme"])
        if code in seen:
            path = f"returns.findings[{index}].code"
            text = _("expected each code once, got %(code)s again")
            problems.append(f"{path}: {text % {'code': repr(code[0])}}")
        seen.add(code)
    return problems
