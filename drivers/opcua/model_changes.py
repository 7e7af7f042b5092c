"""Whether the server's nodes may stand elsewhere than they did: its own word for it, and its namespaces."""

import logging
import time
from collections.abc import Sequence
from typing import Any

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.uaerrors import UaStatusCodeError

from drivers.opcua.nodes import node_id
from drivers.opcua.session import Session

EVERY = 10.0
"""Seconds between two looks at the namespace array."""
_HANDLE = 0xFFFFFFFF
"""Client handle of the item for model change events; tags count from 0."""

_log = logging.getLogger(__name__)


class ModelChanges:
    """Of one session. Servers that support model change events send them at once (OPC 10000-3, 9.32)."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._namespaces = list(session.namespaces)
        self._due = time.monotonic() + EVERY
        self._announced = False

    async def subscribe(self, subscription: int) -> None:
        """Have the server announce changes over `subscription`; many cannot."""
        identity: Any = subscription  # the library asks for int types of its own, and needs none
        handle: Any = _HANDLE
        size: Any = 1
        event_filter = ua.EventFilter()
        event_filter.SelectClauses = [
            ua.SimpleAttributeOperand(
                TypeDefinitionId=node_id(ObjectIds.BaseEventType),
                BrowsePath=[ua.QualifiedName("EventType")],
                AttributeId=AttributeIds.Value,
            )
        ]
        wanted = ua.LiteralOperand(Value=ua.Variant(node_id(ObjectIds.BaseModelChangeEventType)))
        event_filter.WhereClause.Elements = [
            ua.ContentFilterElement(FilterOperator=ua.FilterOperator.OfType, FilterOperands=[wanted])
        ]
        request = ua.CreateMonitoredItemsRequest()
        request.Parameters.SubscriptionId = identity
        request.Parameters.ItemsToCreate = [
            ua.MonitoredItemCreateRequest(
                ItemToMonitor=ua.ReadValueId(
                    NodeId=node_id(ObjectIds.Server), AttributeId=AttributeIds.EventNotifier
                ),
                MonitoringMode=ua.MonitoringMode.Reporting,
                RequestedParameters=ua.MonitoringParameters(
                    ClientHandle=handle, Filter=event_filter, QueueSize=size
                ),
            )
        ]
        try:
            (result,) = (await self._session.call(request, ua.CreateMonitoredItemsResponse)).Results
            result.StatusCode.check()
        except UaStatusCodeError as error:
            _log.debug("%s: no model change events: %s", self._session.endpoint, error)

    def take(self, events: Sequence[ua.EventFieldList]) -> None:
        """Note events that were published; others than model changes are not ours."""
        self._announced = self._announced or any(event.ClientHandle == _HANDLE for event in events)

    async def happened(self) -> bool:
        """Whether something changed since the last call that said so."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + EVERY
            await self._session.read_namespaces()
        changed = self._announced or self._namespaces != list(self._session.namespaces)
        if changed:
            await self._session.read_namespaces()
            self._namespaces = list(self._session.namespaces)
            self._announced = False
        return changed
