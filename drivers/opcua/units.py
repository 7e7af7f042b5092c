"""Units as servers state them, in the spelling of UCUM."""

from asyncua import ua

_UCUM = {
    # length, area, volume
    "MTR": "m", "CMT": "cm", "MMT": "mm", "4H": "um", "C45": "nm", "KMT": "km",
    "INH": "[in_i]", "FOT": "[ft_i]", "MTK": "m2", "MMK": "mm2", "MTQ": "m3", "LTR": "L", "MLT": "mL",
    # angle, time, frequency
    "DD": "deg", "C81": "rad", "SEC": "s", "MIN": "min", "HUR": "h", "DAY": "d", "C26": "ms", "B98": "us",
    "HTZ": "Hz", "KHZ": "kHz", "MHZ": "MHz", "RPM": "/min", "RPS": "/s", "M46": "/min",
    # speed, acceleration
    "MTS": "m/s", "2X": "m/min", "KMH": "km/h", "C16": "mm/s", "H81": "mm/min", "MSK": "m/s2", "E96": "deg/s",
    # mass, force, torque, pressure
    "KGM": "kg", "GRM": "g", "TNE": "t", "NEW": "N", "B47": "kN", "NU": "N.m", "B48": "kN.m",
    "PAL": "Pa", "KPA": "kPa", "MPA": "MPa", "BAR": "bar", "MBR": "mbar", "A97": "hPa",
    # heat, electricity, power, energy
    "CEL": "Cel", "KEL": "K", "FAH": "[degF]", "AMP": "A", "4K": "mA", "VLT": "V", "2Z": "mV", "KVT": "kV",
    "WTT": "W", "KWT": "kW", "MAW": "MW", "D46": "V.A", "KVA": "kV.A", "WHR": "W.h", "KWH": "kW.h",
    "MWH": "MW.h", "JOU": "J", "KJO": "kJ", "OHM": "Ohm", "FAR": "F",
    # flow, share
    "MQH": "m3/h", "L2": "L/min", "P1": "%", "59": "[ppm]", "C62": "1", "EA": "1", "H87": "1",
}  # fmt: skip
"""By the common codes of UNECE Recommendation 20."""
_UNECE = "http://www.opcfoundation.org/UA/units/un/cefact"


def unit_text(information: ua.EUInformation) -> str:
    """The unit in UCUM where it is one of the usual ones, otherwise as the server shows it.

    A UnitId is the common code read as a big-endian number (OPC 10000-8, 5.6.3).
    """
    shown = (information.DisplayName.Text or "") if information.DisplayName is not None else ""
    number = int(information.UnitId)
    if information.NamespaceUri == _UNECE and number > 0:
        code = number.to_bytes(4, "big").lstrip(b"\0").decode("ascii", "replace")
        return _UCUM.get(code, shown or code)
    return shown
