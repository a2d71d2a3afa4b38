"""SQL schema, migrations and queries: candles, and projections of the journal."""
