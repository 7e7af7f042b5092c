"""Nodes as users write them: a NodeId whose namespace is best named by its URI."""

import base64
import binascii
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asyncua import ua

_EXAMPLES = "nsu=http://example.com/machine;s=Axis.Load or ns=2;i=1001"


def node_id(identifier: Any, namespace: Any = 0) -> ua.NodeId:
    """The library's NodeId; its own signature asks for int and str types of its own, and needs none."""
    return ua.NodeId(identifier, namespace)


def decoded_uri(text: str) -> str:
    """A namespace URI from the form that it has after `nsu=`."""
    return text.replace("%3B", ";").replace("%3b", ";").replace("%25", "%")


def encoded_uri(uri: str) -> str:
    return uri.replace("%", "%25").replace(";", "%3B")


@dataclass(frozen=True, slots=True)
class NodeName:
    """A node by name. An index says something only about one start of one server; a URI lasts."""

    namespace: int | str
    """Index into the server's namespace array, or the URI to look up in it."""
    identifier: int | str | uuid.UUID | bytes

    @classmethod
    def parse(cls, text: str) -> "NodeName":
        """From the string form of OPC 10000-6, 5.1.12. Raises ValueError.

        In a namespace URI `;` and `%` are written %3B and %25, as there.
        """
        namespace: int | str = 0
        rest = text.strip()
        if rest.startswith("nsu="):
            uri, _, rest = rest.removeprefix("nsu=").partition(";")
            namespace = decoded_uri(uri)
            if not namespace:
                raise ValueError(f"the namespace URI is empty; expected a NodeId such as {_EXAMPLES}")
        elif rest.startswith("ns="):
            index, _, rest = rest.removeprefix("ns=").partition(";")
            if not index.isdecimal() or int(index) > 0xFFFF:
                raise ValueError(f"{index!r} is no namespace index; expected a NodeId such as {_EXAMPLES}")
            namespace = int(index)
        kind, separator, identifier = rest.partition("=")
        if not separator or not identifier:
            raise ValueError(f"expected a NodeId such as {_EXAMPLES}")
        return cls(namespace, _identifier(kind, identifier))

    @classmethod
    def of(cls, node: ua.NodeId, namespaces: Sequence[str]) -> "NodeName":
        """The name of a server's node, by URI where `namespaces` has one; plain for namespace 0."""
        index = int(node.NamespaceIndex)
        uri = namespaces[index] if 0 < index < len(namespaces) else index
        return cls(uri, node.Identifier)

    def __str__(self) -> str:
        match self.namespace:
            case 0:
                prefix = ""
            case int():
                prefix = f"ns={self.namespace};"
            case _:
                prefix = f"nsu={encoded_uri(self.namespace)};"
        match self.identifier:
            case int():
                return f"{prefix}i={self.identifier}"
            case str():
                return f"{prefix}s={self.identifier}"
            case uuid.UUID():
                return f"{prefix}g={self.identifier}"
            case _:
                return f"{prefix}b={base64.b64encode(self.identifier).decode()}"

    def resolve(self, namespaces: Sequence[str]) -> ua.NodeId | None:
        """The NodeId on a server with this namespace array; None if it has no such namespace."""
        if isinstance(self.namespace, int):
            return node_id(self.identifier, self.namespace)
        if self.namespace not in namespaces:
            return None
        return node_id(self.identifier, namespaces.index(self.namespace))


def _identifier(kind: str, text: str) -> int | str | uuid.UUID | bytes:
    match kind:
        case "s":
            return text
        case "i" if text.isdecimal() and int(text) <= 0xFFFFFFFF:
            return int(text)
        case "g":
            return uuid.UUID(text)
        case "b":
            try:
                return base64.b64decode(text, validate=True)
            except binascii.Error as error:
                raise ValueError("the identifier after b= is not Base64") from error
    raise ValueError(f"{kind}={text} is no identifier; expected a NodeId such as {_EXAMPLES}")
