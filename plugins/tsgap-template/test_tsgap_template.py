from tsgap_template import Reversion

from tsgap.testing import parametrize_with_checks


@parametrize_with_checks(Reversion)
def test_contract(check):
    check()
