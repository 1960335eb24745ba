"""The SQLite store: a file on one machine, shared by its threads and processes."""
