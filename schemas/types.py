"""The types of contracts and their Arrow types. Libraries derive the Iceberg and Spark types from the Arrow types."""

import re

import pyarrow as pa

from schemas.runtime.errors import ConfigError

SCALARS: dict[str, pa.DataType] = {
    "string": pa.string(),
    "int": pa.int32(),
    "long": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


def arrow_type(physical: str) -> pa.DataType:
    """The Arrow type of a contract's ``physicalType``: a scalar, ``array<scalar>`` or ``map<scalar,scalar>``.

    Raises:
        ConfigError: the type is not one of these.

    >>> arrow_type("map<string,double>")
    MapType(map<string, double>)
    >>> arrow_type("array<int>").value_type
    DataType(int32)
    """
    if physical in SCALARS:
        return SCALARS[physical]
    if match := re.fullmatch(r"array<(\w+)>", physical):
        return pa.list_(_scalar(match[1]))
    if match := re.fullmatch(r"map<(\w+),\s*(\w+)>", physical):
        return pa.map_(_scalar(match[1]), _scalar(match[2]))
    raise ConfigError(
        f"unknown physicalType {physical!r}; in a contract; use one of {', '.join(SCALARS)}, array<...>, map<...>"
    )


def _scalar(name: str) -> pa.DataType:
    try:
        return SCALARS[name]
    except KeyError:
        raise ConfigError(f"unknown element type {name!r}; in a contract; use one of {', '.join(SCALARS)}") from None
