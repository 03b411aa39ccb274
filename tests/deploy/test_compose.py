"""The compose file: valid, guarded, complete, and in agreement with the images and the settings."""

from __future__ import annotations

import json
import re
from importlib.resources import files

import jsonschema
import pytest
from compose import compose, sample, variables
from images import setting, stages

OURS = ("cli", "connector", "engine", "misp", "trainer")
VALIDATOR = jsonschema.Draft202012Validator(
    json.loads(
        (files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text("utf-8")
    )
)
PROFILES = {
    (): {"engine", "ledger"},
    ("opencti",): {"connector", "engine", "ledger"},
    ("misp",): {"engine", "ledger", "misp"},
    ("opencti", "misp", "training"): {"connector", "engine", "ledger", "misp", "trainer"},
    ("tools",): {"cli", "engine", "ledger"},
}


@pytest.mark.parametrize("env", [{}, sample()], ids=["defaults", "sample"])
def test_the_file_is_valid_with_variables_filled_in(env):
    assert [error.message for error in VALIDATOR.iter_errors(compose(env))] == []


def test_the_schema_is_the_specifications():
    broken = compose()
    broken["services"]["engine"]["read_onyl"] = True
    broken["services"]["ledger"]["healthcheck"]["interval"] = 10

    told = " ".join(error.message for error in VALIDATOR.iter_errors(broken))
    assert "read_onyl" in told
    assert "10 is not of type 'string'" in told


@pytest.mark.parametrize("profiles", PROFILES, ids=" ".join)
def test_profiles_bring_their_services(profiles):
    chosen = compose(profiles=profiles)["services"]

    assert set(chosen) == PROFILES[profiles]
    for service in chosen.values():
        assert set(service.get("depends_on", ())) <= set(chosen)


@pytest.mark.parametrize("name", [*OURS, "ledger"])
def test_a_service_is_guarded(name):
    service = compose()["services"][name]
    limits = service["deploy"]["resources"]["limits"]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all("noexec" in each for each in service["tmpfs"])
    assert {"cpus", "memory", "pids"} <= set(limits)
    assert service["restart"] == ("no" if name == "cli" else "unless-stopped")
    user = service.get("user") or setting(name, "USER")
    assert user.split(":")[0] not in ("0", "root")
    assert "healthcheck" in service or name == "cli" or setting(name, "HEALTHCHECK")


def test_only_the_engine_is_published_and_only_on_this_machine():
    published = {
        name: service["ports"]
        for name, service in compose()["services"].items()
        if "ports" in service
    }

    assert published == {"engine": ["127.0.0.1:8321:8321"]}
    assert setting("engine", "EXPOSE") == "8321"


def test_secrets_come_from_files_alone():
    whole = compose(sample())
    for service in whole["services"].values():
        for variable, value in service.get("environment", {}).items():
            if re.search("TOKEN|PASSWORD|KEY", variable):
                assert variable.endswith("_FILE"), variable
                assert value.startswith(("/run/secrets/", "/var/lib/ttpscribe/keys/"))
            if str(value).startswith("/run/secrets/"):
                assert value.removeprefix("/run/secrets/") in service["secrets"], variable
        assert set(service.get("secrets", ())) <= set(whole["secrets"])
    assert all(set(secret) == {"file"} for secret in whole["secrets"].values())


def test_every_image_is_built_by_a_target_or_pinned_by_digest():
    for name, service in compose()["services"].items():
        if name == "ledger":
            assert re.search(r":\d+\.\d+-\w+@sha256:[0-9a-f]{64}$", service["image"])
        else:
            assert service["build"]["target"] == name
            assert name in stages()
            known = {value.split("=")[0] for key, value in stages()[f"{name}-built"].steps
                     if key == "ARG"}  # fmt: skip
            assert set(service["build"].get("args", ())) <= known


def test_volumes_lead_where_the_image_has_a_directory_of_its_users():
    """A named volume takes its owner from the image; elsewhere it would belong to root."""
    [made] = [value for key, value in stages()["runtime"].steps if key == "RUN"]
    whole = compose()
    for name, service in whole["services"].items():
        for mount in service.get("volumes", ()):
            volume, target = mount.split(":")[:2]
            assert volume in whole["volumes"]
            assert name == "ledger" or f"{target} " in f"{made} "


def test_all_that_the_code_keeps_is_on_a_volume(project):
    """A directory without one could not be written, or would be gone with its container."""
    folders = {
        name
        for package in ("connector", "engine", "misp_module", "training")
        for path in (project / package).rglob("*.py")
        for name in re.findall(r'data_directory\(\) / "(\w+)"', path.read_text("utf-8"))
    }
    services = compose()["services"]
    mounted = {
        name: {mount.split(":")[1].rsplit("/", 1)[1] for mount in service["volumes"]}
        for name, service in services.items()
    }

    assert {"cards", "labels", "nightly", "releases"} <= folders
    assert folders - {"misp"} <= mounted["cli"]
    assert folders - {"misp"} <= mounted["trainer"]
    assert "misp" in mounted["misp"]
    assert {"knowledge", "releases"} <= mounted["engine"] & mounted["connector"] & mounted["misp"]


def test_only_what_must_write_models_may():
    writers = {
        name
        for name, service in compose()["services"].items()
        if any(m.startswith("releases:") and not m.endswith(":ro")
               for m in service.get("volumes", ()))
    }  # fmt: skip

    assert writers == {"cli", "trainer"}


def test_an_existing_network_is_joined():
    joined = compose({"OPENCTI_NETWORK": "octi", "OPENCTI_NETWORK_EXISTS": "true"})["networks"]

    assert joined["opencti"] == {"name": "octi", "external": True}
    assert joined["misp"] == {"name": "ttpscribe-misp", "external": False}


def test_the_sample_names_every_variable_with_its_default(project):
    text = (project / "docker-compose.yml").read_text(encoding="utf-8")
    known = variables(text)
    shown = sample()
    assert set(shown.pop("COMPOSE_PROFILES").split(",")) <= {"misp", "opencti", "training"}
    chosen = {"OPENCTI_URL", "OPENCTI_NETWORK", "OPENCTI_NETWORK_EXISTS", "MISP_NETWORK",
              "MISP_NETWORK_EXISTS", "PIP_EXTRA_INDEX_URL"}  # fmt: skip

    assert set(shown) == set(known)
    assert {n: v for n, v in shown.items() if n not in chosen} == {
        name: default for name, default in known.items() if name not in chosen
    }


def test_every_variable_is_a_setting_that_exists():
    from connector.settings import ConnectorSettings, OpenCTISettings, TtpscribeSettings
    from engine.service.settings import ServiceSettings
    from misp_module.settings import Settings as MispSettings

    kinds = (OpenCTISettings, ConnectorSettings, TtpscribeSettings, MispSettings, ServiceSettings)
    known = {
        f"{kind.model_config['env_prefix']}{field.upper()}"
        for kind in kinds
        for field in kind.model_fields
    }
    known |= {"OPENCTI_TOKEN_FILE", "TTPSCRIBE_LEDGER_PASSWORD_FILE", "TTPSCRIBE_DOCTOR_ENGINE"}
    for name in OURS:
        for variable in compose()["services"][name]["environment"]:
            assert variable in known | {"TZ"}, (name, variable)
