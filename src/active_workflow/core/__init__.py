"""The law: a pure state machine over frozen values. No I/O, clock, chance, threads or logging."""
