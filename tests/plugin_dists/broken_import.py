"""A plugin that cannot be imported."""

import nosuch_package_for_tsgap
