"""What can be asked for by name, in a protocol or on the command line: one literal table per kind of outcome.

Adding an estimator = its function, one entry in `survival` or `binary`, its tests, its line in docs/estimates.md.
"""
