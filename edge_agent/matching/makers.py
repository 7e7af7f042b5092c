"""Makers of controllers as registers and controllers write them."""

import re
from functools import cache

_MAKERS: dict[str, tuple[str, ...]] = {
    "Siemens": ("siemens", "sinumerik", "simatic", "西门子", "840d", "828d", "808d", "802d"),
    "FANUC": ("fanuc", "发那科", "发那克", "法那科"),
    "Mitsubishi": ("mitsubishi", "melsec", "三菱"),
    "Heidenhain": ("heidenhain", "海德汉", "itnc", "tnc640", "tnc530"),
    "HNC": ("hnc", "华中数控", "华中"),
    "GSK": ("gsk", "广州数控", "广数"),
    "KND": ("knd", "凯恩帝"),
    "Syntec": ("syntec", "新代"),
    "Fagor": ("fagor", "发格"),
    "Schneider": ("schneider", "施耐德", "altivar"),
    "Rockwell": ("rockwell", "allen-bradley", "罗克韦尔", "controllogix", "compactlogix"),
    "OMRON": ("omron", "欧姆龙"),
    "Beckhoff": ("beckhoff", "倍福", "twincat"),
    "Bosch Rexroth": ("rexroth", "力士乐"),
    "B&R": ("b&r", "贝加莱"),
    "KUKA": ("kuka", "库卡"),
    "ABB": ("abb",),
    "Yaskawa": ("yaskawa", "安川", "motoman"),
    "Estun": ("estun", "埃斯顿"),
    "Inovance": ("inovance", "汇川"),
    "Delta": ("delta electronics", "台达"),
    "Advantech": ("advantech", "研华"),
    "Mazak": ("mazak", "马扎克"),
    "Okuma": ("okuma", "大隈"),
    "DMG MORI": ("dmg", "德马吉"),
    "Haas": ("haas", "哈斯"),
    "Brother": ("brother", "兄弟"),
    "TRUMPF": ("trumpf", "通快"),
}


@cache
def makers(texts: tuple[str, ...]) -> frozenset[str]:
    """The makers that `texts` name, in Latin letters as whole words."""
    text = " ".join(texts).lower()
    return frozenset(
        maker
        for maker, words in _MAKERS.items()
        if any(
            re.search(rf"(?<![a-z0-9]){re.escape(word)}(?![a-z])", text) if word.isascii() else word in text
            for word in words
        )
    )
