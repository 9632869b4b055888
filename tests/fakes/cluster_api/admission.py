"""What the fake API server admits: strict fields, names and digests, quota, Pod Security."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kubernetes import client

from tests.fakes.cluster_api.store import Json, Store

if TYPE_CHECKING:
    from tests.fakes.cluster_api.answers import Asked, Said

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_MODELS = {"jobs": "V1Job", "deployments": "V1Deployment", "pods": "V1Pod"}


class Admission:
    """The rules; ``quota`` is how many Jobs there may be, None for any number."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.quota: int | None = None

    def refusal(self, asked: Asked) -> Said | None:
        """Why this may not be made, or None."""
        from tests.fakes.cluster_api.answers import failure

        if asked.resource not in _MODELS:
            return None
        if asked.query.get("fieldValidation") == "Strict" and (unknown := self._unknown(asked)):
            said = ", ".join(f'unknown field "{path}"' for path in unknown)
            return failure(400, "BadRequest", f"Job in version \"v1\" cannot be handled as a Job: "
                           f"strict decoding error: {said}")  # fmt: skip
        if causes := _causes(asked.body):
            return self._invalid(asked, causes)
        if asked.resource == "jobs" and self._is_full():
            name = asked.body["metadata"]["name"]
            return failure(
                403, "Forbidden", f'jobs.batch "{name}" is forbidden: exceeded quota: hub, '
                f"requested: count/jobs.batch=1, used: count/jobs.batch={self.quota}, "
                f"limited: count/jobs.batch={self.quota}", name=name, kind="jobs",
            )  # fmt: skip
        return None

    def warnings(self, asked: Asked) -> tuple[str, ...]:
        """Warning headers of what is admitted: unknown fields, and what Pod Security will say."""
        if asked.resource not in _MODELS:
            return ()
        unknown = () if asked.query.get("fieldValidation") == "Ignore" else self._unknown(asked)
        found = [f'unknown field "{path}"' for path in unknown]
        if asked.resource != "pods" and (why := pod_security(asked.body["spec"]["template"])):
            found.append(f'would violate PodSecurity "restricted:latest": {why}')
        return tuple(found)

    def _is_full(self) -> bool:
        return self.quota is not None and len(self.store.all("jobs")) >= self.quota

    def _unknown(self, asked: Asked) -> list[str]:
        return list(_unknown(asked.body, _MODELS[asked.resource], ""))

    def _invalid(self, asked: Asked, causes: list[tuple[str, str]]) -> Said:
        from tests.fakes.cluster_api.answers import failure

        name = asked.body["metadata"].get("name", "")
        said = ", ".join(f"{field}: {text}" for field, text in causes)
        listed = [{"reason": "FieldValueInvalid", "field": field, "message": text}
                  for field, text in causes]  # fmt: skip
        return failure(422, "Invalid", f'Job.batch "{name}" is invalid: [{said}]', name=name,
                       group="batch", kind="Job", causes=listed)  # fmt: skip


def _unknown(obj: Any, kind: str, path: str) -> Any:
    """Fields that the model of the official client does not know."""
    if kind.startswith("list["):
        for place, one in enumerate(obj or ()):
            yield from _unknown(one, kind[5:-1], f"{path}[{place}]")
        return
    model = getattr(client, kind, None)
    if model is None or not isinstance(obj, dict):
        return
    types = {model.attribute_map[name]: kind for name, kind in model.openapi_types.items()}
    for key, value in obj.items():
        here = f"{path}.{key}".lstrip(".")
        if key not in types:
            yield here
        else:
            yield from _unknown(value, types[key], here)


def _causes(body: Json) -> list[tuple[str, str]]:
    found = []
    meta = body["metadata"]
    if not _NAME.fullmatch(name := meta.get("name", "")):
        text = f'Invalid value: "{name}": a lowercase RFC 1123 subdomain'
        found.append(("metadata.name", text))
    for value in (meta.get("labels") or {}).values():
        if not _LABEL.fullmatch(value):
            text = f'Invalid value: "{value}": must be no more than 63 characters'
            found.append(("metadata.labels", text))
    spec = body.get("spec", {}).get("template", {}).get("spec", body.get("spec", {}))
    if spec.get("restartPolicy") not in ("Never", "OnFailure") and body.get("kind") == "Job":
        text = 'Required value: valid values: "OnFailure", "Never"'
        found.append(("spec.template.spec.restartPolicy", text))
    volumes = {one["name"] for one in spec.get("volumes") or ()}
    for one in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        found += [
            (f"spec.template.spec.containers[{one['name']}]", f'Not found: "{mount["name"]}"')
            for mount in one.get("volumeMounts") or () if mount["name"] not in volumes
        ]  # fmt: skip
    return found


def pod_security(template: Json) -> str:
    """What "restricted" says against a pod, empty where it is silent (Pod Security Standards)."""
    spec = template["spec"]
    whole = spec.get("securityContext") or {}
    found = []
    for one in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        own = one.get("securityContext") or {}
        name = one["name"]
        if own.get("allowPrivilegeEscalation") is not False:
            found.append(f'allowPrivilegeEscalation != false (container "{name}")')
        if "ALL" not in (own.get("capabilities") or {}).get("drop", ()):
            found.append(f'unrestricted capabilities (container "{name}")')
        if not (own.get("runAsNonRoot") or whole.get("runAsNonRoot")):
            found.append(f'runAsNonRoot != true (container "{name}")')
    if (whole.get("seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost"):
        found.append("seccompProfile")
    if spec.get("hostNetwork") or any("hostPath" in one for one in spec.get("volumes") or ()):
        found.append("host namespaces, hostPath volumes")
    return ", ".join(found)
