"""Other HL7 servers that take an order, store nothing and acknowledge it: what the hub runs beside.

    .venv/bin/python -m bench.order_peers python-hl7|hl7apy

Prints its port, then serves until it is ended.
"""

from __future__ import annotations

import asyncio
import sys

import hl7
import hl7.mllp
from hl7apy.core import Message
from hl7apy.mllp import AbstractHandler, MLLPServer
from hl7apy.parser import parse_message


async def _answer(reader: hl7.mllp.HL7StreamReader, writer: hl7.mllp.HL7StreamWriter) -> None:
    try:
        while not writer.is_closing():
            message = await reader.readmessage()
            writer.writemessage(message.create_ack())
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _serve_python_hl7() -> None:
    server = await hl7.mllp.start_hl7_server(_answer, "127.0.0.1", 0, encoding="utf-8")
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class _Acknowledge(AbstractHandler):  # type: ignore[misc]
    """Parse the message and build an ACK^O01, all with hl7apy."""

    def reply(self) -> str:
        """The acknowledgement in a frame, as MLLPServer wants it."""
        asked = parse_message(self.incoming_message, find_groups=False)
        ack = Message("ACK", version="2.5.1")
        ack.msh.msh_9 = "ACK^O01^ACK"
        ack.msh.msh_10 = f"A{asked.msh.msh_10.value}"
        ack.msh.msh_11 = "P"
        ack.add_segment("MSA")
        ack.msa.msa_1 = "AA"
        ack.msa.msa_2 = asked.msh.msh_10.value
        return str(ack.to_mllp())


def _serve_hl7apy() -> None:
    kinds = ("ORM^O01", "ORM^O01^ORM_O01", "OMI^O23", "OMI^O23^OMI_O23")
    server = MLLPServer("127.0.0.1", 0, {kind: (_Acknowledge,) for kind in kinds})
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1] == "hl7apy":
        _serve_hl7apy()
    else:
        asyncio.run(_serve_python_hl7())
