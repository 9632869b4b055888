"""In charge of the names a study bears outside the hub: made with a key, so only the hub can undo.

A name is a keyed hash, never stored: whoever holds the key and the originals makes it again.
"""

import base64
import hmac
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Final

_LEAST_KEY_BYTES: Final = 16
# Far enough that the day an algorithm runs on is never taken for a shifted day of its input.
_LEAST_DAYS: Final = 366
_DAYS_TO_CHOOSE_FROM: Final = 3287
PSEUDONYM: Final = "Pseudonym"


class Pseudonymiser:
    """Names for one scope: the site's code with the Study Instance UID its revisions share.

    The same original has the same name in one scope, and names of two scopes have nothing in
    common, so that two sites (or two studies of one patient) cannot be put together outside.
    `also_identifying` are values no header may say but that free text may: the order's patient.
    `patient_ids` are all of one patient, whose records were merged: one name stands for them.
    Safe to use from many threads. Raises ValueError for a key under 16 bytes or an empty scope.
    """

    def __init__(
        self,
        key: bytes,
        *,
        scope: str,
        also_identifying: Iterable[str] = (),
        patient_ids: Sequence[str] = (),
    ) -> None:
        if len(key) < _LEAST_KEY_BYTES:
            raise ValueError(f"a pseudonym needs a key of at least {_LEAST_KEY_BYTES} bytes")
        if not scope:
            raise ValueError("a pseudonym needs a scope")
        # Its own key for each scope: no original, however chosen, reaches into another scope.
        self._key = hmac.digest(key, scope.encode(), "sha256")
        self.patient_ids = tuple(patient_ids)
        self.also_identifying = (*also_identifying, *self.patient_ids)
        chosen = int.from_bytes(self._digest("days")[:8]) % _DAYS_TO_CHOOSE_FROM
        self.days_back = _LEAST_DAYS + chosen
        self.patient_name = f"{PSEUDONYM}^{self._letters('patient name', '')[:8]}"
        # What was worked out for one file of a series holds for the next ones.
        self.remembered: dict[object, object] = {}

    def uid(self, original: str) -> str:
        """Give the pseudonym of a UID: 2.25 and 128 bits (PS3.5 B.2), at most 44 characters."""
        return f"2.25.{int.from_bytes(self._digest('uid', original)[:16])}"

    def patient_id(self, original: str) -> str:
        """Give the pseudonym of a Patient ID, of 17 characters."""
        one = self.patient_ids[0] if original in self.patient_ids else original
        return self._patient_id(one)

    def patient_id_pseudonyms(self) -> frozenset[str]:
        """Give all that a copy made before or after a merge may bear for one of `patient_ids`."""
        return frozenset(map(self._patient_id, self.patient_ids))

    def _patient_id(self, original: str) -> str:
        return f"P{self._letters('patient id', original)}"

    def accession_number(self, original: str) -> str:
        """Give the pseudonym of an Accession Number, of 16 characters as SH allows."""
        return f"A{self._letters('accession number', original)[:15]}"

    def shifted(self, original: date) -> date:
        """Give the day that stands for a day. Raises OverflowError before the year 1."""
        return original - timedelta(days=self.days_back)

    def _letters(self, kind: str, original: str) -> str:
        return base64.b32encode(self._digest(kind, original)[:10]).decode()

    def _digest(self, kind: str, original: str = "") -> bytes:
        message = f"{kind}\0{original}".encode(errors="surrogatepass")
        return hmac.digest(self._key, message, "sha256")
