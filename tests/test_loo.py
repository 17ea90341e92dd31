import arviz_stats as azs
import pytest
import xarray as xr

from bayescale.fits.fit import Fit
from bayescale.fits.loo import SCALARS, point_loo
from bayescale.fits.saving import load_fit


@pytest.mark.filterwarnings("ignore:Estimated shape parameter of Pareto")
def test_the_loo_kept_with_a_fit_is_that_of_arviz(sampled_fit, tmp_path):
    sampled_fit.save(tmp_path / "fit.nc")
    expected = azs.loo(sampled_fit.data, pointwise=True, var_name="log_response")
    for fitted in (sampled_fit, load_fit(tmp_path / "fit.nc")):
        kept = point_loo(fitted)
        for name in SCALARS:
            assert getattr(kept, name) == pytest.approx(getattr(expected, name), rel=1e-9)
        for name in ("elpd_i", "pareto_k"):
            xr.testing.assert_allclose(getattr(kept, name), getattr(expected, name), rtol=1e-9)


def test_a_fit_without_its_loo_gets_it_when_asked(sampled_fit):
    bare = sampled_fit.data.copy()
    del bare["loo"]
    assert point_loo(Fit(sampled_fit.law, bare)).elpd == pytest.approx(point_loo(sampled_fit).elpd, abs=1e-9)
