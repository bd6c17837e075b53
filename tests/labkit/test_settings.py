"""The environment variables of labkit: defaults, what comes before what, and mistakes that are named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from labkit.errors import SettingsError
from labkit.settings import Settings, normalize_base_url

NAMES = ["BASE_URL", "MODEL", "API_KEY", "LABKIT_CACHE", "CLOUD_BASE_URL", "CLOUD_MODEL", "CLOUD_API_KEY"]


def test_defaults_and_every_variable(tmp_path: Path) -> None:
    default = Settings.from_environment({})
    assert (default.base_url, default.model, default.api_key) == (None, None, "not-needed")
    assert (default.cloud_base_url, default.cloud_model, default.cloud_api_key) == (None, None, "not-needed")
    assert default.cache.is_absolute()
    assert "foundry-local-workbook" in default.cache.parts
    values = ["http://host:1/v1", "m", "k", str(tmp_path), "https://cloud/v1", "gpt", "secret"]
    assert Settings.from_environment(dict(zip(NAMES, values, strict=True))) == Settings(
        "http://host:1/v1", "m", "k", tmp_path.resolve(), "https://cloud/v1", "gpt", "secret"
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["", " \t"])
def test_an_empty_variable_is_unset(name: str, value: str) -> None:
    """Cmd's `set MODEL=` can do no more."""
    assert Settings.from_environment({name: value}) == Settings.from_environment({})


def test_white_space_around_a_value_is_removed() -> None:
    """`set MODEL=phi-4-mini && ...` in cmd leaves a space behind."""
    settings = Settings.from_environment({"BASE_URL": " http://host:1 ", "MODEL": " phi-4-mini ", "API_KEY": " k "})
    assert (settings.base_url, settings.model, settings.api_key) == ("http://host:1/v1", "phi-4-mini", "k")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({"model": "given", "base_url": "http://given:1"}, ("http://given:1/v1", "given"), id="both"),
        pytest.param({"model": " ", "base_url": ""}, ("http://variable:1/v1", "variable"), id="empty ones"),
        pytest.param({"base_url": "http://given:1"}, ("http://given:1/v1", None), id="MODEL is not that endpoint's"),
        pytest.param({"model": "given"}, ("http://variable:1/v1", "given"), id="only a model"),
    ],
)
def test_arguments_come_before_variables(given: dict[str, str], expected: tuple[str, str | None]) -> None:
    """A notebook's parameters win; they say nothing of the cloud."""
    names = {"BASE_URL": "http://variable:1", "MODEL": "variable", "CLOUD_BASE_URL": "https://c", "CLOUD_MODEL": "gpt"}
    settings = Settings.from_environment(names, **given)
    assert (settings.base_url, settings.model) == expected
    assert (settings.cloud_base_url, settings.cloud_model) == ("https://c/v1", "gpt")


def test_the_environment_is_read_at_the_call_and_tests_have_a_cache_of_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MODEL", "phi-4-mini")
    settings = Settings.from_environment()
    assert settings.model == "phi-4-mini"
    assert settings.cache.is_relative_to(tmp_path.resolve())


def test_cache_may_begin_with_a_tilde() -> None:
    """Shells expand it, the settings of editors do not."""
    assert Settings.from_environment({"LABKIT_CACHE": "~/lab"}).cache == (Path.home() / "lab").resolve()


@pytest.mark.parametrize("value", ["~no-such-user/x", "{file}", "{file}/x"])
def test_a_cache_that_cannot_be_a_folder(tmp_path: Path, value: str) -> None:
    """It is named before anything is written."""
    file = tmp_path / "file"
    file.touch()
    folder = value.format(file=file)
    with pytest.raises(SettingsError, match=f"^LABKIT_CACHE is {re.escape(repr(folder))}") as caught:
        Settings.from_environment({"LABKIT_CACHE": folder})
    assert "LABKIT_CACHE" in caught.value.fix


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    names = {"BASE_URL": "ftp://a", "CLOUD_BASE_URL": "ftp://b", "LABKIT_CACHE": str(tmp_path / "file")}
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(names)
    for name in names:
        assert f"{name} is '" in caught.value.message
        assert name in caught.value.fix
    assert "https://NAME.openai.azure.com/openai/v1" in caught.value.fix


def test_keys_are_not_shown() -> None:
    assert "secret" not in repr(Settings.from_environment({"API_KEY": "a-secret", "CLOUD_API_KEY": "b-secret"}))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://127.0.0.1:51211", "http://127.0.0.1:51211/v1"),
        ("http://127.0.0.1:51211/", "http://127.0.0.1:51211/v1"),
        ("http://127.0.0.1:51211/v1/", "http://127.0.0.1:51211/v1"),
        ("127.0.0.1:51211", "http://127.0.0.1:51211/v1"),
        ("localhost", "http://localhost/v1"),
        ("HTTP://Host:1/v1", "http://Host:1/v1"),
        ("http://[::1]:8080", "http://[::1]:8080/v1"),
        ("https://host/some/prefix/v1/", "https://host/some/prefix/v1"),
        ("https://host/openai/v1/?api-version=preview", "https://host/openai/v1?api-version=preview"),
        ("https://host/v1#part", "https://host/v1"),
    ],
)
def test_an_address_with_or_without_scheme_and_path(address: str, expected: str) -> None:
    assert normalize_base_url(address) == expected


@pytest.mark.parametrize(
    "address",
    [
        "ftp://host/v1",
        "http://",
        "http:///v1",
        "http://:8080/v1",
        "http://host:port/v1",
        "http://host:99999/v1",
        "http://host:0/v1",
        "http://my host/v1",
        "http://[::1/v1",
        "/v1",
    ],
)
def test_what_is_not_the_address_of_an_endpoint(address: str) -> None:
    with pytest.raises(SettingsError) as caught:
        normalize_base_url(address)
    assert caught.value.message == f"BASE_URL is {address!r}, which is not the address of an endpoint"
    assert "http://127.0.0.1:51211/v1" in caught.value.fix


@pytest.mark.parametrize(
    "address", ["ftp://host/?key=hidden", "http://a b/?key=hidden", "http://:1/#hidden", "ftp://me:hidden@host"]
)
def test_a_wrong_address_is_not_repeated_where_it_may_contain_a_secret(address: str) -> None:
    with pytest.raises(SettingsError) as caught:
        normalize_base_url(address)
    assert caught.value.message == "BASE_URL is not the address of an endpoint"
    assert "hidden" not in str(caught.value)
