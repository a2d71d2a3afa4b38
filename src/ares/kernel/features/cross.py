"""Cross-instrument: how the price moves against the reference instrument."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ares.kernel.features.catalogue import (
    BETA_50,
    CORRELATION_50,
    REFERENCE_RETURN_1,
    RELATIVE_RETURN_1,
    RELATIVE_RETURN_5,
    RELATIVE_RETURN_20,
)
from ares.kernel.features.state import (
    LOG_CLOSE,
    LOG_REF,
    OWN,
    OWN_OWN,
    OWN_REF,
    PAIRS,
    REF,
    REF_REF,
    RETURN,
    FeatureState,
)
from ares.kernel.features.windows import (
    BARS_1,
    BARS_5,
    BARS_20,
    BARS_50,
    LOG_UNIT,
    SQUARE_UNIT,
    add,
    log_units,
    product_units,
    ratio,
    variance_sum,
    window,
)
from ares.kernel.jit import njit

PAIRS_MIN = 25


@njit
def cross(s: FeatureState, i: int, out: NDArray[np.float32]) -> None:
    """Write the relation to the reference; ln(c), ln(ref) and the return must be in the state."""
    ring = s.values_64
    ref_return = ring[i & 63, LOG_REF] - ring[(i - 1) & 63, LOG_REF]
    known = not np.isnan(ref_return)
    out[REFERENCE_RETURN_1] = ref_return if known else 0.0
    out[RELATIVE_RETURN_1] = relative(s, i, BARS_1)
    out[RELATIVE_RETURN_5] = relative(s, i, BARS_5)
    out[RELATIVE_RETURN_20] = relative(s, i, BARS_20)

    q = log_units(ref_return) if known else 0
    r = window(s.totals_128, i, BARS_1, RETURN) if known else 0
    add(s.totals_64, i, PAIRS, 1 if known else 0)
    add(s.totals_64, i, REF, q)
    add(s.totals_64, i, REF_REF, product_units(q, q))
    add(s.totals_64, i, OWN, r)
    add(s.totals_64, i, OWN_OWN, product_units(r, r))
    add(s.totals_64, i, OWN_REF, product_units(r, q))

    beta = correlation = 0.0
    n = window(s.totals_64, i, BARS_50, PAIRS)
    if n >= PAIRS_MIN:
        ref = window(s.totals_64, i, BARS_50, REF)
        own = window(s.totals_64, i, BARS_50, OWN)
        ref_spread = variance_sum(ref, window(s.totals_64, i, BARS_50, REF_REF), n)
        own_spread = variance_sum(own, window(s.totals_64, i, BARS_50, OWN_OWN), n)
        means = (own * LOG_UNIT) * (ref * LOG_UNIT) / n
        products = window(s.totals_64, i, BARS_50, OWN_REF) * SQUARE_UNIT - means
        beta = ratio(products, ref_spread, 0.0)
        correlation = ratio(products, np.sqrt(ref_spread) * np.sqrt(own_spread), 0.0)
    out[BETA_50] = beta
    out[CORRELATION_50] = min(max(correlation, -1.0), 1.0)


@njit
def relative(s: FeatureState, i: int, bars: int) -> float:
    """Return the log return over ``bars`` bars less the reference's; 0 where it is unknown."""
    ring = s.values_64
    own = ring[i & 63, LOG_CLOSE] - ring[(i - bars) & 63, LOG_CLOSE]
    other = ring[i & 63, LOG_REF] - ring[(i - bars) & 63, LOG_REF]
    return 0.0 if np.isnan(other) else own - other
