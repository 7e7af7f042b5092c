"""What hangs below a node: the browse service, within the limits of the server."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from asyncua import ua
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.uaerrors import BadTooManyOperations

from drivers.opcua.nodes import NodeName, node_id
from drivers.opcua.session import Session
from drivers.opcua.values import status_name

BROWSE_AT_ONCE = 100
"""Nodes per browse, if the server allows as many or states no limit."""
REFERENCES_AT_ONCE = 1_000
"""References per node and answer; the others are asked for after that."""

_WANTED = ua.NodeClass.Object | ua.NodeClass.Variable
NO_NODE = ua.NodeId()
_HIERARCHICAL = node_id(ObjectIds.HierarchicalReferences)


@dataclass(frozen=True, slots=True)
class Child:
    """An object or variable below another node."""

    node: ua.NodeId
    name: str
    namespace: str
    """URI of the browse name's namespace."""
    is_variable: bool
    type: ua.NodeId
    """Its type definition."""


@dataclass(frozen=True, slots=True)
class Children:
    nodes: tuple[Child, ...]
    refusal: str = ""
    """Why the server does not say, as the name of a status code."""


class Browser:
    """Browses each node at most once: make a new one to see what has changed."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[ua.NodeId, Children] = {}
        self._at_once = 0

    @property
    def browsed(self) -> int:
        """How many nodes have been browsed."""
        return len(self._known)

    async def children(self, nodes: Iterable[ua.NodeId]) -> list[Children]:
        """The children of each node, in the order of `nodes`."""
        asked = list(nodes)
        unknown = [node for node in dict.fromkeys(asked) if node not in self._known]
        if unknown and not self._at_once:
            limit_id = ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse
            (limit,) = await self._session.read_values([limit_id])
            self._at_once = min(limit, BROWSE_AT_ONCE) if isinstance(limit, int) and limit else BROWSE_AT_ONCE
        while unknown:
            chunk, unknown = unknown[: self._at_once], unknown[self._at_once :]
            try:
                results = await self._browse(chunk)
            except BadTooManyOperations:
                if self._at_once == 1:
                    raise
                self._at_once //= 2
                unknown = chunk + unknown
                continue
            self._known.update(zip(chunk, results, strict=True))
        return [self._known[node] for node in asked]

    async def _browse(self, nodes: Sequence[ua.NodeId]) -> list[Children]:
        request = ua.BrowseRequest()
        request.Parameters.RequestedMaxReferencesPerNode = REFERENCES_AT_ONCE
        request.Parameters.NodesToBrowse = [
            ua.BrowseDescription(
                NodeId=node,
                BrowseDirection=ua.BrowseDirection.Forward,
                ReferenceTypeId=_HIERARCHICAL,
                IncludeSubtypes=True,
                NodeClassMask=_WANTED,
                ResultMask=ua.BrowseResultMask.All,
            )
            for node in nodes
        ]
        results = (await self._session.call(request, ua.BrowseResponse)).Results
        return [await self._complete(result) for result in results]

    async def _complete(self, result: ua.BrowseResult) -> Children:
        if result.StatusCode.is_bad():
            return Children((), status_name(result.StatusCode.value))
        references = list(result.References or ())
        while result.ContinuationPoint:
            request = ua.BrowseNextRequest()
            request.Parameters.ContinuationPoints = [result.ContinuationPoint]
            (result,) = (await self._session.call(request, ua.BrowseNextResponse)).Parameters.Results
            references += result.References or ()
        # two kinds of reference may lead to the same child
        children = {reference.NodeId: self._child(reference) for reference in references}
        return Children(tuple(child for child in children.values() if child is not None))

    def _child(self, reference: ua.ReferenceDescription) -> Child | None:
        """None for a node of another server."""
        node = self._local(reference.NodeId)
        if node is None:
            return None
        namespaces = self._session.namespaces
        index = reference.BrowseName.NamespaceIndex
        return Child(
            node,
            reference.BrowseName.Name or "",
            namespaces[index] if index < len(namespaces) else "",
            reference.NodeClass == ua.NodeClass.Variable,
            self._local(reference.TypeDefinition) or NO_NODE,
        )

    def _local(self, node: ua.NodeId) -> ua.NodeId | None:
        if isinstance(node, ua.ExpandedNodeId) and node.ServerIndex:
            return None
        if isinstance(node, ua.ExpandedNodeId) and node.NamespaceUri:
            return NodeName(node.NamespaceUri, node.Identifier).resolve(self._session.namespaces)
        return node_id(node.Identifier, node.NamespaceIndex)
