"""The imperative shell: loop, recovery, training pool, clock."""
