"""In charge of listening: C-STORE and C-ECHO from known peers, kept as sent, nothing decided."""

import ssl
from functools import partial

from hub.dicom.associations import Associations, Policy, Refusal
from hub.dicom.gathering import Landing
from hub.dicom.listener import Listener, PortTaken
from hub.dicom.messages import (
    CANNOT_UNDERSTAND,
    OUT_OF_RESOURCES,
    PROCESSING_FAILURE,
    SUCCESS,
    OnStore,
)
from hub.dicom.received import ReceivedInstance
from hub.dicom.upper_layer import Limits

__all__ = [
    "CANNOT_UNDERSTAND",
    "DOES_NOT_MATCH_SOP_CLASS",
    "NOT_AUTHORISED",
    "OUT_OF_RESOURCES",
    "PROCESSING_FAILURE",
    "SUCCESS",
    "Associations",
    "Limits",
    "Landing",
    "Listener",
    "PortTaken",
    "ReceivedInstance",
    "Refusal",
    "Server",
    "serve",
]

# PS3.7 9.1.1.1.9 and C.4.2: who asks may not.
NOT_AUTHORISED = 0x0124
DOES_NOT_MATCH_SOP_CLASS = 0xA900


class Server:
    """A Storage SCP that listens, with all its associations in this process."""

    def __init__(self, listener: Listener, associations: Associations) -> None:
        self._listener = listener
        self._associations = associations

    @property
    def port(self) -> int:
        """The port it listens on, also where 0 was asked for."""
        return self._listener.port

    @property
    def is_accepting(self) -> bool:
        """Whether it takes associations."""
        return self._listener.is_accepting

    @property
    def associations(self) -> int:
        """How many peers are connected."""
        return len(self._associations)

    def shutdown(self, grace: float = 10.0) -> None:
        """Take no more connections, and end those that are open as `Associations.shutdown` does."""
        self._listener.close()
        self._associations.shutdown(grace)


def serve(
    *,
    ae_title: str,
    bind: str,
    port: int,
    policy: Policy,
    on_store: OnStore,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    ssl_context: ssl.SSLContext | None = None,
) -> Server:
    """Listen for C-STORE (PS3.4 Annex B) and C-ECHO (Annex A) in threads of its own.

    Every SOP class that is a storage class or unknown is taken, in whatever transfer syntax the
    peer names first, and nothing is decoded. `policy` gets calling AE title and IP address at each
    association request, from many threads; what it raises refuses for the time being. `on_store`
    gets each instance, from many threads, and gives the status of the response; what it raises is
    answered with PROCESSING_FAILURE. Port 0 asks for any. Raises as `Listener` does.
    """
    associations = Associations(ae_title=ae_title, limits=limits, ssl_context=ssl_context)
    begin = partial(associations.begin, policy=policy, on_store=on_store)
    return Server(Listener(bind, port, begin), associations)
