"""What a user gets: the files in the distributions, the lock, and an installed wheel far from the checkout."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
REGISTRY = re.compile(r"\b(?:pypi\.org|pythonhosted\.org|conda\.anaconda\.org|npmjs\.(?:org|com))")
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:root|work|opt/pypi|home/\w+|Users/\w+)/")


def run(*command, **options):
    """Run a command and return what it prints, or fail with all it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def repository_files():
    """Return the files that git tracks or would track, as far as they exist."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def shipped_files(folder):
    """Return the files under a folder of the checkout that belong into the distributions, not the generated ones."""
    files = {path.relative_to(ROOT).as_posix() for path in repository_files()}
    return {name for name in files if name.startswith(f"{folder}/")}


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """Build the source distribution, and from it the wheel; return the paths of both."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT))
    return next(folder.glob("*.tar.gz")), next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(distributions, tmp_path_factory):
    """Install the wheel into an empty environment and return its ``bin``.

    The dependencies are those of the environment that runs the tests, reached through a ``.pth`` file, which
    spares their installation. An editable install there is not seen: its own ``.pth`` file is not followed.
    """
    environment = tmp_path_factory.mktemp("installed") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", str(environment))
    python = str(environment / "bin/python")
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", str(distributions[1]))
    packages = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    (Path(packages) / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return environment / "bin"


@pytest.fixture
def elsewhere(tmp_path):
    """Return the options of a process that runs far from the checkout, with a cache of its own."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {"cwd": tmp_path, "env": {**environ, "BAYESCALE_CACHE": str(tmp_path / "cache")}}


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_the_tables(distributions):
    names = set(zipfile.ZipFile(distributions[1]).namelist())
    assert {f"bayescale/data/{name}" for name in ("chinchilla.csv", "chinchilla.toml", "catalogue.toml")} <= names
    assert {"bayescale/py.typed", "bayescale/laws/references.bib"} <= names
    assert any(re.fullmatch(r"bayescale/report/.*\.j2", name) for name in names)
    assert shipped_files("bayescale") <= names
    assert {f"bayescale/{name}" for name in shipped_files("data")} <= names
    assert all(name.startswith(("bayescale/", "bayescale-")) for name in names)


@pytest.mark.slow
def test_the_source_distribution_holds_all_that_is_needed_to_check_it(distributions):
    with tarfile.open(distributions[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for folder in ("bayescale", "benchmarks", "data", "docs", "notebooks", "tests"):
        assert shipped_files(folder) == {name for name in names if name.startswith(f"{folder}/")}
    assert {"LICENSE", "README.md", "pyproject.toml", "Makefile", "bootstrap.py", "requirements.lock"} <= names


@pytest.mark.slow
def test_the_installed_command_finds_the_shipped_tables(installed, elsewhere):
    tables = json.loads(run(str(installed / "bayescale"), "data", "--json", **elsewhere))["tables"]
    assert "chinchilla" in [table["name"] for table in tables if table["shipped"]]


@pytest.mark.slow
def test_the_installed_package_reads_a_shipped_table(installed, elsewhere):
    code = "import bayescale; bayescale.load_runs('chinchilla'); print(bayescale.__file__)"
    where = run(str(installed / "python"), "-c", code, **elsewhere).strip()
    assert where.startswith(str(installed.parent))


def test_every_locked_package_has_hashes_and_no_address():
    lock = (ROOT / "requirements.lock").read_text()
    entries = re.split(r"\n(?=\w)", lock.strip())
    assert len(entries) > 50
    assert all(re.match(r"[\w.-]+==\S+", entry) and "--hash=sha256:" in entry for entry in entries)
    assert "://" not in lock


def test_the_lock_names_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    required = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    required += [entry for extra in project["project"]["optional-dependencies"].values() for entry in extra]
    locked = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert {re.match(r"[\w.-]+", entry)[0] for entry in required} <= locked


def test_the_citation_has_the_version_of_the_package():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()


def test_no_file_names_a_package_registry_or_a_folder_of_one_machine():
    found = []
    for path in repository_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:  # not a text file
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if REGISTRY.search(line) or MACHINE_PATH.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}")
    assert found == []
