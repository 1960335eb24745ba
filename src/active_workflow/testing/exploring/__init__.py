"""Crashes a user's saga wherever it can be crashed, in one thread and virtual time.

A run of the saga is a line of *operations*: commits of the worker, calls of user code, effects inside a call.
Each run is the same up to where its schedule interferes, so a place is told by its number alone. Read
``schedule`` for what can be done to a run, ``trial`` for one run, ``explore`` for the search.
"""
