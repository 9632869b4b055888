"""An address is compared as an address, however it is spelled."""

from __future__ import annotations

import pytest

from hub.models import Node
from routing import addresses
from routing.addresses import NotLookedUp, first_from, may_come_from
from tests.fakes.scarcity import no_more_files


@pytest.mark.parametrize(
    ("host", "address", "may"),
    [
        ("", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "::ffff:192.0.2.7", True),
        ("192.0.2.7", "::ffff:192.0.2.8", False),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("2001:db8::7", "2001:0db8:0::0007", True),
        ("fe80::7", "fe80::7%eth0", True),
        ("2001:db8::7", "2001:db8::8", False),
        ("localhost", "::ffff:127.0.0.1", True),
        ("192.0.2.7", "unknown", False),
    ],
)
def test_a_peer_is_the_node_whose_host_is_its_address(host: str, address: str, may: bool) -> None:
    assert may_come_from(host, address) is may


def test_a_name_that_cannot_be_looked_up_now_is_not_called_another() -> None:
    """A peer that is told "not you" may never come again."""
    addresses._AWAY.clear()
    addresses._addresses.cache_clear()
    nodes = [Node(host="localhost", ae_title="CT1"), Node(host="192.0.2.7", ae_title="CT1")]
    with no_more_files(), pytest.raises(NotLookedUp):
        first_from(nodes, "192.0.2.8")
    # Whoever is known without asking is let in all the same, and nobody waits for a second answer.
    assert first_from(nodes, "192.0.2.7") is nodes[1]
    with pytest.raises(NotLookedUp):
        may_come_from("localhost", "127.0.0.1")
    addresses._AWAY.clear()
    assert first_from(nodes, "127.0.0.1") is nodes[0]
    assert first_from(nodes, "192.0.2.8") is None
