"""An address is compared as an address, however it is spelled."""

from __future__ import annotations

import pytest

from routing.addresses import may_come_from


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
