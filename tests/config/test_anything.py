"""Whatever stands in a configuration: it is right, or its mistakes are told. Nothing else is raised."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.config import ConfigError, load_site
from edge_agent.config.tree import Plain, Route
from edge_agent.config.yaml_files import parse_yaml
from tests.config.plant import write_site
from tests.config.test_secrets import FULL

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("${X}")
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "driver", "tags", "x"]), inner)
    ),
    max_leaves=6,
)

OF_NO_MATTER = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
"""How fast it goes, as for all tests; and that examples share a folder, in which each writes its own file."""


def routes_of(value: Plain, route: Route = ()) -> list[Route]:
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return [route, *(deeper for step, child in children for deeper in routes_of(child, (*route, step)))]


def replaced(value: Plain, route: Route, by: Plain) -> Plain:
    """`value` with `by` in place of what `route` leads to."""
    if not route:
        return by
    if isinstance(value, dict):
        return {
            key: replaced(child, route[1:], by) if key == route[0] else child for key, child in value.items()
        }
    assert isinstance(value, list)
    return [replaced(child, route[1:], by) if at == route[0] else child for at, child in enumerate(value)]


@settings(suppress_health_check=OF_NO_MATTER, max_examples=150)
@given(data=st.data())
def test_any_value_anywhere(tmp_path: Path, data: st.DataObject) -> None:
    tree, _ = parse_yaml(write_site(tmp_path, FULL))
    assert tree is not None
    content = tree.plain()
    for _ in range(data.draw(st.integers(1, 3))):
        route = data.draw(st.sampled_from(routes_of(content)))
        content = replaced(content, route, data.draw(values))
    check_that_it_is_told(tmp_path, json.dumps(content, ensure_ascii=data.draw(st.booleans())))


@settings(suppress_health_check=OF_NO_MATTER, max_examples=150)
@given(start=st.integers(0, len(FULL)), length=st.integers(0, 20), text=st.text(max_size=5))
def test_any_typing_anywhere(tmp_path: Path, start: int, length: int, text: str) -> None:
    check_that_it_is_told(tmp_path, FULL[:start] + text + FULL[start + length :])


def check_that_it_is_told(tmp_path: Path, text: str) -> None:
    config = write_site(tmp_path, FULL)
    config.write_bytes(text.encode(errors="surrogatepass"))
    error = mistakes_in(config)
    if error is not None:
        assert error.problems
        assert len(str(error).splitlines()) == len(error.problems)
        assert all(problem.found for problem in error.problems)


def mistakes_in(config: Path) -> ConfigError | None:
    try:
        load_site(config)
    except ConfigError as error:
        return error
    return None


@pytest.mark.parametrize(
    "text",
    [
        "[" * 3000,
        "a: &a [*a]",
        "{a: 1",
        "\ufeff",
        r'{"a": "\ud800", "\ud800": 1}',
        "%YAML 9.9\n---\n",
        "---\n---\n",
        "{: }",
    ],
)
def test_odd_files(tmp_path: Path, text: str) -> None:
    check_that_it_is_told(tmp_path, text)
