"""Training jobs: what is trained, on what, in which process."""
