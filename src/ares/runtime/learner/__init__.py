"""When and by what models are retrained while an engine runs."""
