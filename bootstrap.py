"""Make ``.venv`` with everything bayescale needs, and do nothing when that is already done.

Run it with any Python from 3.8 on: ``python3 bootstrap.py``. It looks for a Python that bayescale
supports, runs it to be sure, and installs what ``requirements.lock`` pins.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Iterable, Iterator, NamedTuple, Sequence

STAMP = "bayescale-stamp.json"
PREFERRED = ((3, 13), (3, 12), (3, 14))
MODULES = ("venv", "ensurepip", "ssl")
NAMES = ("python3.13", "python3.12", "python3.14", "python3", "python")
PREFIXES = ("/usr/local/bin", "/opt/homebrew/bin", "/opt/local/bin", "/usr/bin")
PROBE_SECONDS = 10.0
PROBE = f"""
import json, platform, sys, sysconfig
missing = []
for name in {MODULES!r}:
    try:
        __import__(name)
    except ImportError:
        missing.append(name)
if platform.python_implementation() != "CPython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
    missing.append("the usual CPython build")
print(json.dumps({{"version": list(sys.version_info[:3]), "missing": missing}}))
"""


class BootstrapError(Exception):
    """The environment cannot be made; the message is what the user reads."""


class Interpreter(NamedTuple):
    """A Python that ran: where it is, its version, and what it lacks of what we need."""

    path: str
    version: tuple[int, ...]
    missing: tuple[str, ...]

    def __str__(self) -> str:
        """Return the version, the path and what is missing, for a message."""
        lacking = f" without {' and '.join(self.missing)}" if self.missing else ""
        return f"{'.'.join(map(str, self.version))}{lacking} ({self.path})"


# Finding a Python


def candidates(root: Path, environ: dict[str, str]) -> Iterator[str]:
    """Yield each path that may be a Python, once, leaving out the environment we make ourselves."""
    ours = f"{root / '.venv'}{os.sep}"
    seen = set()
    for path in _all_candidates(environ):
        if path not in seen and os.access(path, os.X_OK) and not path.startswith(ours):
            seen.add(path)
            yield path


def _all_candidates(environ: dict[str, str]) -> Iterator[str]:
    yield getattr(sys, "_base_executable", None) or sys.executable
    folders = [folder for folder in environ.get("PATH", "").split(os.pathsep) if folder]
    for name in NAMES:
        yield from (os.path.join(folder, name) for folder in folders)  # noqa: PTH118
    home = Path(environ.get("HOME") or Path.home())
    yield from _inside(Path(environ.get("PYENV_ROOT") or home / ".pyenv") / "versions")
    yield from _found_by_uv(environ)
    yield from _inside(Path(environ.get("UV_PYTHON_INSTALL_DIR") or home / ".local/share/uv/python"))
    for folder in PREFIXES:
        yield from (f"{folder}/{name}" for name in NAMES)
    if environ.get("CONDA_PREFIX"):
        yield f"{environ['CONDA_PREFIX']}/bin/python"
    for conda in ("miniforge3", "miniconda3", "anaconda3"):
        yield str(home / conda / "bin/python")
        yield from _inside(home / conda / "envs")


def _inside(folder: Path) -> Iterator[str]:
    """Yield ``bin/python`` of each installation in a folder, the highest version names first."""
    return (str(path) for path in sorted(folder.glob("*/bin/python"), reverse=True))


def _found_by_uv(environ: dict[str, str]) -> Iterator[str]:
    """Yield what ``uv`` would choose for each version, where it is installed."""
    uv = shutil.which("uv", path=environ.get("PATH", ""))
    for major, minor in PREFERRED if uv else ():
        found = _output([uv, "python", "find", "--system", "--no-python-downloads", f"{major}.{minor}"])
        if found:
            yield found.strip()


def probe(path: str) -> Interpreter | None:
    """Run a candidate and return what it is, or None if it does not run (a shim may not)."""
    lines = (_output([path, "-I", "-c", PROBE]) or "").splitlines()
    try:
        facts = json.loads(lines[-1])
        return Interpreter(path, tuple(facts["version"]), tuple(facts["missing"]))
    except (IndexError, KeyError, TypeError, ValueError):
        return None


def _output(command: Sequence[str]) -> str | None:
    """Return what a command prints, or None if it fails, hangs or cannot be started."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


def rank(found: Interpreter, uv: str | None) -> int | None:
    """Return the place of a Python in our preference, 0 the best, or None if it will not do."""
    version = tuple(found.version[:2])
    if version not in PREFERRED:
        return None
    if not found.missing:
        return PREFERRED.index(version)
    without_pip_only = set(found.missing) <= {"venv", "ensurepip"}
    return len(PREFERRED) + PREFERRED.index(version) if uv and without_pip_only else None


def choose(paths: Iterable[str], uv: str | None) -> Interpreter:
    """Return the best Python among the paths, stopping at the first that no other can beat."""
    found = []
    for path in paths:
        interpreter = probe(path)
        if interpreter is None:
            continue
        found.append(interpreter)
        if rank(interpreter, uv) == 0:
            return interpreter
    suitable = [interpreter for interpreter in found if rank(interpreter, uv) is not None]
    if not suitable:
        raise BootstrapError(_nothing_suitable(found))
    return min(suitable, key=lambda interpreter: rank(interpreter, uv) or 0)


