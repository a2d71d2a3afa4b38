"""Real venues behind one port: orders, executions and balances over ccxt."""
