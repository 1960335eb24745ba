"""Throughput and latency on a private Redis whose log is synced at each commit, and one where each second."""

import json
import statistics
import time
from typing import Any

import active_workflow as aw
from active_workflow.cli.worker import settle_collector
from bench.flows import STEPS
from bench.sqlite_ratio import one_latency, start
from tests.servers.redis import RedisServer

ROUNDS = 3


def main(seconds: float = 5.0) -> dict[str, Any]:
    settle_collector()  # as the command does in a worker process
    figures: dict[str, Any] = {"bench": "redis", "rounds": ROUNDS}
    for sync in ("always", "everysec"):
        rounds = [measure(sync, seconds) for _ in range(ROUNDS)]
        figures[sync] = {key: round(statistics.median(one[key] for one in rounds), 2) for key in rounds[0]}
    return figures


def measure(sync: str, seconds: float) -> dict[str, float]:
    server = RedisServer(appendfsync=sync)
    server.start()
    try:
        url = server.url()
        with aw.Engine(url, embedded=False) as starter, aw.Engine(url, concurrency=8) as engine:
            start(starter, 500)
            warm_up = drain(engine, server, 500)
            count = int(500 / warm_up * seconds * 1.3) + 500
            started = start(starter, count)
            memory = used_memory(server)
            spent = drain(engine, server, 500 + count)
            latencies = sorted(one_latency(engine) for _ in range(200))
        return {
            "workflows": count,
            "steps_per_s": count * STEPS / spent,
            "starts_per_s": count / started,
            "latency_p50_ms": latencies[100] * 1000,
            "latency_p99_ms": latencies[198] * 1000,
            "bytes_per_pending": memory / (500 + count),
            "bytes_per_completed": used_memory(server) / (700 + count),
        }
    finally:
        server.remove()


def drain(engine: aw.Engine, server: RedisServer, count: int) -> float:
    """Have a worker run what was started, and give the seconds until so many are completed."""
    with server.client() as observer:
        began = time.perf_counter()
        engine.start_worker()
        while observer.zcard("{aw}:in:completed") < count:
            time.sleep(0.02)
        spent = time.perf_counter() - began
    engine.drain()
    return spent


def used_memory(server: RedisServer) -> int:
    with server.client() as client:
        used: int = client.info("memory")["used_memory"]
    return used


if __name__ == "__main__":
    print(json.dumps(main()))
