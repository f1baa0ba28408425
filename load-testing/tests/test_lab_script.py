"""The script `lab` and the script that installs system packages, in difficult environments."""

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from wallet_lab.stack.files.temporary_home import temporary_home

ROOT = Path(__file__).resolve().parents[2]
APT_INSTALL = ROOT / "load-testing/src/wallet_lab/stack/servers/apt_install.sh"
_STAMP = """
cd "$1" && { printf '%s\\n' "$1"; cat "$1"/lab "$1"/requirements.lock "$1"/*/pyproject.toml; } | sha256sum
"""


def program(path: Path, text: str) -> None:
    """Write an executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture(params=["plain", "with space", "50% é", "it's $HOME", "a*[b]", '"q"'])
def checkout(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A prepared checkout whose Python prints its environment."""
    root: Path = tmp_path / request.param
    program(root / ".lab/venv/bin/python", "env")
    (root / "lab").write_bytes((ROOT / "lab").read_bytes())
    (root / "lab").chmod(0o755)
    (root / "requirements.lock").write_text("")
    (root / "member").mkdir()
    (root / "member" / "pyproject.toml").write_text("")
    stamp = subprocess.run(["sh", "-c", _STAMP, "sh", str(root)], capture_output=True, text=True, check=True)
    (root / ".lab" / "stamp").write_text(stamp.stdout)
    return root


def test_the_users_settings_of_python_pip_uv_and_the_linker_are_dropped(checkout: Path) -> None:
    """`./lab` drops the user's settings of Python, pip, uv and the linker, except those for a package index."""
    dropped = {
        "PYTHONPATH": "/x",
        "PYTHONHOME": "/x",
        "PIP_USER": "1",
        "PIP_TARGET": "/x",
        "UV_PYTHON": "3.8",
    }
    dropped |= {"LD_LIBRARY_PATH": "/x", "VIRTUAL_ENV": "/x", "PYTHONWARNINGS": "error"}
    kept = {"PIP_INDEX_URL": "https://a.example", "UV_INDEX_URL": "https://a.example", "PIP_CERT": "/ca.pem"}
    kept |= {"UV_INDEX_INTERNAL_PASSWORD": "x", "WALLET_API_KEYS": "key", "https_proxy": "http://p.example"}
    ran = subprocess.run(
        [str(checkout / "lab"), "status"],
        env={"PATH": os.environ["PATH"], **dropped, **kept},
        capture_output=True,
        text=True,
        check=False,
    )
    names = {line.partition("=")[0] for line in ran.stdout.splitlines()}
    assert (ran.returncode, ran.stderr) == (0, "")
    assert names & dropped.keys() == set()
    assert kept.keys() <= names


def test_error_of_a_read_only_checkout_is_one_line() -> None:
    """If the user cannot write to the checkout, one line names the missing right."""
    if os.geteuid() != 0:
        pytest.skip("only root can change to another user")
    with temporary_home(None) as place:
        place.chmod(0o755)  # a user who can list it finds its members
        (place / "lab").write_bytes((ROOT / "lab").read_bytes())
        (place / "requirements.lock").write_text("")
        (place / "member").mkdir()
        (place / "member" / "pyproject.toml").write_text("")
        for made in (False, True):
            if made:
                (place / ".lab").mkdir()
            argv = ["sh", str(place / "lab"), "status"]
            ran = subprocess.run(argv, user=65534, capture_output=True, text=True, check=False)
            assert ran.returncode == 1
            assert ran.stderr.count("\n") == 1
            assert str(place / ".lab") in ran.stderr


