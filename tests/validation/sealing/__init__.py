"""Tests of sealed outcomes, locks and the ledger."""
