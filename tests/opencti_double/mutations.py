"""The mutations: additions, analysts' edits, connectors' registration and works."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from .errors import functional_error, missing_reference
from .kinds import BY_GRAPHQL
from .model import Element
from .queries import connector_fields
from .request import Request
from .upsert import upsert, upsert_relationship
from .works import Work

_REF_NAMES = {
    "object": "objects", "object-marking": "objectMarking", "object-label": "objectLabel",
    "external-reference": "externalReferences", "kill-chain-phase": "killChainPhases",
    "created-by": "createdBy", "object-assignee": "objectAssignee",
}  # fmt: skip


class ElementEdit:
    """``containerEdit``, ``stixDomainObjectEdit`` and their like: edits of one object."""

    def __init__(self, request: Request, any_id: str) -> None:
        element = request.store.find(any_id)
        if element is None:
            raise missing_reference([any_id])
        self._request = request
        self._editor = request.editor
        self._element = element

    def delete(self, **_: Any) -> str:
        return self._editor.delete(self._element)

    def fieldPatch(self, *, input: list[dict[str, Any]], **_: Any) -> Element:  # noqa: A002, N802
        self._editor.check_confidence(self._element)
        with self._editor.change(self._element) as change:
            for each in input:
                key, values = each["key"], each["value"]
                name = _REF_NAMES.get(key, key)
                if name in ("objectMarking", "objectLabel", "objects", "externalReferences"):
                    self._patch_refs(change, name, values, each.get("operation") or "replace")
                else:
                    present = self._element.get(key)
                    several = isinstance(present, list) or len(values) > 1
                    change.set(key, values if several else (values[0] if values else None))
        return self._element

    def relationAdd(self, *, input: dict[str, Any], **_: Any) -> dict[str, str]:  # noqa: A002, N802
        self._editor.check_confidence(self._element)
        target = self._found(input["toId"])
        with self._editor.change(self._element) as change:
            name = _ref_name(input["relationship_type"])
            if name == "createdBy":
                change.set_author(target.id)
            else:
                change.add_refs(name, [target.id])
        return {"id": str(uuid.uuid4())}

    def relationDelete(self, *, toId: str, relationship_type: str, **_: Any) -> Element:  # noqa: N802
        self._editor.check_confidence(self._element)
        target = self._found(toId)
        with self._editor.change(self._element) as change:
            change.remove_refs(_ref_name(relationship_type), [target.id])
        return self._element

    def importPush(self, *, file: Any, **given: Any) -> Any:  # noqa: N802
        stored = self._editor.store_file(
            self._element, file, given.get("fileMarkings") or [], given.get("version")
        )
        # Unlike an import with files, an upload by hand leaves `modified` as it is.
        self._element.updated_at = self._editor.clock.now()
        return stored or self._element.files[file.name]

    def _patch_refs(self, change: Any, name: str, values: list[str], operation: str) -> None:
        ids = [self._found(each).id for each in values]
        if operation == "add":
            change.add_refs(name, ids)
        elif operation == "remove":
            change.remove_refs(name, ids)
        else:
            change.replace_refs(name, ids)

    def _found(self, any_id: str) -> Element:
        element = self._request.store.find(any_id)
        if element is None:
            raise missing_reference([any_id])
        return element


def _ref_name(relationship_type: str) -> str:
    if relationship_type not in _REF_NAMES:
        raise functional_error(f"{relationship_type} is not a reference")
    return _REF_NAMES[relationship_type]


class CoreObjectEdit(ElementEdit):
    """``stixCoreObjectEdit``: what the interface's buttons do."""

    def askEnrichment(self, *, connectorId: str) -> Work:  # noqa: N802
        request = self._request
        assert request.user is not None
        return request.platform.works.ask(
            request.store, self._element, connectorId, request.user, draft_id=request.draft_id
        )

    def askEnrichments(self, *, connectorIds: list[str]) -> list[Work]:  # noqa: N802
        return [self.askEnrichment(connectorId=each) for each in connectorIds]


class WorkEdit:
    """``workEdit``: how connectors and workers report."""

    def __init__(self, request: Request, work_id: str) -> None:
        self._works = request.platform.works
        self._id = work_id

    def delete(self) -> str:
        self._works.works.pop(self._id, None)
        return self._id

    def ping(self) -> str:
        return self._id

    def toReceived(self, *, message: str | None = None) -> str:  # noqa: N802
        return self._works.received(self._id, message)

    def toProcessed(self, *, message: str | None = None, inError: bool | None = None) -> str:  # noqa: N802
        return self._works.processed(self._id, message, inError)

    def addExpectations(self, *, expectations: int | None = None) -> str:  # noqa: N802
        return self._works.expect(self._id, expectations or 0)

    def reportExpectation(self, *, error: dict[str, Any] | None = None) -> str:  # noqa: N802
        return self._works.report(self._id, error)

    def addDraftContext(self, *, draftContext: str | None = None) -> str:  # noqa: N802
        work = self._works.works.get(self._id)
        if work is not None:
            work.draft_context = draftContext
        return self._id


def _register(request: Request, given: dict[str, Any]) -> Any:
    assert request.user is not None
    connector = request.platform.works.register(given["input"], request.user)
    return connector_fields(request, connector)


def _ping(request: Request, given: dict[str, Any]) -> Any:
    connector = request.platform.works.ping(
        given["id"], given.get("state"), given.get("connectorInfo")
    )
    return connector_fields(request, connector)


def _add_work(request: Request, given: dict[str, Any]) -> Work:
    assert request.user is not None
    return request.platform.works.add(
        given["connectorId"],
        given.get("friendlyName") or "",
        request.user,
        multipart=bool(given.get("isMultiPartWork")),
    )


def _playbook_step(request: Request, given: dict[str, Any]) -> bool:
    request.platform.works.playbook_steps.append(given)
    return True


def _grouping_edit(method: str) -> Callable[[Request, dict[str, Any]], Any]:
    def edit(request: Request, given: dict[str, Any]) -> Any:
        return getattr(ElementEdit(request, given.pop("id")), method)(**given)

    return edit


MUTATIONS: dict[str, Callable[[Request, dict[str, Any]], Any]] = {
    "stixCoreRelationshipAdd": lambda request, given: upsert_relationship(
        request.editor, given["input"]
    ),
    "stixCoreObjectEdit": lambda request, given: CoreObjectEdit(request, given["id"]),
    "groupingRelationAdd": _grouping_edit("relationAdd"),
    "groupingRelationDelete": _grouping_edit("relationDelete"),
    "registerConnector": _register,
    "pingConnector": _ping,
    "deleteConnector": lambda request, given: request.platform.works.unregister(given["id"]),
    "workAdd": _add_work,
    "workEdit": lambda request, given: WorkEdit(request, given["id"]),
    "draftWorkspaceAdd": lambda request, given: request.platform.add_draft(given["input"]["name"]),
    "playbookStepExecution": _playbook_step,
}


def mutation(request: Request, name: str, returned: str, given: dict[str, Any]) -> Any:
    """Carry out a mutation: by its own function, else an addition or an edit."""
    if name in MUTATIONS:
        return MUTATIONS[name](request, given)
    if name.endswith("Add"):
        return upsert(request.editor, BY_GRAPHQL[returned].entity_type, given["input"])
    return ElementEdit(request, given["id"])
