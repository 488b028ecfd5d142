"""What several tests of the road need."""

from __future__ import annotations

import numpy as np
import pytest

from tests.cohorts import DWI_SHAPE


@pytest.fixture
def varied_diffusion(monkeypatch: pytest.MonkeyPatch) -> None:
    """Test cohorts whose ADC differs between voxels; a constant one cannot be normalised, so no patient would do."""
    adc_mm2_per_s = np.random.default_rng(0).uniform(0.8e-3, 1.4e-3, DWI_SHAPE)
    monkeypatch.setattr("tests.cohorts.ADC_MM2_PER_S", adc_mm2_per_s)
