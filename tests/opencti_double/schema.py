"""Reads ``schema.graphql``, expands its shorthand and builds the schema."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from graphql import GraphQLSchema, build_schema, parse, print_ast
from graphql.language import (
    DocumentNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InterfaceTypeDefinitionNode,
    ObjectTypeDefinitionNode,
)

SCHEMA_FILE = Path(__file__).with_name("schema.graphql")

_PAGING = "filters: FilterGroup, search: String, first: Int, after: ID, orderMode: OrderingMode"


@cache
def load_schema() -> GraphQLSchema:
    """Return the schema; it is the same object for every double."""
    document = parse(SCHEMA_FILE.read_text(encoding="utf-8"))
    return build_schema(_expand(document))


def _expand(document: DocumentNode) -> str:
    interfaces = {
        each.name.value: each
        for each in document.definitions
        if isinstance(each, InterfaceTypeDefinitionNode)
    }
    inputs = {
        each.name.value: each
        for each in document.definitions
        if isinstance(each, InputObjectTypeDefinitionNode)
    }
    parts = []
    for each in document.definitions:
        if isinstance(each, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode):
            parts.append(_with_interfaces(each, interfaces))
        elif isinstance(each, InputObjectTypeDefinitionNode):
            parts.append(_with_input(each, inputs))
        else:
            parts.append(print_ast(each))
    text = "\n".join(parts)
    parts += [
        f"type {name}Connection {{ edges: [{name}Edge!]! pageInfo: PageInfo! }}\n"
        f"type {name}Edge {{ cursor: String! types: [String!] node: {_node(name)}! }}"
        for name in sorted(set(re.findall(r"(\w+)Connection\b", text)))
        if name not in ("RabbitMQ", "S3")
    ]
    # OpenCTI has an enumeration a list; which of its values exist is left open here.
    parts += [f"scalar {name}" for name in sorted(set(re.findall(r"\b(\w+Ordering)\b", text)))]
    return "\n".join(parts)


def _node(name: str) -> str:
    return {"MeOrganization": "Organization"}.get(name, name)


def _inherited(
    node: ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode,
    interfaces: dict[str, InterfaceTypeDefinitionNode],
) -> list[str]:
    names: list[str] = []
    for each in node.interfaces or ():
        name = each.name.value
        names += [name, *_inherited(interfaces[name], interfaces)]
    return list(dict.fromkeys(names))


def _with_interfaces(
    node: ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode,
    interfaces: dict[str, InterfaceTypeDefinitionNode],
) -> str:
    inherited = _inherited(node, interfaces)
    fields: dict[str, str] = {}
    for each in (node, *(interfaces[name] for name in inherited)):
        for one in each.fields or ():
            fields.setdefault(one.name.value, _field(one))
    word = "type" if isinstance(node, ObjectTypeDefinitionNode) else "interface"
    implements = f" implements {' & '.join(inherited)}" if inherited else ""
    return f"{word} {node.name.value}{implements} {{\n" + "\n".join(fields.values()) + "\n}"


def _field(field: FieldDefinitionNode) -> str:
    """Write a field; ``@list`` gives it the arguments that every list has."""
    for directive in field.directives or ():
        if directive.name.value == "list":
            name = field.name.value
            given = [print_ast(each.value).strip('"') for each in directive.arguments or ()]
            ordering = given[0] if given else f"{name[0].upper()}{name[1:]}Ordering"
            arguments = f"types: [String], orderBy: {ordering}, {_PAGING}"
            return f"{name}({arguments}): {print_ast(field.type)}"
    return re.sub(r"\s*@\w+", "", print_ast(field))


def _with_input(
    node: InputObjectTypeDefinitionNode, inputs: dict[str, InputObjectTypeDefinitionNode]
) -> str:
    fields = {each.name.value: print_ast(each) for each in node.fields or ()}
    for directive in node.directives or ():
        shared = inputs[f"{directive.name.value.capitalize()}Input"]
        for each in shared.fields or ():
            fields.setdefault(each.name.value, print_ast(each))
    return f"input {node.name.value} {{\n" + "\n".join(fields.values()) + "\n}"
