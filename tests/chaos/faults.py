"""What is done to workers and servers, each fault again and again until its time is over.

A fault is a generator: each ``yield`` is a pause of so many seconds, and what stands after the loop's
``finally`` undoes what it did. It counts what it did by ``scene.count``.
"""

import random
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress

from tests.chaos.clocks import set_clock
from tests.chaos.judge import Lenience
from tests.chaos.scene import LEASE, Scene

Steps = Iterator[float]


def kill(scene: Scene, chance: random.Random) -> Steps:
    """Kill -9 a worker that is inside a step."""
    while True:
        if scene.workers.kill_one_inside(chance):
            scene.count("kill")
        yield chance.uniform(0.05, 0.4)


def pause(scene: Scene, chance: random.Random) -> Steps:
    """Stop a worker that is inside a step for three leases, then let it go on."""
    while True:
        process = scene.workers.one_inside(chance)
        if process is None:
            yield 0.05
            continue
        process.send_signal(signal.SIGSTOP)
        scene.count("pause")
        try:
            yield 3 * LEASE
        finally:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
        yield 0.3


def restart(scene: Scene, chance: random.Random) -> Steps:
    """Stop the server at once, as if the power failed, and start it again."""
    while True:
        yield chance.uniform(1.0, 3.0)
        scene.site.stop()
        scene.count("restart")
        try:
            yield chance.uniform(0.0, 1.0)
        finally:
            scene.site.start()


def terminate(scene: Scene, chance: random.Random) -> Steps:
    """End every connection, five times a second."""
    while True:
        with suppress(Exception):  # the server may be down, by another fault
            scene.count("terminate", scene.site.terminate())
        yield 0.2


def cut(scene: Scene, chance: random.Random) -> Steps:
    """Cut the connection before a commit reaches the server, or before its answer is passed on."""
    proxy = scene.site.proxy
    try:
        while True:
            if proxy.cut_before is None and proxy.cut_after is None:
                setattr(proxy, chance.choice(["cut_before", "cut_after"]), b"tok-")
            scene.counts["cut"] = proxy.cuts
            yield 0.05
    finally:
        proxy.cut_before = proxy.cut_after = None


def silence(scene: Scene, chance: random.Random) -> Steps:
    """Pass nothing on, and close nothing: for longer than a lease and than a call waits."""
    proxy = scene.site.proxy
    while True:
        yield chance.uniform(0.5, 1.5)
        proxy.silent = True
        scene.count("silence")
        try:
            yield chance.uniform(1.0, 3.0)
        finally:
            proxy.silent = False


def disk(scene: Scene, chance: random.Random) -> Steps:
    """Fill the disk to the last byte, and make room again."""
    while True:
        yield chance.uniform(0.5, 1.5)
        try:
            scene.site.disk.fill()
            scene.count("disk")
            yield chance.uniform(1.0, 2.5)
        finally:
            scene.site.disk.free()
            scene.site.recover()


def clock(scene: Scene, chance: random.Random) -> Steps:
    """Let the clock that the store goes by jump by minutes, to and fro.

    In the end it stands where it never was before: what was due by any of its times is due.
    """
    furthest = 0
    try:
        while True:
            yield chance.uniform(0.5, 2.0)
            seconds = chance.randint(-300, 300)
            furthest = max(furthest, seconds)
            scene.site.set_clock(seconds)
            scene.count("clock")
    finally:
        scene.site.set_clock(furthest + 60)


def skew(scene: Scene, chance: random.Random) -> Steps:
    """Let the wall clock of a single worker jump by minutes."""
    furthest = 0
    try:
        while True:
            yield chance.uniform(0.2, 1.0)
            seconds = chance.choice([0, chance.randint(-300, 300)])
            furthest = max(furthest, seconds)
            set_clock(chance.choice(scene.site.clocks), seconds)
            scene.count("skew")
    finally:
        for file in scene.site.clocks:
            set_clock(file, furthest + 60)


def lock(scene: Scene, chance: random.Random) -> Steps:
    """Let a foreign process lock the file, or every row, for some seconds."""
    while True:
        yield chance.uniform(0.5, 1.0)
        with scene.site.hold() as held:
            scene.count("lock", held)
            yield chance.uniform(1.0, 4.0)


def calm(scene: Scene, chance: random.Random) -> Steps:
    """Do nothing: what the others are compared with."""
    while True:
        yield 0.5


FAULTS: dict[str, Callable[[Scene, random.Random], Steps]] = {
    act.__name__: act
    for act in (calm, kill, pause, restart, terminate, cut, silence, disk, clock, skew, lock)
}
OF_WORKERS = frozenset({"calm", "kill", "pause", "skew"})
"""Faults that befall workers, whatever their store."""
LATE = frozenset({"pause", "clock", "skew"})
NEVER_SHARED = frozenset({"calm", "kill"})


def lenience(faults: frozenset[str]) -> Lenience:
    """What these faults make legitimate."""
    return Lenience(late=bool(faults & LATE), shared=not faults <= NEVER_SHARED)


def run_fault(name: str, scene: Scene, chance: random.Random) -> None:
    """Do it until the scene's time is over; then undo what it did last."""
    steps = FAULTS[name](scene, chance)
    try:
        for seconds in steps:
            if scene.over.wait(seconds):
                return
    finally:
        steps.close()


def has(site: type, name: str) -> bool:
    """Whether a store can have a fault."""
    return name in OF_WORKERS or name in site.faults
