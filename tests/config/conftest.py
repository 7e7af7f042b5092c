import pytest

from tests.config import plant


@pytest.fixture(autouse=True)
def _drivers_of_the_tests(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Configurations of these tests name the drivers `bus` and `feed`, unless marked otherwise."""
    if "installed_drivers" in request.fixturenames:
        return
    for module in ("edge_agent.config.site", "edge_agent.config.models"):
        monkeypatch.setattr(f"{module}.driver_names", lambda: sorted(plant.DRIVERS))
        monkeypatch.setattr(f"{module}.load_driver", plant.load)
    for module in ("edge_agent.cli.check", "edge_agent.acquisition.trial"):
        monkeypatch.setattr(f"{module}.load_driver", plant.load)


@pytest.fixture
def installed_drivers() -> None:
    """Ask for this to have the installed drivers instead."""
