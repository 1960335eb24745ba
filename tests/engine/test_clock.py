"""The store's time, as a process counts it on."""

import time

import pytest

from active_workflow.engine.clock import StoreClock


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="another system has other clocks")
def test_it_goes_on_while_the_machine_sleeps(monkeypatch):
    slept = 0
    real = time.clock_gettime_ns
    monkeypatch.setattr(
        time, "clock_gettime_ns", lambda id: real(id) + (slept if id == time.CLOCK_BOOTTIME else 0)
    )
    clock = StoreClock(1_000_000)
    slept = 3_600 * 10**9
    assert clock.now() >= 1_000_000 + 3_600_000_000


def test_it_never_goes_back():
    clock = StoreClock(1_000_000)
    clock.set(5_000_000)
    clock.set(2_000_000)
    assert clock.now() >= 5_000_000


def test_a_configured_clock_is_asked_itself():
    now = [7]
    clock = StoreClock(1_000_000, fixed=lambda: now[0])
    assert clock.now() == 7
    now[0] = 3
    assert clock.now() == 3
