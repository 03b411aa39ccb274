"""Runs a GraphQL request against the schema and shapes answers and errors as OpenCTI does."""

from __future__ import annotations

import traceback
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLResolveInfo,
    execute,
    get_named_type,
    parse,
    validate,
)

from .errors import PlatformError, not_logged_in
from .model import Element, StoredFile
from .mutations import mutation
from .queries import query
from .request import Request, element_field, file_field, graphql_type_of
from .schema import load_schema


@lru_cache(maxsize=512)
def _checked(source: str) -> tuple[DocumentNode | None, list[GraphQLError]]:
    """Parse and validate a request once; pycti sends the same texts again and again."""
    try:
        document = parse(source)
    except GraphQLError as error:
        return None, [error]
    return document, list(validate(load_schema(), document))


def run(request: Request, source: str, variables: dict[str, Any] | None) -> dict[str, Any]:
    """Return the JSON body of the answer; the HTTP status is 200 whatever happens."""
    document, errors = _checked(source)
    if errors or document is None:
        request.platform.refusals += [each.message for each in errors]
        return {"errors": [_error(each, "GRAPHQL_VALIDATION_FAILED") for each in errors]}
    result = execute(
        load_schema(),
        document,
        context_value=request,
        variable_values=variables,
        field_resolver=_resolve,
        type_resolver=lambda value, info, abstract: graphql_type_of(value),
    )
    assert isinstance(result, ExecutionResult)
    if not result.errors:
        return {"data": result.data}
    before_start = result.data is None and all(each.path is None for each in result.errors)
    if before_start:
        request.platform.refusals += [each.message for each in result.errors]
        return {"errors": [_error(each, "BAD_USER_INPUT") for each in result.errors]}
    for each in result.errors:
        cause = each.original_error
        if cause is not None and not isinstance(cause, PlatformError | GraphQLError):
            request.platform.crashes.append("".join(traceback.format_exception(cause)))
    return {
        "errors": [_error(each, "INTERNAL_SERVER_ERROR") for each in result.errors],
        "data": result.data,
    }


def _resolve(source: Any, info: GraphQLResolveInfo[Any], **given: Any) -> Any:
    request: Request = info.context
    name = info.field_name
    parent = info.parent_type.name
    if parent in ("Query", "Mutation"):
        if request.user is None:
            raise not_logged_in()
        answer = query if parent == "Query" else mutation
        return answer(request, name, get_named_type(info.return_type).name, given)
    if isinstance(source, Element):
        return element_field(request, source, name, given)
    if isinstance(source, StoredFile):
        return file_field(request, source, name)
    if isinstance(source, dict):
        return source.get(name)
    value = getattr(source, name, None)
    if name == "connector" and value is None:
        return query(request, "connector", "Connector", {"id": source.connector_id})
    return value(**given) if callable(value) else value


def _error(error: GraphQLError, code: str) -> dict[str, Any]:
    formatted: dict[str, Any] = {"message": error.message}
    if error.locations:
        formatted["locations"] = [
            {"line": each.line, "column": each.column} for each in error.locations
        ]
    if error.path:
        formatted["path"] = list(error.path)
    cause = error.original_error
    if isinstance(cause, PlatformError):
        formatted["extensions"] = cause.extensions
    else:
        formatted["extensions"] = {"code": code}
    formatted["name"] = formatted["extensions"]["code"]
    return formatted
