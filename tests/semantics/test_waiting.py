"""wait and wait_async: they come back when it is over, or when only a person could move it on."""

import asyncio
import warnings

import pytest

import active_workflow as aw


class WaitQuick(aw.Workflow):
    one = aw.task(lambda ctx: {"one": 1})


class WaitPatient(aw.Workflow):
    approval = aw.wait_for_signal()


def test_wait_refreshes_and_answers_itself(live):
    execution = WaitQuick.start()

    assert execution.wait() is execution
    assert execution.state == "completed"
    assert execution.wait(0.001).state == "completed"


def test_its_time_runs_out_and_the_work_goes_on(live):
    execution = WaitPatient.start()
    with pytest.raises(aw.WaitTimeout, match=execution.id) as caught:
        execution.wait("50ms")
    assert isinstance(caught.value, TimeoutError)
    execution.signal("approval", 1)

    assert execution.wait(20).state == "completed"


def test_check_raises_unless_completed(live):
    class Fails(aw.Workflow):
        one = aw.task(lambda ctx: 1 / 0)

    assert WaitQuick.start().wait(20, check=True).state == "completed"
    with pytest.raises(aw.ExecutionFailed, match="ZeroDivisionError") as caught:
        Fails.start().wait(20, check=True)
    assert caught.value.execution.state == "failed"
    execution = WaitPatient.start()
    execution.cancel()
    with pytest.raises(aw.ExecutionFailed, match="cancelled"):
        execution.wait(20, check=True)


def test_many_wait_for_one_and_one_waits_for_many(live):
    import threading  # noqa: PLC0415 - used here only

    execution = WaitPatient.start()
    states = []
    threads = [
        threading.Thread(target=lambda: states.append(aw.get(execution.id).wait(20).state)) for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    execution.signal("approval")
    for thread in threads:
        thread.join()

    assert states == ["completed"] * 10
    assert all(x.wait(20).state == "completed" for x in WaitQuick.start_many([{}] * 100))


def test_wait_async_in_a_loop(live):
    async def main():
        execution = await WaitQuick.start_async(n=1)
        waits = await WaitPatient.start_async()
        with pytest.raises(aw.WaitTimeout):
            await waits.wait_async("20ms")
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(waits.wait_async(), 0.02)
        assert await aw.signal_async(waits.id, "approval", 1) is True
        many = await WaitQuick.start_many_async([{}] * 20)
        await asyncio.gather(*(x.wait_async(20) for x in many))
        found = await aw.get_async(execution.id)
        return (await execution.wait_async(20)).state, (await waits.wait_async(20)).state, found.id, many

    state, waited, found, many = asyncio.run(main())
    assert (state, waited) == ("completed", "completed")
    assert found
    assert {x.state.value for x in many} == {"completed"}


def test_wait_where_a_loop_runs_warns(live):
    async def main():
        with pytest.warns(RuntimeWarning, match="wait_async"):
            WaitQuick.start().wait(20)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            await WaitQuick.start().wait_async(20)

    asyncio.run(main())


@pytest.mark.parametrize("how", ["wait", "wait_async"])
def test_wait_inside_a_step_raises(live, how):
    class Parent(aw.Workflow):
        @aw.step
        async def one(self):
            child = await WaitQuick.start_async()
            if how == "wait":
                child.wait()
            else:
                await child.wait_async()

    execution = Parent.start().wait(20)
    assert execution.state == "failed"
    assert execution.error.type == "MisuseError"


def test_wait_on_an_engine_that_runs_nothing_itself_sees_what_others_do(store_url, live):
    """Another engine of the same store does the work; this one only looks."""
    if store_url.startswith("memory"):
        other = aw.Engine(live.store, embedded=False)
    else:
        other = aw.Engine(store_url, embedded=False)
    execution = other.start(WaitQuick, {})
    live.start_worker()

    assert execution.wait(20).state == "completed"
    if not store_url.startswith("memory"):
        other.close()


def test_wait_does_not_hang_on_what_is_deleted_meanwhile(engine):
    execution = engine.run(WaitQuick.start())
    engine.clock.advance("1h")
    aw.prune(older_than="1m")

    with pytest.raises(aw.ExecutionNotFound):
        execution.wait(1)
