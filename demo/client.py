"""Asks the hub's REST API, with a token, as any client of it would."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
# The hub is on this host: a proxy of the environment would not find it.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Client:
    """One user of the API; ``url`` is the hub's, with a slash at the end."""

    url: str
    token: str

    def worklist(self, **query: str) -> list[Json]:
        """All rows, in the order to read."""
        narrowed = urllib.parse.urlencode({"limit": "500", **query})
        return list(self._get(f"api/v1/worklist/?{narrowed}")["results"])

    def study(self, study_instance_uid: str) -> Json | None:
        """A study with its transitions, verdicts, workitems and deliveries, once there is one."""
        try:
            return self._get(f"api/v1/studies/{study_instance_uid}/")
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def _get(self, path: str) -> Json:
        request = urllib.request.Request(self.url + path, headers=self._headers())
        with _DIRECT.open(request, timeout=30) as answer:
            return dict(json.load(answer))

    def _headers(self) -> Mapping[str, str]:
        # English, whatever the user has chosen: the demonstration speaks it too.
        return {"Authorization": f"Token {self.token}", "Accept-Language": "en"}
