"""Open vocabularies: which fields have one, and the values that are there from the start."""

from __future__ import annotations

from typing import Any


def _category(key: str, types: list[str], *fields: str) -> dict[str, Any]:
    """Describe a category; a field ends in ``*`` where it is multiple, ``!`` where required."""
    return {
        "key": key,
        "entity_types": types,
        "fields": [
            {"key": each.rstrip("*!"), "required": "!" in each, "multiple": "*" in each}
            for each in fields
        ],
    }


_GROUP, _INDIVIDUAL = ["Threat-Actor-Group"], ["Threat-Actor-Individual"]
_CASES = ["Case-Incident", "Case-Rfi", "Case-Rft"]

# The categories of the types that the double knows.
CATEGORIES: list[dict[str, Any]] = [
    _category("attack_motivation_ov", [*_GROUP, "Intrusion-Set"], "primary_motivation",
              "secondary_motivations*", "personal_motivations*"),
    _category("attack_resource_level_ov", [*_GROUP, "Intrusion-Set"], "resource_level"),
    _category("case_severity_ov", _CASES, "severity"),
    _category("case_priority_ov", _CASES, "priority"),
    _category("grouping_context_ov", ["Grouping"], "context!"),
    _category("implementation_language_ov", ["Malware"], "implementation_languages*"),
    _category("incident_response_types_ov", ["Case-Incident"], "response_types*"),
    _category("malware_capabilities_ov", ["Malware"], "capabilities*"),
    _category("malware_result_ov", ["Malware-Analysis"], "result"),
    _category("malware_type_ov", ["Malware"], "malware_types*"),
    _category("note_types_ov", ["Note"], "note_types*"),
    _category("opinion_ov", ["Opinion"], "opinion!"),
    _category("organization_type_ov", ["Organization"], "x_opencti_organization_type"),
    _category("platforms_ov", ["Data-Source", "Indicator", "Attack-Pattern"],
              "x_mitre_platforms*"),
    _category("processor_architecture_ov", ["Malware"], "architecture_execution_envs*"),
    _category("permissions_ov", ["Attack-Pattern"], "x_mitre_permissions_required*"),
    _category("reliability_ov", ["Report", "Organization", "Individual", "System"],
              "x_opencti_reliability"),
    _category("report_types_ov", ["Report"], "report_types*"),
    _category("request_for_information_types_ov", ["Case-Rfi"], "information_types*"),
    _category("request_for_takedown_types_ov", ["Case-Rft"], "takedown_types*"),
    _category("threat_actor_group_type_ov", _GROUP, "threat_actor_types*"),
    _category("threat_actor_group_role_ov", _GROUP, "roles*"),
    _category("threat_actor_group_sophistication_ov", _GROUP, "sophistication"),
    _category("threat_actor_individual_type_ov", _INDIVIDUAL, "threat_actor_types*"),
    _category("threat_actor_individual_role_ov", _INDIVIDUAL, "roles*"),
    _category("threat_actor_individual_sophistication_ov", _INDIVIDUAL, "sophistication"),
    _category("tool_types_ov", ["Tool"], "tool_types*"),
]  # fmt: skip

VALUES: dict[str, tuple[str, ...]] = {
    "note_types_ov": ("analysis", "assessment", "external", "feedback", "internal"),
    "report_types_ov": ("internal-report", "threat-report"),
}
