"""Ways to where the simulation runs, and back: one module a kind, all with the same four verbs."""

from __future__ import annotations

from schema.community.settings import Embedded, Endpoint, SharedFolder, Transport
from tasks.community.transports.base import Way
from tasks.community.transports.embedded import EmbeddedWay
from tasks.community.transports.endpoint import EndpointWay
from tasks.community.transports.shared_folder import SharedFolderWay


def way_of(transport: Transport) -> Way:
    """What takes a job there."""
    match transport:
        case Embedded():
            return EmbeddedWay()
        case SharedFolder():
            return SharedFolderWay(transport)
        case Endpoint():
            return EndpointWay(transport)
