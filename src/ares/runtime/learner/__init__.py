"""When models are retrained beside an engine, and by whom."""
