"""The demo: a checkout saga against a real payment, stock and courier service on this machine."""
