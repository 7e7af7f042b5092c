"""Web servers: what they call themselves, and the title of their first page."""

import re
from collections.abc import AsyncGenerator
from html import unescape
from typing import ClassVar

from edge_agent.discovery.http import get
from edge_agent.model.found import Found, Place, Recogniser

_MOST = 64 * 1024
_TITLE = re.compile(r"<title[^>]{0,100}>([^<]{0,400})</title>", re.IGNORECASE)


class HttpRecogniser(Recogniser):
    protocol: ClassVar[str] = "http"
    ports: ClassVar[tuple[int, ...]] = (80, 8080)
    asks: ClassVar[str] = "读取首页 gets the first page"

    async def recognise(self, place: Place, limit: float) -> AsyncGenerator[Found, None]:
        answer = await get(place, "/", limit, _MOST)
        if answer is None:
            return
        title = _TITLE.search(answer.body.decode("utf-8", "replace"))
        yield Found(
            protocol="http",
            host=place.host,
            where=f"http://{place}/",
            name=unescape(title[1]).strip() if title else "",
            model=answer.headers.get("server", ""),
        )
