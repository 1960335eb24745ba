"""The engine: does what the law says and reports what happened."""
