"""Several listeners on one port, and none where another program is."""

import socket

import pytest

from hub.dicom import scp
from tests.hub.dicom.listening import Hub


def test_two_listeners_share_a_port_and_one_that_ends_leaves_it_to_the_other():
    first = Hub(port=scp.SharedPort(0))
    second = Hub(port=scp.SharedPort(first.port))
    try:
        assert all(first.echoes() for _ in range(20))
        assert first.asked
        assert second.asked
        first.server.shutdown(0)
        assert all(second.echoes() for _ in range(5))
    finally:
        first.server.shutdown(0)
        second.server.shutdown(0)


def test_a_port_of_another_program_is_not_shared():
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(scp.PortTaken):
        Hub(port=scp.SharedPort(other.getsockname()[1]))


def test_a_port_that_is_shared_is_taken_for_who_does_not_share():
    hub = Hub(port=scp.SharedPort(0))
    with pytest.raises(scp.PortTaken):
        Hub(port=hub.port)
    hub.server.shutdown(0)
