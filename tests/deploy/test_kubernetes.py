"""The manifests: valid by Kubernetes' schemas, and consistent with each other and the images."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from compose import PROJECT
from images import setting

ROOT = PROJECT / "deploy" / "kubernetes"
OVERLAYS = ("both", "misp", "opencti")
WORKLOADS = {"CronJob", "Deployment", "StatefulSet"}


def kustomization(folder: Path) -> dict[str, Any]:
    return yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))


def documents(folder: Path) -> list[dict[str, Any]]:
    """Every document that a kustomization brings, also by its bases and components."""
    found = []
    table = kustomization(folder)
    for each in [*table.get("resources", ()), *table.get("components", ())]:
        path = (folder / each).resolve()
        found += documents(path) if path.is_dir() else list(yaml.safe_load_all(path.read_text()))
    return found


def of_kind(found: list[dict[str, Any]], *kinds: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in found if each["kind"] in kinds}


def pod(workload: dict[str, Any]) -> dict[str, Any]:
    spec = workload["spec"]
    return spec.get("template") or spec["jobTemplate"]["spec"]["template"]


@pytest.fixture(scope="module", params=OVERLAYS)
def found(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return documents(ROOT / request.param)


def test_every_file_is_part_of_a_kustomization():
    named = {
        (path.parent / each).resolve()
        for path in ROOT.rglob("kustomization.yaml")
        for table in [kustomization(path.parent)]
        for each in [*table.get("resources", ()), *(p["path"] for p in table.get("patches", ()))]
    }
    files = {path.resolve() for path in ROOT.rglob("*.yaml") if path.name != "kustomization.yaml"}

    assert files <= named


def test_every_document_holds_to_its_schema():
    """Both platforms' overlay has every document of the others."""
    found = documents(ROOT / "both")
    for overlay in OVERLAYS:
        assert all(each in found for each in documents(ROOT / overlay))
    assert len(found) > 20
    for each in found:
        kubernetes_validate.validate(each, "1.34", strict=True)


