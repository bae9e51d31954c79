"""YAML as people write mappings: a key written twice is an error, and only ``true`` and ``false`` are truth values.

PyYAML keeps the last of two equal keys in silence, and reads ``NO`` (Norway) and ``on`` as truth values, as YAML 1.1 has it;
this reader follows YAML 1.2 (https://yaml.org/spec/1.2.2/, section 10.3.2). A key is always the text that stands there:
``1: click`` is the key ``1`` as a text.
"""

import re
from typing import Any

import yaml

_TRUTH = "tag:yaml.org,2002:bool"


class _Loader(yaml.SafeLoader):
    """The safe loader, with keys as texts."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                if key.value in seen:
                    problem = f"the key {key.value!r} is written twice, in lines {seen[key.value]} and {line}"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen[key.value] = line
        self.flatten_mapping(node)
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                key.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in forms if tag != _TRUTH]
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_TRUTH, re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


def read_yaml(text: str) -> Any:
    """Read a YAML document.

    Args:
        text: the document.

    >>> read_yaml("values: {Norway: NO, 1: one}")
    {'values': {'Norway': 'NO', '1': 'one'}}
    >>> read_yaml("a: 1\\nb: 2\\na: 3")
    Traceback (most recent call last):
        ...
    yaml.constructor.ConstructorError: the key 'a' is written twice, in lines 1 and 3
      in "<unicode string>", line 3, column 1:
        a: 3
        ^

    Raises:
        yaml.YAMLError: it is not YAML, or a key is written twice.
    """
    return yaml.load(text, _Loader)  # a safe loader
