"""`python lab.py doctor --production`: each line that can be wrong, with what mends it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from coursekit import production
from coursekit.cli import main
from coursekit.copies import ROOT
from foundry_mock import MockEndpoint
from labkit.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from coursekit.doctor import Check

SECRET = "nobody-may-see-this-one-either"
SOUND = {
    "CHAT_ENV": "production",
    "CHAT_USERS": f"anna:{SECRET}",
    "CHAT_HOSTS": "chat.example",
    "CHAT_METRICS_TOKEN": SECRET,
    "CHAINLIT_AUTH_SECRET": SECRET * 2,
}


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of this machine."""
    for name in [
        name for name in os.environ if name.startswith(("CHAT_", "CLOUD_", "CHAINLIT_", "MAX_CONC", "DATABASE"))
    ]:
        monkeypatch.delenv(name)


@pytest.fixture
def folder() -> Path:
    """The app's folder, as it is after a day."""
    made = Settings.from_environment().cache / "chat"
    (made / "backups").mkdir(parents=True)
    code = "import sys, pathlib; from apps.chat.schema import create_tables; create_tables(pathlib.Path(sys.argv[1]))"
    file = made / "threads.db"
    subprocess.run([sys.executable, "-c", code, str(file)], cwd=ROOT, check=True, timeout=120)
    for name in ("session-secret", "backups/threads-1.db"):
        (made / name).touch(mode=0o600)
    return made


def by_name(checks: list[Check]) -> dict[str, Check]:
    """The checks of a report."""
    return {check.name: check for check in checks}


@pytest.mark.e2e
def test_a_sound_place_is_well(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in SOUND.items():
        monkeypatch.setenv(name, value)
    with MockEndpoint() as mock:
        monkeypatch.setenv("BASE_URL", mock.base_url)
        status = main(["doctor", "--production", "--json"])
    out = capsys.readouterr().out
    told = json.loads(out)
    assert (status, told["ok"]) == (0, True), out
    assert {check["name"] for check in told["checks"]} >= {"Database", "Backup", "Files", "Address", "First token"}
    assert SECRET not in out
    assert folder.is_dir()


@pytest.mark.e2e
def test_where_nothing_is_set_each_line_says_what_mends_it(
    monkeypatch: pytest.MonkeyPatch, closed_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BASE_URL", f"http://127.0.0.1:{closed_port}")
    monkeypatch.setenv("CHAT_RATE", "fast")
    assert main(["doctor", "--production", "--json", "--host", "0.0.0.0"]) == 1
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    wrong = {name for name, check in checks.items() if check["ok"] is False}
    assert wrong == {"CHAT_ENV", "CHAT_RATE", "CHAT_USERS", "Database", "Backup", "Endpoint", "Address"}
    for name in wrong:
        assert checks[name]["fix"], name
    assert "0.0.0.0" in checks["Address"]["detail"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.parametrize("name", ["threads.db", "session-secret", "backups/threads-1.db"])
def test_a_file_that_others_may_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "backups").mkdir()
    for each in ("threads.db", "session-secret", "backups/threads-1.db"):
        (tmp_path / each).touch(mode=0o600)
    assert [check.ok for check in production.permissions(tmp_path)] == [True]
    (tmp_path / name).chmod(0o640)
    [check] = production.permissions(tmp_path)
    assert check.ok is False
    assert name.rpartition("/")[2] in check.detail
    assert "chmod" in check.fix


def test_a_backup_that_is_missing_old_or_young(tmp_path: Path) -> None:
    assert production.backup(tmp_path).ok is False
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "before-version-2.db").touch()  # an upgrade's own copy, which nobody has checked
    assert production.backup(tmp_path).ok is False
    copy = tmp_path / "backups" / "threads-1.db"
    copy.touch()
    assert production.backup(tmp_path).ok is True
    old = time.time() - 25 * 3600
    os.utime(copy, (old, old))
    seen = production.backup(tmp_path)
    assert (seen.ok, seen.detail, seen.fix) == (False, "25 hours old", "python lab.py backup, each day")


@pytest.mark.parametrize(("version", "good"), [("2000.1.1", None), ("2999.1.1", None), (None, True)])
def test_certificates(monkeypatch: pytest.MonkeyPatch, version: str | None, good: bool | None) -> None:
    told = version or time.strftime("%Y.%m.%d", time.localtime(time.time() - 40 * production.DAY))
    monkeypatch.setattr("importlib.metadata.version", lambda _: told)
    assert production.certificates().ok is good


def test_an_app_that_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(production, "CHECKLIST", "apps.no_such_checklist")
    [check] = production.application("127.0.0.1")
    assert (check.name, check.ok) == ("Settings", False)


def test_the_kind_of_an_apps_failure_is_said_and_nothing_of_its_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_checklist.py").write_text(
        f"import sys; sys.stderr.buffer.write(b'in another encoding: \\xe4\\n'); raise ValueError({SECRET!r})"
    )
    monkeypatch.setattr(production, "CHECKLIST", "broken_checklist")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    [check] = production.application("127.0.0.1")
    assert check.detail == "broken_checklist failed (ValueError)"
    assert SECRET not in check.fix
