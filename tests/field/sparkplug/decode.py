"""Reads lines `verb base64`, each a payload; writes each as a line of JSON, as pysparkplug sees it.

Runs with that library's folder alone, which has none of the agent's.
"""

import base64
import json
import sys
from typing import Any


def main() -> None:
    import pysparkplug  # type: ignore[import-not-found]  # it is not in the environment of the agent

    kinds = {
        "NBIRTH": pysparkplug.NBirth,
        "DBIRTH": pysparkplug.DBirth,
        "NDATA": pysparkplug.NData,
        "DDATA": pysparkplug.DData,
        "NDEATH": pysparkplug.NDeath,
        "DDEATH": pysparkplug.DDeath,
    }
    births: dict[str, Any] = {}
    for line in sys.stdin:
        verb, text = line.split()
        payload = kinds[verb].decode(base64.b64decode(text), birth=births.get(verb[0]))
        if verb.endswith("BIRTH"):
            births[verb[0]] = payload
        metrics = [
            {
                "name": one.name,
                "type": one.datatype.name,
                "value": one.value
                if one.datatype.name != "DATETIME" or one.value is None
                else str(one.value),
                "alias": one.alias,
                "timestamp": one.timestamp,
                "historical": one.is_historical,
                "null": one.is_null,
            }
            for one in getattr(payload, "metrics", ())
        ]
        print(json.dumps({"seq": getattr(payload, "seq", None), "metrics": metrics}))


main()
