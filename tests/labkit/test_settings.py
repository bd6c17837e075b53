"""What the environment says."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from labkit.errors import SettingsError
from labkit.settings import Settings, normalize_base_url


def test_nothing_is_set() -> None:
    """Without variables there is no endpoint and no model, a key that is none, and this user's own cache."""
    settings = Settings.from_environment({})
    assert (settings.base_url, settings.model, settings.api_key) == (None, None, "not-needed")
    assert settings.cache.is_absolute()
    assert "foundry-local-workbook" in settings.cache.parts


def test_all_is_set(tmp_path: Path) -> None:
    """Each variable has its field."""
    names = {"BASE_URL": "http://host:1/v1", "MODEL": "phi-4-mini", "API_KEY": "secret", "LABKIT_CACHE": str(tmp_path)}
    assert Settings.from_environment(names) == Settings("http://host:1/v1", "phi-4-mini", "secret", tmp_path.resolve())


@pytest.mark.parametrize("name", ["BASE_URL", "MODEL", "API_KEY", "LABKIT_CACHE"])
@pytest.mark.parametrize("value", ["", " \t"])
def test_empty_is_unset(name: str, value: str) -> None:
    """A variable that was emptied, which is all that cmd's `set MODEL=` can do, counts as unset."""
    assert Settings.from_environment({name: value}) == Settings.from_environment({})


def test_space_around_a_value_goes() -> None:
    """`set MODEL=phi-4-mini && ...` in cmd leaves a space behind."""
    names = {"BASE_URL": " http://host:1 ", "MODEL": " phi-4-mini ", "API_KEY": " secret "}
    settings = Settings.from_environment(names)
    assert (settings.base_url, settings.model, settings.api_key) == ("http://host:1/v1", "phi-4-mini", "secret")


def test_arguments_come_before_variables() -> None:
    """A notebook's parameters win, and empty ones count as not given."""
    names = {"BASE_URL": "http://variable:1", "MODEL": "variable"}
    given = Settings.from_environment(names, model="given", base_url="http://given:1")
    assert (given.base_url, given.model) == ("http://given:1/v1", "given")
    empty = Settings.from_environment(names, model=" ", base_url="")
    assert (empty.base_url, empty.model) == ("http://variable:1/v1", "variable")


def test_process_environment_is_read_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read at the call, not at the import."""
    monkeypatch.setenv("MODEL", "phi-4-mini")
    assert Settings.from_environment().model == "phi-4-mini"


def test_cache_may_begin_with_a_tilde() -> None:
    """Shells expand it, the settings of editors do not."""
    assert Settings.from_environment({"LABKIT_CACHE": "~/lab"}).cache == (Path.home() / "lab").resolve()


@pytest.mark.parametrize("value", ["~no-such-user/x", "{file}", "{file}/x"])
def test_cache_that_can_be_no_folder(tmp_path: Path, value: str) -> None:
    """A slip in the variable is told with its name, before anything is written."""
    file = tmp_path / "file"
    file.touch()
    folder = value.format(file=file)
    with pytest.raises(SettingsError, match=f"^LABKIT_CACHE is {re.escape(repr(folder))}") as caught:
        Settings.from_environment({"LABKIT_CACHE": folder})
    assert "LABKIT_CACHE" in caught.value.fix


def test_settings_stay_as_they_are() -> None:
    """Nobody changes them under somebody else's feet."""
    with pytest.raises(FrozenInstanceError):
        Settings.from_environment({}).model = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://127.0.0.1:51211", "http://127.0.0.1:51211/v1"),
        ("http://127.0.0.1:51211/", "http://127.0.0.1:51211/v1"),
        ("http://127.0.0.1:51211/v1", "http://127.0.0.1:51211/v1"),
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
def test_address_of_an_endpoint(address: str, expected: str) -> None:
    """It may come with or without its scheme, /v1 and last slash; any other path is kept."""
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
def test_no_address_of_an_endpoint(address: str) -> None:
    """What could not be asked is refused, with the address and how to write one."""
    with pytest.raises(SettingsError) as caught:
        normalize_base_url(address)
    assert address in caught.value.message
    assert "http://127.0.0.1:51211/v1" in caught.value.fix


def test_a_password_in_a_wrong_address_is_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        normalize_base_url("ftp://bob:hush-hush@host")
    assert "hush" not in str(caught.value)
    assert caught.value.message == "BASE_URL is no address of an endpoint"


def test_tests_use_a_cache_of_their_own(tmp_path: Path) -> None:
    """No test reads or changes what the developer's own lessons use."""
    assert Settings.from_environment().cache.is_relative_to(tmp_path.resolve())


def test_the_cloud_of_the_environment() -> None:
    """It has variables of its own, which do not mix with those of the local endpoint."""
    names = {"CLOUD_BASE_URL": " https://host ", "CLOUD_MODEL": " gpt-small ", "CLOUD_API_KEY": " secret "}
    settings = Settings.from_environment(names)
    assert settings.cloud_base_url == "https://host/v1"
    assert (settings.cloud_model, settings.cloud_api_key) == ("gpt-small", "secret")
    assert (settings.base_url, settings.model, settings.api_key) == (None, None, "not-needed")
    local = Settings.from_environment({"BASE_URL": "http://host:1", "MODEL": "m", "API_KEY": "secret"})
    assert (local.cloud_base_url, local.cloud_model, local.cloud_api_key) == (None, None, "not-needed")


@pytest.mark.parametrize("name", ["CLOUD_BASE_URL", "CLOUD_MODEL", "CLOUD_API_KEY"])
@pytest.mark.parametrize("value", ["", " \t"])
def test_an_empty_cloud_is_none(name: str, value: str) -> None:
    assert Settings.from_environment({name: value}) == Settings.from_environment({})


def test_arguments_do_not_change_the_cloud() -> None:
    """A notebook's MODEL and BASE_URL are those of the local endpoint."""
    names = {"CLOUD_BASE_URL": "https://host/v1", "CLOUD_MODEL": "gpt-small"}
    settings = Settings.from_environment(names, model="given", base_url="http://given:1")
    assert (settings.cloud_base_url, settings.cloud_model) == ("https://host/v1", "gpt-small")


def test_keys_are_not_shown() -> None:
    shown = repr(Settings.from_environment({"API_KEY": "local-secret", "CLOUD_API_KEY": "cloud-secret"}))
    assert "secret" not in shown


def test_a_wrong_cloud_address_names_its_variable() -> None:
    with pytest.raises(SettingsError, match="CLOUD_BASE_URL is 'ftp://host'") as caught:
        Settings.from_environment({"CLOUD_BASE_URL": "ftp://host"})
    assert "https://NAME.openai.azure.com/openai/v1" in caught.value.fix
    with pytest.raises(SettingsError, match=r"^BASE_URL is"):
        Settings.from_environment({"BASE_URL": "ftp://host"})


def test_a_query_of_the_cloud_stays() -> None:
    """Azure's older addresses carry the version of the API there."""
    address = "https://host/openai/v1/?api-version=preview"
    assert Settings.from_environment({"CLOUD_BASE_URL": address}).cloud_base_url == address.replace("/?", "?")


@pytest.mark.parametrize(
    "address", ["ftp://host/?key=hidden", "http://a b/?key=hidden", "http://:1/#hidden", "x://me:hidden@host"]
)
def test_a_wrong_address_is_not_repeated_where_it_may_hold_a_secret(address: str) -> None:
    with pytest.raises(SettingsError, match="no address of an endpoint") as caught:
        normalize_base_url(address)
    assert "hidden" not in str(caught.value)
