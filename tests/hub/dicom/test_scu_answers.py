"""An answer of a node comes to the caller who waits for it, however late the caller is."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import Verification

from demo.stand_ins import Pacs
from hub.dicom.association import Caller, Peer, associated


@pytest.fixture
def pacs() -> Iterator[Pacs]:
    node = Pacs()
    yield node
    node.close()


def test_an_answer_that_comes_before_the_caller_listens_is_kept_for_it(pacs: Pacs) -> None:
    answer = C_STORE()
    answer.MessageIDBeingRespondedTo = 1
    answer.Status = 0x0000
    peer = Peer(ae_title="PACS", host="127.0.0.1", port=pacs.port)
    caller = Caller("HUB", timeout_seconds=1.0)
    with associated(peer, caller, [build_context(Verification)]) as association:
        association.dimse.msg_queue.put((1, answer))
        # the association's own thread goes round every millisecond
        time.sleep(0.3)
        assert association.dimse.get_msg(block=True) == (1, answer)
        assert association.send_c_echo().Status == 0x0000
