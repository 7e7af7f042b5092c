"""What becomes of each tag's raw values, with what only the server knows: texts, structures, namespaces."""

from collections.abc import Sequence

from asyncua import ua

from drivers.opcua.meanings import meanings
from drivers.opcua.options import OpcuaTag
from drivers.opcua.session import Session
from drivers.opcua.structures import Structures
from drivers.opcua.values import Conversion


async def conversions(
    session: Session, structures: Structures, tags: Sequence[tuple[ua.NodeId, OpcuaTag]]
) -> list[Conversion]:
    """Asks the server only for tags that need it: those with `text` or `field`."""
    with_field = [node for node, tag in tags if tag.field is not None]
    if with_field:
        await structures.learn(with_field)
    with_text = [node for node, tag in tags if tag.text]
    stated = await meanings(session, with_text)
    texts = {node: meaning.texts or {} for node, meaning in zip(with_text, stated, strict=True)}
    plain = Conversion(namespaces=session.namespaces, decode=structures.decode)
    return [
        Conversion(
            tag.scale,
            tag.offset,
            tuple(tag.field.split(".")) if tag.field is not None else (),
            texts[node] if tag.text else None,
            session.namespaces,
            structures.decode,
        )
        if tag.scale != 1.0 or tag.offset != 0.0 or tag.field is not None or tag.text
        else plain
        for node, tag in tags
    ]