@pytest.mark.parametrize("folder", [".lab", ".lab/venv", ".lab/bootstrap"])
def test_root_does_not_set_up_in_a_folder_of_another_user(tmp_path: Path, folder: str) -> None:
    """If a folder of the environment belongs to another user, root refuses in one line and changes nothing."""
    if os.geteuid() != 0:
        pytest.skip("only root can change a folder's owner")
    root = unprepared_checkout(tmp_path / "checkout")
    program(root / ".lab/venv/bin/python", "true")
    (root / ".lab/bootstrap").mkdir()
    os.chown(root / folder, 65534, 65534)
    ran = subprocess.run(["sh", root / "lab", "status"], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert f"{root / folder} belongs to another user" in ran.stderr
    assert (root / ".lab/venv/bin/python").exists()


BACKEND = """
import pathlib, zipfile
def build_editable(folder, settings=None, metadata=None):
    here = pathlib.Path.cwd()
    name = here.name.replace("-", "_")
    with zipfile.ZipFile(f"{folder}/{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.pth", f"{here}/src\\n")
        info = f"{name}-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return f"{name}-1.0-py3-none-any.whl"
"""
MEMBER = '[project]\nname = "{}"\nversion = "1.0"\n[build-system]\nrequires = []\nbuild-backend = "backend"\n'


def unprepared_checkout(root: Path) -> Path:
    """Make a checkout that is not set up. Its lock has one package: the build backend of its members."""
    wheel = root / "wheels" / "backend-1.0-py3-none-any.whl"
    wheel.parent.mkdir(parents=True)
    with zipfile.ZipFile(wheel, "w") as content:
        content.writestr("backend.py", BACKEND)
        content.writestr(
            "backend-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: backend\nVersion: 1.0\n"
        )
        content.writestr(
            "backend-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        content.writestr("backend-1.0.dist-info/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (root / "requirements.lock").write_text(f"backend==1.0 --hash=sha256:{digest}\n")
    (root / "lab").write_bytes((ROOT / "lab").read_bytes())
    for member in ("kernel", "monitoring", "saga", "event-driven-cqrs", "baselines", "load-testing"):
        (root / member / "src").mkdir(parents=True)
        (root / member / "pyproject.toml").write_text(MEMBER.format(member))
    package = root / "load-testing/src/wallet_lab"
    package.mkdir()
    for module in ("__init__", "cli", "__main__"):
        (package / f"{module}.py").touch()
    return root


@pytest.mark.parametrize("setting", ["python", "target", "prefix"])
def test_set_up_leaves_another_python_of_the_user_alone(tmp_path: Path, setting: str) -> None:
    """If uv's configuration names another Python or folder, the set-up changes nothing there."""
    root = unprepared_checkout(tmp_path / "checkout")
    theirs = tmp_path / "theirs"
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, theirs], check=True)
    before = sorted(theirs.rglob("*"))
    named = theirs / "bin/python" if setting == "python" else theirs
    config = tmp_path / "uv.toml"
    config.write_text(f'[pip]\n{setting} = "{named}"\nno-index = true\nfind-links = ["{root}/wheels"]\n')
    env = {"PATH": f"{uv.parent}:/usr/bin:/bin", "HOME": str(tmp_path), "UV_CONFIG_FILE": str(config)}
    ran = subprocess.run(["sh", root / "lab"], env=env, capture_output=True, text=True, check=False)
    assert sorted(theirs.rglob("*")) == before
    log = (root / ".lab/setup.log").read_text()
    assert (ran.returncode == 0) == (setting == "python"), ran.stderr + log
    assert (root / ".lab/stamp").exists() == (setting == "python")


def test_environment_that_is_active_is_rebuilt(tmp_path: Path) -> None:
    """If the checkout's own environment is first on PATH, a set-up does not use its `uv`, which it deletes."""
    root = unprepared_checkout(tmp_path / "checkout")
    uv = Path(sys.executable).with_name("uv")
    for folder in ("venv", "bootstrap"):
        (root / f".lab/{folder}/bin").mkdir(parents=True)
        (root / f".lab/{folder}/bin/uv").symlink_to(uv)
    config = tmp_path / "uv.toml"
    config.write_text(f'[pip]\nno-index = true\nfind-links = ["{root}/wheels"]\n')
    env = {
        "PATH": f"{root}/.lab/venv/bin:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "UV_CONFIG_FILE": str(config),
    }
    ran = subprocess.run(["sh", root / "lab"], env=env, capture_output=True, text=True, check=False)
    assert (ran.returncode, (root / ".lab/stamp").exists()) == (0, True), ran.stderr


def test_set_up_of_an_incomplete_environment_is_not_taken_for_ready(tmp_path: Path) -> None:
    """If the environment lacks the lab after the set-up, the set-up fails and leaves no stamp."""
    root = unprepared_checkout(tmp_path / "checkout")
    program(tmp_path / "bin/uv", "echo uv 99.0")
    env = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "HOME": str(tmp_path)}
    ran = subprocess.run(["sh", root / "lab"], env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "is incomplete" in ran.stderr
    assert not (root / ".lab/stamp").exists()


def apt(tmp_path: Path, text: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Install a package with this apt-get; sleeps return immediately."""
    program(tmp_path / "apt-get", f'echo "$@" >> {tmp_path}/calls\n{text}')
    program(tmp_path / "sleep", f"echo >> {tmp_path}/sleeps")
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    argv = ["/bin/sh", str(APT_INSTALL), "some-server"]
    return subprocess.run(argv, env={"PATH": path, **env}, capture_output=True, text=True, check=False)


LOCKED = 'echo "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt-get)" >&2; exit 100'


def test_an_install_waits_for_another_one(tmp_path: Path) -> None:
    """If apt is locked twice, the third attempt installs, and no lists are fetched in between."""
    done = apt(tmp_path, f"[ $(wc -l < {tmp_path}/calls) -gt 2 ] || {{ {LOCKED}; }}")
    assert done.returncode == 0, done.stdout
    calls = (tmp_path / "calls").read_text().splitlines()
    assert len(calls) == 3
    assert all(call.endswith("install -y --no-install-recommends some-server") for call in calls)


def test_install_fails_after_its_timeout(tmp_path: Path) -> None:
    """If apt stays locked until the timeout, the install fails and prints apt's message."""
    done = apt(tmp_path, LOCKED, WALLET_APT_TIMEOUT_S="0")
    assert done.returncode != 0
    assert "It is held by process 7" in done.stdout


def test_an_install_that_fails_for_another_reason_fetches_the_lists_once(tmp_path: Path) -> None:
    """If a package is unknown, the lists are fetched, and the install is retried once without a sleep."""
    done = apt(
        tmp_path, 'case "$*" in *update*) ;; *) echo "E: Unable to locate package" >&2; exit 100 ;; esac'
    )
    assert done.returncode != 0
    assert len((tmp_path / "calls").read_text().splitlines()) == 3
    assert not (tmp_path / "sleeps").exists()
