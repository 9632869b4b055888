"""An archive that answers C-FIND with how many instances it says a study has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
)


@dataclass
class Archive:
    """``count`` None: it does not know the study."""

    count: int | None = None
    port: int = 0
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        ae = AE(ae_title="ARCHIVE")
        ae.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
        server = ae.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, self._find)]
        )
        assert server is not None
        self._server = server
        self.port = server.server_address[1]

    def _find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        wanted = str(event.identifier.StudyInstanceUID)
        self.asked.append(wanted)
        if self.count is not None:
            found = Dataset()
            found.QueryRetrieveLevel = "STUDY"
            found.StudyInstanceUID = wanted
            found.NumberOfStudyRelatedInstances = self.count
            yield 0xFF00, found

    def close(self) -> None:
        """Stop listening; twice is as good as once."""
        if self.port:
            self._server.shutdown()
            self.port = 0
