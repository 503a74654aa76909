"""Which findings are reported: at once when the agent starts, then no more often than is good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from skerry.api.facts import DeviceFacts, Power, PowerSource
from skerry_agent.facts.steady import HOLD_SECONDS, PAUSE_SECONDS, begin, settle
from skerry_agent.facts.watch import HARDWARE_SECONDS, LOOK_SECONDS, Watch
from tests.unit.agent.facts.machine import machine

if TYPE_CHECKING:
    from pathlib import Path


def on(source: PowerSource, percent: int | None = None) -> DeviceFacts:
    return DeviceFacts(memory=1, power=Power(source=source, battery_percent=percent))


MAINS, BATTERY = on(PowerSource.MAINS, 90), on(PowerSource.BATTERY, 90)


def reports(looks: list[DeviceFacts], seconds: float = LOOK_SECONDS) -> list[DeviceFacts]:
    """Return the reports over looks that far apart, each change once."""
    state = begin(looks[0], 0)
    message = [state.reported]
    for number, found in enumerate(looks[1:], start=1):
        state = settle(state, found, number * seconds)
        if state.reported != message[-1]:
            message.append(state.reported)
    return message


def sources(message: list[DeviceFacts]) -> list[str]:
    return [one.power.source.value for one in message if one.power]


def test_a_pulled_plug_is_reported_once_it_has_held() -> None:
    hour = int(3600 / LOOK_SECONDS)
    assert sources(reports([MAINS] * hour + [BATTERY] * 2)) == ["Mains"]
    assert sources(reports([MAINS] * hour + [BATTERY] * 3)) == ["Mains", "Battery"]
    assert sources(reports([MAINS] * hour + [BATTERY, MAINS] * hour)) == ["Mains"]


@given(st.lists(st.sampled_from([MAINS, BATTERY]), min_size=1, max_size=400))
def test_however_the_plug_flutters_writes_are_few_and_the_last_state_comes_through(
    looks: list[DeviceFacts],
) -> None:
    message = reports(looks)
    assert len(message) - 1 <= len(looks) * LOOK_SECONDS / PAUSE_SECONDS
    rest = int((PAUSE_SECONDS + HOLD_SECONDS) / LOOK_SECONDS) + 1
    assert sources(reports(looks + looks[-1:] * rest))[-1] == sources(looks[-1:])[0]


def test_a_battery_that_drains_is_reported_in_steps() -> None:
    draining = [
        on(PowerSource.BATTERY, percent) for percent in range(100, -1, -1) for _ in range(30)
    ]
    message = [one.power.battery_percent for one in reports(draining) if one.power]
    assert message == [100, 80, 60, 40, 20, 0]


@given(st.lists(st.integers(76, 84), min_size=1, max_size=300))
def test_a_charge_around_a_step_is_reported_once(percents: list[int]) -> None:
    assert len(reports([on(PowerSource.MAINS, p) for p in percents], PAUSE_SECONDS)) == 1


def test_the_hardware_is_looked_at_again_after_a_while(tmp_path: Path) -> None:
    watch = Watch(machine(tmp_path, {"proc/meminfo": "MemTotal: 1 kB\n"}))
    assert watch.reported is None
    watch.look(0)
    (tmp_path / "proc/meminfo").write_text("MemTotal: 2 kB\n")
    sizes: list[int | None] = []
    for now in (LOOK_SECONDS, HARDWARE_SECONDS, HARDWARE_SECONDS + HOLD_SECONDS):
        watch.look(now)
        assert watch.reported is not None
        sizes.append(watch.reported.memory)
    assert sizes == [1024, 1024, 2048]
