"""A PACS that may answer Success and store nothing, and that says by C-FIND what it has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pynetdicom import AE, StoragePresentationContexts, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
)


@dataclass
class LyingPacs:
    """``lies``: how many of the next instances it answers with Success and throws away."""

    lies: int = 0
    answers_queries: bool = True
    received: list[Dataset] = field(default_factory=list)
    held: dict[str, Dataset] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ae = AE()
        for context in StoragePresentationContexts:
            ae.add_supported_context(context.abstract_syntax or "")
        if self.answers_queries:
            ae.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
        handlers = [(evt.EVT_C_STORE, self._store), (evt.EVT_C_FIND, self._find)]
        server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        assert server is not None
        self._server = server
        self.port = server.server_address[1]

    def _store(self, event: evt.Event) -> int:
        dataset = event.dataset
        self.received.append(dataset)
        if self.lies > 0:
            self.lies -= 1
        else:
            self.held[str(dataset.SOPInstanceUID)] = dataset
        return 0x0000

    def _find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        asked = event.identifier
        for uid, dataset in list(self.held.items()):
            if (
                dataset.StudyInstanceUID == asked.StudyInstanceUID
                and dataset.SeriesInstanceUID == asked.SeriesInstanceUID
            ):
                found = Dataset()
                found.QueryRetrieveLevel = "IMAGE"
                found.SOPInstanceUID = uid
                yield 0xFF00, found

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
