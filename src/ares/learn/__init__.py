"""Labels, splits, training, calibration, evidence: data in, evidence out; no clock, no disk."""
