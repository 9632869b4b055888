"""One connection to the API server of a cluster: asks, streams, and tells refusal from silence.

Objects are plain JSON both ways. The models of the official client refuse what newer servers say,
and hide the Warning headers; its configuration, credentials and transport are what is used here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import urllib3
from kubernetes import config
from kubernetes.client import ApiClient, ApiException, Configuration
from kubernetes.config import ConfigException

Json = dict[str, Any]

_UNAUTHORISED, _GONE, _TOO_MANY = 401, 410, 429
_SERVER_FAULT = 500
_WARNING = re.compile(r'\d{3} \S+ "((?:[^"\\]|\\.)*)"')


class ClusterRefused(Exception):
    """The API server understood and said no: ``str()`` is its message, ``causes`` the details."""

    def __init__(
        self, message: str, *, status: int, reason: str = "", causes: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.reason, self.causes = message, status, reason, causes

    @property
    def is_quota(self) -> bool:
        """A quota of the namespace is used up, which passes."""
        return self.status == 403 and "exceeded quota" in self.message

    @property
    def is_forbidden(self) -> bool:
        """The account may not do this, or nobody knows the account."""
        return self.status in (401, 403) and not self.is_quota


class ClusterAway(Exception):
    """The API server does not answer, or not for now; what was asked may have been done."""


class Expired(Exception):
    """A version of the past is known no more (410): list anew."""


class NoCluster(Exception):
    """Neither a kubeconfig nor the account of a pod is there, or it cannot be read."""


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Where the cluster is; without ``kubeconfig`` the hub is itself a pod of it."""

    namespace: str
    kubeconfig: str = ""
    context: str = ""
    connect_seconds: float = 5.0
    read_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said; ``warnings`` are the texts of its Warning headers."""

    body: Any
    status: int
    warnings: tuple[str, ...] = ()


class Cluster:
    """One namespace of a cluster, and what lies outside of any."""

    def __init__(self, settings: ClusterSettings) -> None:
        self.settings = settings
        self._api = _api(settings)

    @property
    def namespace(self) -> str:
        """Where Jobs run."""
        return self.settings.namespace

    def ask(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None,
        body: Json | list[Any] | None = None, content_type: str = "application/json",
    ) -> Answer:  # fmt: skip
        """One exchange; raises ClusterRefused, ClusterAway, Expired."""
        response = self._send(
            method, path, query, body=body, content_type=content_type,
            read_seconds=self.settings.read_seconds,
        )  # fmt: skip
        try:
            data = response.data
        except urllib3.exceptions.HTTPError as fault:
            raise ClusterAway(f"the API server broke off: {_said(fault)}") from fault
        is_json = "json" in response.headers.get("Content-Type", "")
        text = data.decode("utf-8", "replace")
        return Answer(
            json.loads(text) if is_json and text else text, response.status,
            tuple(_warnings(response.headers)),
        )  # fmt: skip

    @contextmanager
    def stream(
        self, path: str, *, query: Mapping[str, Any], seconds: float
    ) -> Iterator[Stream]:
        """A watch: its lines until the server ends it; ``seconds`` is the longest silence."""
        response = self._send("GET", path, query, read_seconds=seconds)
        try:
            yield Stream(response)
        finally:
            response.close()

    def _send(
        self, method: str, path: str, query: Mapping[str, Any] | None, *, read_seconds: float,
        body: Any = None, content_type: str = "application/json",
    ) -> urllib3.HTTPResponse:  # fmt: skip
        headers = {"Accept": "application/json, */*"}
        if body is not None:
            headers["Content-Type"] = content_type
        for is_last in (False, True):
            try:
                response: urllib3.HTTPResponse = self._api.call_api(
                    path, method, query_params=list((query or {}).items()), body=body,
                    header_params=dict(headers), auth_settings=["BearerToken"],
                    _preload_content=False, _return_http_data_only=True,
                    _request_timeout=(self.settings.connect_seconds, read_seconds),
                )  # fmt: skip
            except ApiException as fault:
                if fault.status == _UNAUTHORISED and not is_last:
                    # A token that was renewed on disk is read again, once.
                    self._api = _api(self.settings)
                    continue
                raise _fault(fault) from fault
            except (urllib3.exceptions.HTTPError, OSError, ConfigException) as fault:
                raise ClusterAway(f"the API server does not answer: {_said(fault)}") from fault
            return response
        raise AssertionError("the second answer is the last")


class Stream:
    """The lines of one watch, as parsed JSON; ``stop()`` ends it from another thread."""

    def __init__(self, response: urllib3.HTTPResponse) -> None:
        self._response = response

    def __iter__(self) -> Iterator[Json]:
        """Until the server ends it; raises ClusterAway where it breaks off."""
        rest = b""
        try:
            for chunk in self._response.stream(2**16, decode_content=True):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (json.loads(line) for line in lines if line.strip())
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as fault:
            raise ClusterAway(f"the watch broke off: {_said(fault)}") from fault

    def stop(self) -> None:
        """Let whoever iterates come to an end."""
        try:
            self._response.shutdown()
        except (ValueError, OSError, AttributeError):
            self._response.close()


def connect(settings: ClusterSettings) -> Cluster:
    """The cluster of a kubeconfig, or the one that this process is a pod of; raises NoCluster."""
    return Cluster(settings)


def _api(settings: ClusterSettings) -> ApiClient:
    configuration = Configuration()
    # What was sent is never sent again unseen: whether that is harmless, the caller knows.
    configuration.retries = False
    configuration.connection_pool_maxsize = 32
    try:
        if settings.kubeconfig:
            config.load_kube_config(
                settings.kubeconfig, context=settings.context or None,
                client_configuration=configuration, persist_config=False,
            )  # fmt: skip
        else:
            config.load_incluster_config(client_configuration=configuration)
    except (ConfigException, OSError, ValueError, KeyError, TypeError) as fault:
        where = settings.kubeconfig or "the account of this pod"
        raise NoCluster(f"{where} gives no way to a cluster: {_said(fault)}") from fault
    api = ApiClient(configuration)
    api.user_agent = "avrop"
    return api


def _fault(fault: ApiException) -> Exception:
    status, body = fault.status or 0, _body(fault)
    message = str(body.get("message") or fault.reason or "no reason given")
    if status == _GONE:
        return Expired(message)
    if status == _TOO_MANY or status >= _SERVER_FAULT or not status:
        return ClusterAway(f"the API server cannot answer now ({status}): {message}")
    causes = (body.get("details") or {}).get("causes") or []
    told = tuple(f"{one.get('field', '')}: {one.get('message', '')}" for one in causes)
    return ClusterRefused(message, status=status, reason=str(body.get("reason", "")), causes=told)


def _body(fault: ApiException) -> Json:
    try:
        body = json.loads(fault.body or "{}")
    except ValueError:
        return {"message": str(fault.body)[:500]}
    return body if isinstance(body, dict) else {}


def _warnings(headers: Any) -> Iterator[str]:
    """The texts of Warning headers (RFC 7234 5.5), each without code and agent."""
    for line in headers.getlist("Warning"):
        for found in _WARNING.finditer(line):
            yield re.sub(r"\\(.)", r"\1", found[1])


def _said(fault: BaseException) -> str:
    return str(fault).splitlines()[0][:300] if str(fault) else type(fault).__name__
