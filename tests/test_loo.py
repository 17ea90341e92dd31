import arviz_stats as azs
import pytest

from bayescale.fits.loo import SCALARS, point_loo
from bayescale.fits.saving import load_fit


@pytest.mark.filterwarnings("ignore:Estimated shape parameter of Pareto")
def test_the_loo_kept_with_a_fit_is_that_of_arviz(sampled_fit, tmp_path):
    sampled_fit.save(tmp_path / "fit.nc")
    expected = azs.loo(sampled_fit.data, pointwise=True, var_name="log_response")
    for tree in (sampled_fit.data, load_fit(tmp_path / "fit.nc").data):
        kept = point_loo(tree)
        assert {name: getattr(kept, name) for name in SCALARS} == {name: getattr(expected, name) for name in SCALARS}
        assert kept.elpd_i.equals(expected.elpd_i)
        assert kept.pareto_k.equals(expected.pareto_k)


def test_a_fit_without_its_loo_gets_it_when_asked(sampled_fit):
    bare = sampled_fit.data.copy()
    del bare["loo"]
    assert point_loo(bare).elpd == pytest.approx(point_loo(sampled_fit.data).elpd, abs=1e-9)
