"""Statements of ours in a transaction of the caller's, on whatever kind of connection it runs."""
