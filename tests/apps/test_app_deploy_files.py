"""The image, the compose file and the systemd unit: as much of them as can be tried without an engine and systemd."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.nginx import TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "apps" / "chat_prod" / "deploy"
IMAGE, COMPOSE, UNIT = DEPLOY / "Containerfile", DEPLOY / "compose.yaml", DEPLOY / "chat@.service"
PINNED = re.compile(r"[a-z0-9./-]+:\d+\.\d+(\.\d+)?-[a-z0-9-]+")
# What the app takes to end: CHAT_DRAIN, then the saving and the closing.
ENDING = 30
# Of Python itself, and of pip.
OTHERS = {
    "PYTHONPATH",
    "PYTHONUNBUFFERED",
    "PYTHONDONTWRITEBYTECODE",
    "PIP_NO_CACHE_DIR",
    "PIP_DISABLE_PIP_VERSION_CHECK",
}


def read() -> str:
    """The sources of all that reads the app's variables."""
    files = [*(ROOT / "apps").glob("chat*/*.py"), *(ROOT / "labkit").rglob("*.py")]
    for package in ("chainlit", "uvicorn"):  # not imported: Chainlit makes files where it is
        found = importlib.util.find_spec(package)
        assert found
        assert found.origin
        files.append(Path(found.origin).with_name("config.py"))
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def instructions() -> list[tuple[str, str]]:
    """The lines of the Containerfile, joined where they go on, without comments."""
    lines = [line for line in IMAGE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return [
        (word, rest)
        for word, _, rest in (line.partition(" ") for line in "\n".join(lines).replace("\\\n", "").split("\n"))
    ]


def values(kind: str) -> list[str]:
    """What stands behind each instruction of a kind."""
    return [rest for word, rest in instructions() if word == kind]


def compose() -> Any:
    """The compose file as data."""
    return yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))


def options(section: str = "Service") -> Iterator[tuple[str, str]]:
    """The options of a section of the unit."""
    text = UNIT.read_text(encoding="utf-8").split(f"[{section}]\n")[1].split("\n[")[0]
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            yield name, value


def unit_variables() -> dict[str, str]:
    """What the unit sets in the environment, and what its comment wants in the file."""
    words = [word for name, value in options() if name == "Environment" for word in value.split()]
    return dict(word.split("=", 1) for word in words)


def test_each_variable_is_read_by_somebody() -> None:
    named = {word.split("=")[0] for rest in values("ENV") for word in rest.split()} | unit_variables().keys()
    named |= set(compose()["x-chat"]["environment"])
    named |= set(re.findall(r"#   .*?\b([A-Z]+_[A-Z_]+)\b", UNIT.read_text(encoding="utf-8")))
    assert {"CHAT_USERS", "DATABASE_URL", "CHAINLIT_AUTH_SECRET", "FORWARDED_ALLOW_IPS"} <= named
    source = read()
    assert {name for name in named - OTHERS if f'"{name}"' not in source} == set()


# The image.


def test_the_image_is_pinned_and_its_files_exist() -> None:
    (base,) = values("FROM")
    assert PINNED.fullmatch(base)
    for rest in values("COPY"):
        *sources, _ = [word for word in rest.split() if not word.startswith("--")]
        assert all((ROOT / source).exists() for source in sources)


def test_the_image_installs_what_was_tested() -> None:
    """Each name has a version in the lock, or is a direct dependency; nothing comes past the constraints."""
    locked = (ROOT / "requirements.txt").read_text() + (ROOT / "pyproject.toml").read_text()
    (install,) = [rest.split("pip install ")[1] for rest in values("RUN") if "pip install" in rest]
    flag, file, *names = install.split()
    assert (flag, file) == ("--constraint", "constraints.txt")
    assert len(names) > 10
    for name in names:
        bare = re.split(r"[\[']", name.strip("'"))[0]
        assert re.search(rf'(?m)^\s*"?{re.escape(bare)}(\[\w+\])?[=>]=', locked), name


def test_the_image_runs_as_nobody_and_holds_no_secret() -> None:
    words = [word for word, _ in instructions()]
    (user,) = values("USER")
    assert user.isdecimal()
    assert int(user) > 1000
    assert f"--uid {user} " in " ".join(values("RUN"))
    assert words.index("USER") < words.index("CMD")
    assert "RUN" not in words[words.index("USER") :]
    assert "ARG" not in words
    assert not re.search(r"SECRET|PASSWORD|TOKEN|CHAT_USERS|API_KEY|DATABASE_URL", " ".join(values("ENV")))
    (command,) = values("CMD")
    assert "0.0.0.0" in command  # which the app refuses without CHAT_USERS: tests/test_app_faults.py
    (check,) = values("HEALTHCHECK")
    assert "http://127.0.0.1:8000/health'" in check
    assert '"--port", "8000"' in command


