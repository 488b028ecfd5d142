"""Sealed outcomes and who opened them: keys, seals, the lock of a protocol, the ledger, and the one opening."""
