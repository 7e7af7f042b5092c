"""A request carried by file, as the technician and the region do it."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_agent.cli.main import main
from edge_agent.config import load_site
from edge_agent.contract.enrolment import check_request
from edge_agent.doctor.certificates import configured
from tests.uplinks.enrolment import authority_module

UPLINKS = """
gateway: {id: gw-1, region: "330300", enterprise: 91330300MA00DEM06A}
register: register.csv
uplinks:
  - {id: region, type: mqtt, host: broker, tls: {enrolled: true, ca: region/ca.pem}}
"""
SECOND = "  - {id: county, type: mqtt, host: broker, client_id: c, tls: {enrolled: true}}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    authority_module().make(tmp_path / "region")
    (tmp_path / "register.csv").write_text("id,name,workshop\nA,冲床,甲\n", "utf-8")
    (tmp_path / "agent.yaml").write_text(UPLINKS)
    return tmp_path / "agent.yaml"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["enrol", *(str(argument) for argument in arguments)])


def test_there_and_back_by_file(config: Path, tmp_path: Path) -> None:
    asked = run("request", config, "--output", tmp_path / "stick")
    assert asked.exit_code == 0, asked.output
    assert run("request", config, "--output", tmp_path / "stick").output == asked.output
    payload = (tmp_path / "stick" / "gw-1.request.json").read_bytes()
    request = check_request(payload)
    assert request.fingerprint in asked.output
    assert (tmp_path / "stick" / "gw-1.csr").read_text().startswith("-----BEGIN CERTIFICATE REQUEST")

    authority = authority_module().Authority(tmp_path / "region")
    (tmp_path / "region" / "expected.txt").write_text(f"{request.gateway} {request.fingerprint}\n")
    certificate = tmp_path / "stick" / "gw-1.pem"
    certificate.write_text("nothing")
    refused = run("install", config, certificate)
    assert refused.exit_code == 1
    assert f"{certificate}: cannot be read as a certificate" in refused.output
    certificate.write_text(authority.answer(payload).certificate)
    (found,) = configured(load_site(config))
    assert "edge-agent enrol" in str(found)
    warning = "uplink region: the region has given no certificate yet"
    assert warning in CliRunner().invoke(main, ["check", str(config)]).output
    for _ in range(2):
        installed = run("install", config, certificate)
        assert installed.exit_code == 0, installed.output
        assert "证书已安装" in installed.output
    assert any("region.pem ends on" in str(one) for one in configured(load_site(config)))
    assert warning not in CliRunner().invoke(main, ["check", str(config)]).output


def test_which_uplink_is_meant(config: Path) -> None:
    assert run("request", config, "--uplink", "other").exit_code == 2
    config.write_text(UPLINKS + SECOND)
    several = run("request", config)
    assert several.exit_code == 2
    assert "--uplink" in several.output
    assert "region, county" in several.output
    assert run("request", config, "--uplink", "county", "--output", config.parent).exit_code == 0
    config.write_text(UPLINKS.replace("enrolled: true, ", ""))
    none = run("request", config)
    assert none.exit_code == 2
    assert "enrolled: true" in none.output
