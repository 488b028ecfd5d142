"""Pure statistics on arrays: each estimator takes arrays and returns an `Estimate` or says why it is undefined.

One folder per aspect of a validation: `discrimination`, `overall` performance, `calibration`, `classification` at a
threshold, clinical `utility`, `reclassification`, `cutoffs`; the models and tests they rest on in `survival`,
`regression` and `groups`; `centres` (heterogeneity), `sample_size` and `shift`. `estimate`, `influence`, `intervals`,
`samples` and `bootstrap` are what all of them share; `catalogue` names those that a protocol or a command can ask for.
"""
