"""Contracts: types, keys, rules and classes from one YAML file."""

import pyarrow as pa
import pytest

from schemas.contract import load_contract, parse_contract, table_names
from schemas.runtime.errors import ConfigError

TABLES = [
    "conflicts", "creatives", "events", "items", "landing_files", "profiles", "recommendations", "rejects", "session_events",
    "sessions",
]  # fmt: skip

VISITS = """
apiVersion: v3.1.0
kind: DataContract
id: test.visits
version: 1.2.0
status: active
slaProperties: [{property: retention, value: 30, unit: d}]
schema:
  - name: visits
    description: One visit.
    properties:
      - {name: day, physicalType: date, classification: none, partitioned: true, partitionKeyPosition: 1, required: true}
      - {name: visit, physicalType: string, classification: pseudonym, primaryKey: true, primaryKeyPosition: 1}
      - {name: kind, physicalType: string, classification: none, enum: [{value: a}, {value: b}]}
      - {name: length_s, physicalType: double, classification: none, logicalTypeOptions: {minimum: 0, maximum: 60}}
      - {name: tags, physicalType: array<string>, classification: none}
      - {name: weights, physicalType: "map<string,double>", classification: none}
"""


def test_every_table_has_a_contract() -> None:
    assert table_names() == TABLES


@pytest.mark.parametrize("name", TABLES)
def test_a_contract_is_complete(name: str) -> None:
    contract = load_contract(name)
    assert contract.name == name
    assert contract.partition_by
    assert contract.primary_key
    assert contract.retention_days
    assert all(p.description for p in contract.properties)


def test_a_contract_yields_types_keys_rules_and_classes() -> None:
    contract = parse_contract(VISITS)
    assert contract.arrow_schema == pa.schema(
        [
            ("day", pa.date32()),
            ("visit", pa.string()),
            ("kind", pa.string()),
            ("length_s", pa.float64()),
            ("tags", pa.list_(pa.string())),
            ("weights", pa.map_(pa.string(), pa.float64())),
        ]
    )
    assert contract.partition_by == ["day"]
    assert contract.primary_key == ["visit"]
    assert contract.personal["visit"] == "pseudonym"
    assert contract.retention_days == 30
    assert [(rule.id, rule.sentence) for rule in contract.rules] == [
        ("day.required", "day must not be null"),
        ("kind.allowed", "kind must be one of a, b"),
        ("length_s.range", "length_s must be at least 0 and at most 60"),
    ]
    assert [rule.id for rule in contract.table_rules] == ["visit.unique"]


def test_the_spark_schema_has_the_same_columns() -> None:
    assert parse_contract(VISITS).spark_schema.simpleString() == (
        "struct<day:date,visit:string,kind:string,length_s:double,tags:array<string>,weights:map<string,double>>"
    )


def test_a_rejected_candidate_has_the_columns_of_events() -> None:
    candidate = load_contract("rejects").arrow_schema.field("candidate").type
    assert [field.name for field in candidate] == load_contract("events").columns


@pytest.mark.parametrize(
    ("wrong", "right", "message"),
    [
        ("physicalType: date", "physicalType: dates", "unknown physicalType 'dates'"),
        (
            "classification: none, enum",
            "classification: secret, enum",
            "needs a physicalType and a classification",
        ),
        ("minimum: 0", "least: 0", "unknown logicalTypeOptions"),
        ("required: true", "requiered: true", "Extra inputs are not permitted"),
    ],
)
def test_an_error_in_a_contract_is_named(wrong: str, right: str, message: str) -> None:
    def read() -> None:
        contract = parse_contract(VISITS.replace(wrong, right))
        _ = contract.rules, contract.arrow_schema

    with pytest.raises(ConfigError, match=message):
        read()


def test_an_unknown_table_lists_the_known_tables() -> None:
    with pytest.raises(ConfigError, match=r"no contract for table 'evnts'.*known are conflicts, creatives, events"):
        load_contract("evnts")
