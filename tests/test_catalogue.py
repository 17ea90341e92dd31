import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bayescale import catalogue
from bayescale.catalogue import (
    TABLES,
    catalogue_entry,
    data_dir,
    fetch_runs,
    list_tables,
    load_runs,
    resolve_runs,
    table_names,
    table_record,
    tables_of,
)
from bayescale.catalogue.recipes import RECIPES
from bayescale.errors import InputError
from bayescale.runs import describe


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Let no fetched table and no mirror of this machine decide a test."""
    monkeypatch.setenv("BAYESCALE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BAYESCALE_MIRROR", raising=False)


ROWS = "run,N,D,loss\na,1e8,2e9,3.5\nb,2e8,3e9,3.3\nc,4e8,9e9,3.0\nd,8e8,1e10,2.9\ne,1e9,5e10,2.6\n"


def test_the_chinchilla_table_loads_with_its_rows_ranges_and_record():
    runs = load_runs("chinchilla")
    assert (runs.name, len(runs.frame), runs.response, runs.unit) == ("chinchilla", 245, "loss", "nats per token")
    assert runs.compute == "given"
    ranges = describe(runs).ranges
    assert ranges["N"] == pytest.approx((5.73e7, 1.62e10), rel=5e-3)
    assert ranges["D"] == pytest.approx((2.45e8, 3.18e11), rel=5e-3)
    assert ranges["C"] == pytest.approx((1.4e18, 1.3e22), rel=5e-3)
    assert ranges["loss"] == (2.0774, 5.0056)
    assert runs.notes == (
        "tokens per parameter are 0.03607 for run 'chinchilla-001' (line 2); check the units of N and D",
    )
    assert "embeddings included" in runs.record["N"]


def test_the_chinchilla_design_is_sound():
    facts = describe(load_runs("chinchilla"))
    assert facts.condition == pytest.approx(32.7, abs=0.1)
    assert facts.distinct_N == 43
    assert facts.correlation == pytest.approx(0.244, abs=1e-3)


def test_the_public_models_load_in_bits_per_character():
    runs = load_runs("public-models")
    assert (len(runs.frame), runs.response, runs.unit) == (18, "bpc", "bits per character")
    assert runs.frame["family"].nunique() == 7
    facts = describe(runs)
    assert facts.ranges["N"] == (6e9, 7.2e10)
    assert facts.ranges["D"] == (1e12, 1.5e13)
    assert facts.ranges["bpc"] == (0.359, 0.528)
    assert any("between the 7 families" in sentence for sentence in facts.cannot)


@pytest.mark.parametrize("name", TABLES)
def test_every_record_is_complete_and_agrees_with_its_table(name):
    record, runs = table_record(name), load_runs(name)
    assert int(record["rows"]) == len(runs.frame)
    assert (record["response"], record["unit"]) == (runs.response, runs.unit)
    assert {"title", "reference", "licence", "date", "made", "caveats", "N", "D", "C", runs.response} <= set(record)
    assert dict(runs.record) == record


def test_tables_are_listed_with_the_public_fields():
    tables = list_tables()
    assert [table["name"] for table in tables] == list(table_names())
    assert [table["name"] for table in tables if table["shipped"]] == list(TABLES)
    for table in tables:
        fields = ["name", "rows", "response", "shipped", "licence", "reference", "unit", "source", "state"]
        assert list(table) == fields
        assert isinstance(table["rows"], int)
        assert (table["state"] == "shipped") is table["shipped"]


FETCHED = table_names()[len(TABLES) :]


@pytest.mark.parametrize("name", FETCHED)
def test_every_catalogued_table_has_a_whole_record_and_an_address_at_a_commit(name):
    entry, record = catalogue_entry(name), table_record(name)
    needed = {"title", "reference", "licence", "date", "made", "caveats", "dataset", "N", "D", "C", "unit", "response"}
    assert needed | {record["response"]} <= set(record)
    assert "arXiv:" in record["reference"]
    assert entry.recipe in RECIPES
    assert entry.rows >= 5
    assert entry.needs
    assert entry.files
    for file in entry.files:
        at_commit = r"https://raw\.githubusercontent\.com/[\w.-]+/[\w.-]+/[0-9a-f]{40}/[\w./+-]+"
        assert re.fullmatch(at_commit, file.address)
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert file.bytes > 0
        assert file.confirmed


def test_every_catalogued_file_serves_a_table_and_every_recipe_a_source():
    content = tomllib.loads((data_dir() / "catalogue.toml").read_text(encoding="utf-8"))
    listed = {(source, file) for source, facts in content["sources"].items() for file in facts["files"]}
    assert {(file.source, file.name) for name in FETCHED for file in catalogue_entry(name).files} == listed
    assert {facts["recipe"] for facts in content["sources"].values()} == set(RECIPES)


def test_a_table_that_was_not_fetched_says_how_to():
    with pytest.raises(InputError) as caught:
        load_runs("openclip")
    assert str(caught.value) == (
        "openclip: zeroshot_results.csv has not been fetched; run `bayescale data get openclip`"
    )


def test_a_source_stands_for_all_its_tables():
    assert tables_of(["chinchilla", "datablations"]) == ["chinchilla", "datablations-c4", "datablations-oscar"]
    assert tables_of(["datablations-c4", "datablations"]) == ["datablations-c4", "datablations-oscar"]
    with pytest.raises(InputError, match="no table and no source is called 'datablation'"):
        tables_of(["datablation"])


def test_a_shipped_table_needs_no_fetching():
    assert fetch_runs("chinchilla") == ()


def test_every_shipped_table_is_listed():
    assert {path.stem for path in data_dir().glob("*.csv")} == set(TABLES)


def test_listing_tables_needs_no_heavy_import():
    heavy = "pymc", "arviz", "matplotlib", "pandas", "numpy", "pooch", "requests"
    code = (
        "import sys; from bayescale.catalogue import list_tables; list_tables(); "
        f"print([m for m in {heavy!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_name_lists_the_tables_and_the_nearest():
    with pytest.raises(InputError) as caught:
        load_runs("Chinchila")
    assert str(caught.value) == (
        "no table is called 'Chinchila'; the tables are chinchilla, public-models and "
        f"{len(FETCHED)} to fetch (bayescale data lists them); did you mean 'chinchilla'?"
    )


def test_a_path_wins_over_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(resolve_runs("chinchilla").frame) == 245
    Path("chinchilla").write_text(ROWS, encoding="utf-8")
    assert len(resolve_runs("chinchilla").frame) == 5


def test_a_directory_does_not_hide_a_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("chinchilla").mkdir()
    assert len(resolve_runs("chinchilla").frame) == 245
    Path("mine").mkdir()
    with pytest.raises(InputError, match="this is a directory"):
        resolve_runs("mine")


def test_a_file_is_resolved_with_its_columns(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(ROWS.replace("N,", "size,", 1), encoding="utf-8")
    assert resolve_runs(path, columns={"N": "size"}, unit="bits per token").unit == "bits per token"


def test_neither_a_file_nor_a_table_says_both(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        resolve_runs("public_model")
    assert str(caught.value) == (
        f"there is no file 'public_model' (in {tmp_path}), and no table of that name; "
        f"the tables are chinchilla, public-models and {len(FETCHED)} to fetch (bayescale data lists them); "
        "did you mean 'public-models'?"
    )


def test_columns_for_a_catalogued_table_are_refused():
    with pytest.raises(InputError, match="'chinchilla' is a table of the catalogue"):
        resolve_runs("chinchilla", response="loss")


def test_an_installed_package_finds_its_own_tables(tmp_path, monkeypatch):
    installed = tmp_path / "bayescale"
    shutil.copytree(data_dir(), installed / "data")
    monkeypatch.setattr(catalogue, "__file__", str(installed / "catalogue" / "__init__.py"))
    assert data_dir() == installed / "data"
    shutil.rmtree(installed)
    with pytest.raises(InputError, match="install bayescale again"):
        data_dir()