@pytest.mark.skipif(sys.platform == "win32", reason="the lines are for a shell")
@pytest.mark.parametrize("line", values("RUN"))
def test_a_shell_understands_the_lines(line: str) -> None:
    subprocess.run(["sh", "-n", "-c", line], check=True, timeout=30)


# The compose file.


def test_the_secrets_have_to_be_given() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    used = set(re.findall(r"\$\{([A-Z_]+)", text))
    wanted = set(re.findall(r"\$\{([A-Z_]+):\?", text))
    assert used - wanted == {"PUBLIC_HOST"}
    assert wanted == {"CHAINLIT_AUTH_SECRET", "CHAT_USERS", "POSTGRES_PASSWORD", "BASE_URL"}


def test_the_services_fit_together() -> None:
    services = compose()["services"]
    assert set(services) == {"chat1", "chat2", "postgres", "nginx"}
    chat, proxy = services["chat1"], services["nginx"]
    assert {**services["chat2"], "networks": chat["networks"]} == chat
    assert (DEPLOY / chat["build"]["context"]).resolve() == ROOT
    assert (ROOT / chat["build"]["dockerfile"]).resolve() == IMAGE
    # The proxy's word counts, and nobody else's.
    assert chat["environment"]["FORWARDED_ALLOW_IPS"] == proxy["networks"]["inside"]["ipv4_address"]
    assert chat["environment"]["CHAT_HOSTS"] == proxy["environment"]["PUBLIC_HOST"]
    assert int(chat["stop_grace_period"].rstrip("s")) > ENDING
    for name, service in services.items():
        assert service["restart"] == "unless-stopped"
        assert "inside" in service["networks"]
        assert name.startswith("chat") or PINNED.fullmatch(service["image"])
        assert name == "nginx" or "ports" not in service
    assert all(port.startswith("127.0.0.1:") for port in proxy["ports"])
    for name in ("chat1", "chat2"):
        assert proxy["depends_on"][name]["condition"] == "service_healthy"
        assert f"{services[name]['networks']['inside']['ipv4_address']}:8000" in proxy["environment"].values()
    assert chat["depends_on"]["postgres"]["condition"] == "service_healthy"


def test_the_proxy_is_given_what_its_template_wants() -> None:
    told = dict(compose()["services"]["nginx"]["environment"])
    names = told.pop("NGINX_ENVSUBST_FILTER").replace("$$", "$")
    wanted = set(re.findall(r"\$\{([A-Z0-9_]+)\}", TEMPLATE.read_text(encoding="utf-8")))
    assert set(told) == wanted
    assert {name for name in wanted if re.search(names, name)} == wanted
    assert not re.search(names, "HOST")
    # What its comment exports and lists is the same.
    head = TEMPLATE.read_text(encoding="utf-8").split("\n\n")[0]
    assert set(re.findall(r"\b([A-Z0-9_]+)=", head)) == set(re.findall(r"\$([A-Z0-9_]+)", head)) == wanted


# The unit.


@pytest.fixture
def analyze() -> str:
    """A look at units by systemd itself, which needs no running systemd."""
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd-analyze is not installed")
    return found


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a Python that is here, since it is looked for."""
    copy = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    assert "/opt/foundry-chat/venv/bin/python " in text
    copy.write_text(text.replace("/opt/foundry-chat/venv/bin/python ", f"{sys.executable} "), encoding="utf-8")
    return copy


def test_systemd_finds_nothing(analyze: str, unit: Path) -> None:
    done = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_calls_it_ok(analyze: str, unit: Path) -> None:
    command = [analyze, "security", "--offline=true", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+) (\w+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) < 1.5
    assert found[2] == "OK"


def test_the_unit_ends_in_good_order_and_comes_back() -> None:
    told = dict(options())
    assert (told["KillSignal"], told["KillMode"], told["Restart"]) == ("SIGTERM", "mixed", "always")
    assert int(told["TimeoutStopSec"]) > ENDING
    assert "--host 127.0.0.1 --port %i" in told["ExecStart"]
    assert unit_variables()["FORWARDED_ALLOW_IPS"] == "127.0.0.1"
    # What Chainlit writes is in the one folder that it may write, and the app is where it looks for it.
    folder = f"/run/{told['RuntimeDirectory']}"
    assert told["WorkingDirectory"] == folder
    assert unit_variables()["CHAINLIT_APP_ROOT"] == f"{folder}/app"
    assert told["ExecStartPre"].endswith(f" /opt/foundry-chat/apps/chat {folder}/app")
    assert unit_variables()["LABKIT_CACHE"] == f"/var/lib/{told['StateDirectory']}"