def _nothing_suitable(found: Sequence[Interpreter]) -> str:
    """Return the sentence that says what was needed, what was found and what to do."""
    versions = {interpreter[1:]: str(interpreter) for interpreter in reversed(found)}
    listed = ", ".join(versions[key] for key in sorted(versions, reverse=True)) or "no Python that runs"
    return (
        f"bayescale needs Python 3.12, 3.13 or 3.14 (CPython, with {', '.join(MODULES)}), found {listed}; "
        "install one, for example with `uv python install 3.13` or `pyenv install 3.13` (on Debian and Ubuntu the "
        "package python3-venv completes theirs), or give its path in BAYESCALE_PYTHON."
    )


def find_python(root: Path, environ: dict[str, str]) -> Interpreter:
    """Return the Python named in BAYESCALE_PYTHON, else the best one on this machine."""
    uv = shutil.which("uv", path=environ.get("PATH", ""))
    named = environ.get("BAYESCALE_PYTHON")
    if not named:
        return choose(candidates(root, environ), uv)
    path = shutil.which(named, path=environ.get("PATH", "")) or named
    found = probe(path)
    if found is None or rank(found, uv) is None:
        what = f"it is {found}" if found else "it does not run"
        raise BootstrapError(
            f"BAYESCALE_PYTHON is {named!r}, but {what}; name a Python 3.12, 3.13 or 3.14, or unset it."
        )
    return found


# Knowing whether there is something to do


def fingerprint(root: Path, version: str) -> dict[str, str]:
    """Return what ``.venv`` was made from: one hash for what is installed, one for the project itself.

    The folder counts, because the scripts in ``.venv/bin`` hold it.
    """
    return {
        "installed": _hash((root / "requirements.lock").read_bytes(), version.encode(), os.fsencode(root)),
        "project": _hash((root / "pyproject.toml").read_bytes()),
    }


def _hash(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def current(root: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return the fingerprint ``.venv`` has and the one it should have; the first is empty if it is unusable."""
    python, stamp = root / ".venv/bin/python", root / ".venv" / STAMP
    version = _output([str(python), "-I", "-S", "-c", "import sys; print(sys.version)"])
    expected = fingerprint(root, version or "")
    try:
        return (json.loads(stamp.read_text()) if version else {}), expected
    except (OSError, ValueError):
        return {}, expected


# Making the environment


def set_up(root: Path, environ: dict[str, str]) -> None:
    """Bring ``.venv`` up to date: all of it, only the project, or nothing."""
    has, expected = current(root)
    if has == expected:
        return
    with _alone(root):
        has, expected = current(root)  # another run may have done it meanwhile
        if has != expected:
            _update(root, environ, everything=has.get("installed") != expected["installed"])


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Wait until no other run is making ``.venv``."""
    import fcntl  # noqa: PLC0415 (Windows has none, and is told so in a sentence)

    with (root / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _update(root: Path, environ: dict[str, str], *, everything: bool) -> None:
    """Install everything, or only the project; the stamp is gone while this is under way."""
    stamp = root / ".venv" / STAMP
    python = find_python(root, environ) if everything else None
    stamp.unlink(missing_ok=True)
    if python:
        _make_environment(root, python, environ)
    _pip(root, "--no-deps", "--no-build-isolation", "--editable", str(root))
    stamp.write_text(json.dumps(current(root)[1]))
    _say(f"{root / '.venv'} is ready")


def _make_environment(root: Path, python: Interpreter, environ: dict[str, str]) -> None:
    """Make ``.venv`` anew and install the locked packages with its own pip."""
    folder = root / ".venv"
    _say(f"making .venv with Python {python}; the first time takes a minute or two")
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(str(folder))
    if python.missing:
        uv = shutil.which("uv", path=environ.get("PATH", "")) or "uv"
        _run([uv, "venv", "--quiet", "--seed", "--python", python.path, str(folder)], "uv could not make .venv")
    else:
        _run([python.path, "-I", "-m", "venv", str(folder)], f"{python.path} could not make .venv")
    _pip(root, "--require-hashes", "--only-binary=:all:", "--requirement", str(root / "requirements.lock"))


def _pip(root: Path, *arguments: str) -> None:
    """Install with the pip in ``.venv``, which honours the user's own pip settings, such as a mirror."""
    pip = [str(root / ".venv/bin/python"), "-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    _run([*pip, *arguments], "pip could not install what bayescale needs, perhaps for want of a network")


def _run(command: Sequence[str], failure: str) -> None:
    """Run a command quietly; when it fails, raise with the end of what it said."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PIP_USER": "0"},  # a user-wide choice that pip refuses inside an environment
        check=False,
    )
    if done.returncode != 0:
        lines = [line for line in done.stdout.decode(errors="replace").splitlines() if not line.startswith("Ignoring ")]
        raise BootstrapError("\n    ".join([f"{failure}; run it again once this is mended:", *lines[-5:]]))


def _say(text: str) -> None:
    print(f"bootstrap: {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Make ``.venv`` beside this file and return the exit status."""
    if os.name == "nt":
        _say("bayescale runs on Linux and macOS; on Windows use the Windows Subsystem for Linux.")
        return 1
    try:
        set_up(Path(__file__).resolve().parent, dict(os.environ))
    except (BootstrapError, OSError) as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        _say("interrupted; run it again to start over")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