def test_the_schemas_find_a_mistake():
    wrong = of_kind(documents(ROOT / "misp"), "Deployment")["engine"]
    wrong = {**wrong, "spec": {**wrong["spec"], "replica": 2}}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.34", strict=True)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is missing: kubernetes-client")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kustomize_renders_it(overlay):
    done = subprocess.run(
        ["kubectl", "kustomize", str(ROOT / overlay)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rendered = list(yaml.safe_load_all(done.stdout))

    assert len(rendered) == len(documents(ROOT / overlay))
    for each in rendered:
        assert each["kind"] == "Namespace" or each["metadata"]["namespace"] == "ttpscribe"
    for workload in of_kind(rendered, *WORKLOADS).values():
        for container in pod(workload)["spec"]["containers"]:
            assert ":" in container["image"], "every image has a tag or a digest"


def test_pods_are_guarded(found):
    for name, workload in of_kind(found, *WORKLOADS).items():
        spec = pod(workload)["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            guard = container["securityContext"]
            assert guard["allowPrivilegeEscalation"] is False
            assert guard["readOnlyRootFilesystem"] is True
            assert guard["capabilities"] == {"drop": ["ALL"]}
            assert set(container["resources"]) == {"limits", "requests"}
            if workload["kind"] != "CronJob":
                assert {"livenessProbe", "startupProbe"} <= set(container)


def test_names_lead_to_what_is_there(found):
    accounts = of_kind(found, "ServiceAccount")
    claims = of_kind(found, "PersistentVolumeClaim")
    maps = of_kind(found, "ConfigMap")
    for workload in of_kind(found, *WORKLOADS).values():
        template = pod(workload)
        spec = template["spec"]
        assert spec["serviceAccountName"] in accounts
        volumes = {each["name"]: each for each in spec.get("volumes", ())}
        own = workload["spec"].get("volumeClaimTemplates", ())
        volumes |= {each["metadata"]["name"]: each for each in own}
        for volume in volumes.values():
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims
            if "secret" in volume:
                assert volume["secret"]["secretName"] in ("engine-keys", "ttpscribe")
        for container in spec["containers"]:
            assert {each["name"] for each in container["volumeMounts"]} == set(volumes)
            for source in container.get("envFrom", ()):
                wanted = source["configMapRef"]
                assert wanted["name"] in maps or wanted.get("optional")
            ports = {each["name"] for each in container.get("ports", ())}
            for key, probe in container.items():
                if key.endswith("Probe") and "httpGet" in probe:
                    assert probe["httpGet"]["port"] in ports
            image = container["image"].removeprefix("ttpscribe/")
            if image != container["image"]:
                exposed = (setting(image, "EXPOSE") or "").split()
                asked = [str(each["containerPort"]) for each in container.get("ports", ())]
                assert asked == exposed
        if workload["kind"] != "CronJob":
            matched = workload["spec"]["selector"]["matchLabels"].items()
            assert matched <= template["metadata"]["labels"].items()


def test_selectors_choose_pods(found):
    pods = [pod(each)["metadata"]["labels"] for each in of_kind(found, *WORKLOADS).values()]
    workloads = of_kind(found, *WORKLOADS)
    # A wall for a part that this overlay leaves out chooses nothing, and harms nothing.
    for kind, path in (("Service", "selector"), ("PodDisruptionBudget", "selector")):
        for name, each in of_kind(found, kind).items():
            wanted = each["spec"][path]
            wanted = wanted.get("matchLabels", wanted)
            assert any(wanted.items() <= labels.items() for labels in pods), (kind, name)
    for service in of_kind(found, "Service").values():
        [workload] = [
            each
            for each in workloads.values()
            if service["spec"]["selector"].items() <= pod(each)["metadata"]["labels"].items()
        ]
        names = {
            port["name"]
            for container in pod(workload)["spec"]["containers"]
            for port in container["ports"]
        }
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= names
    for scaler in of_kind(found, "HorizontalPodAutoscaler").values():
        target = workloads[scaler["spec"]["scaleTargetRef"]["name"]]
        assert target["kind"] == scaler["spec"]["scaleTargetRef"]["kind"]
        assert "replicas" not in target["spec"], "it would undo what the scaler set"


def test_all_is_denied_and_each_pod_is_let_through_only_where_a_policy_says(found):
    policies = of_kind(found, "NetworkPolicy")
    assert policies["deny-all"]["spec"] == {
        "podSelector": {}, "policyTypes": ["Ingress", "Egress"],
    }  # fmt: skip
    for name, policy in policies.items():
        for rule in [*policy["spec"].get("ingress", ()), *policy["spec"].get("egress", ())]:
            assert rule.get("from") or rule.get("to"), f"{name} opens to everybody"
            assert rule["ports"], f"{name} opens every port"
    for name, service in of_kind(found, "Service").items():
        inward = policies[name]["spec"]["ingress"]
        opened = {port["port"] for rule in inward for port in rule["ports"]}
        assert {port["port"] for port in service["spec"]["ports"]} == opened


def test_variables_are_those_of_the_settings(found):
    from connector.settings import ConnectorSettings, OpenCTISettings, TtpscribeSettings
    from engine.service.settings import ServiceSettings
    from misp_module.settings import Settings as MispSettings

    kinds = (OpenCTISettings, ConnectorSettings, TtpscribeSettings, MispSettings, ServiceSettings)
    known = {
        f"{kind.model_config['env_prefix']}{field.upper()}"
        for kind in kinds
        for field in kind.model_fields
    }
    known |= {"OPENCTI_TOKEN_FILE", "TTPSCRIBE_LEDGER_PASSWORD_FILE"}
    for config in of_kind(found, "ConfigMap").values():
        assert set(config["data"]) <= known
    for workload in of_kind(found, *WORKLOADS).values():
        for container in pod(workload)["spec"]["containers"]:
            ours = {each["name"] for each in container.get("env", ())}
            assert {name for name in ours if name.startswith("TTPSCRIBE")} <= known


def test_the_queue_autoscaler_replaces_the_one_on_cpu():
    [patch] = yaml.safe_load_all(
        (ROOT / "components/queue-autoscaling/connector.yaml").read_text("utf-8")
    )
    base = of_kind(documents(ROOT / "opencti"), "HorizontalPodAutoscaler")["connector"]
    settings = of_kind(documents(ROOT / "opencti"), "ConfigMap")["opencti"]["data"]

    assert patch["metadata"]["name"] == base["metadata"]["name"]
    kubernetes_validate.validate(
        {**base, "spec": base["spec"] | patch["spec"]}, "1.34", strict=True
    )
    [metric] = patch["spec"]["metrics"]
    queue = metric["external"]["metric"]["selector"]["matchLabels"]["queue"]
    assert queue == f"listen_{settings['CONNECTOR_ID']}"
