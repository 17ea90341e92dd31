import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import bayescale

SOURCE = ast.parse(Path(bayescale.__file__).read_text(encoding="utf-8"))
UNWANTED = ("arviz", "arviz_stats", "loky", "matplotlib", "nutpie", "numpy", "pandas", "pymc", "scipy", "xarray")


def test_the_public_names_are_listed_once():
    assert len(set(bayescale.__all__)) == len(bayescale.__all__)
    assert dir(bayescale) == sorted([*bayescale.__all__, *bayescale._PLACES])


def test_the_public_names_are_few_enough_to_scan():
    assert len(bayescale.__all__) <= 40


def test_every_public_name_has_a_home():
    assert set(bayescale.__all__) == {*bayescale._HOMES, "__version__"}


@pytest.mark.parametrize("name", bayescale.__all__)
def test_every_public_name_resolves(name):
    assert getattr(bayescale, name) is not None


@pytest.mark.parametrize("name", [name for name in bayescale.__all__ if name != "__version__"])
def test_every_public_name_says_what_it_is(name):
    value = getattr(import_module(f"bayescale.{bayescale._HOMES[name]}"), name)
    assert name == "LAWS" or value.__doc__


def test_type_checkers_see_the_same_names_as_users():
    (guarded,) = (node for node in SOURCE.body if isinstance(node, ast.If))
    assert ast.unparse(guarded.test) == "TYPE_CHECKING"
    seen = {
        (statement.module, alias.name): alias.asname
        for statement in guarded.body
        for alias in statement.names
        if isinstance(statement, ast.ImportFrom)
    }
    names = {(f"bayescale.{module}", name): None for name, module in bayescale._HOMES.items()}
    places = {tuple(f"bayescale.{place}".rsplit(".", 1)): name for name, place in bayescale._PLACES.items()}
    assert seen == names | places


@pytest.mark.parametrize("name", bayescale._PLACES)
def test_every_submodule_is_reached_by_its_name(name):
    assert getattr(bayescale, name) is import_module(f"bayescale.{bayescale._PLACES[name]}")


def test_every_function_that_draws_is_in_the_one_list_of_plots():
    drawn = {
        node.name
        for path in Path(bayescale.plots.__file__).parent.glob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("plot_")
    }
    assert {name for name in vars(bayescale.plots) if name.startswith("plot_")} == drawn


def test_plots_load_no_drawing_library_before_they_are_used():
    assert "matplotlib" not in imported_by("import bayescale\nbayescale.allocate, bayescale.judge, dir(bayescale)")
    assert "matplotlib" in imported_by("import bayescale\nbayescale.plots.plot_allocation")


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'bayescale' has no attribute 'divine'"):
        _ = bayescale.divine


def imported_by(statement):
    """Return which heavy libraries a statement loads, in a fresh interpreter."""
    check = f"{statement}\nimport sys\nprint(*[name for name in {UNWANTED} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_importing_the_package_loads_no_heavy_library():
    assert imported_by("import bayescale\nbayescale.__version__\ndir(bayescale)") == []


def test_the_laws_and_the_catalogue_load_no_sampler():
    statement = "import bayescale\nbayescale.laws.list_laws()\nbayescale.catalogue.list_tables()"
    assert set(imported_by(statement)) <= {"numpy"}


def test_checking_a_table_loads_no_sampler():
    statement = "import bayescale\nbayescale.describe(bayescale.load_runs('public-models'))"
    assert not {"arviz", "arviz_stats", "nutpie", "pymc", "matplotlib"} & set(imported_by(statement))


def test_reading_a_fit_and_judging_it_loads_no_sampler():
    statement = "import bayescale.decisions.allocation, bayescale.fits.fitting, bayescale.comparison.verdict"
    assert not {"nutpie", "pymc", "matplotlib"} & set(imported_by(statement))
