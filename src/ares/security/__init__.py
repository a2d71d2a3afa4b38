"""The keys of accounts: stored encrypted, used by a process of its own."""
