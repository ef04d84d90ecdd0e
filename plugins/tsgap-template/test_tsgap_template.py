import numpy as np
from tsgap_template import Reversion, deviation

import tsgap
from tsgap.diagnostics import contrasted
from tsgap.testing import parametrize_with_checks


@parametrize_with_checks(Reversion)
def test_contract(check):
    check()


@parametrize_with_checks(deviation, diagnostic=True)
def test_contract_of_the_diagnostic(check):
    check()


def test_series_that_end_far_from_their_mean_are_warned_of():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2, 20, 64))
    rows[1, :, -1] += 6
    real, synthetic = (tsgap.Panel.of({f"{of} {i}": y for i, y in enumerate(rows[of])}) for of in (0, 1))
    (figure,) = deviation(contrasted(real, synthetic, seed=0), seed=0).figures
    assert figure.flag == "warn"
    assert figure.value > 1
