"""Processors of real machines, cores and caches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.api.facts import CPU_FEATURES
from skerry_agent.facts.cpu import architecture, features, find_cpu, parse
from skerry_agent.facts.find import find_facts
from skerry_agent.facts.topology import caches, numbers, physical_cores, usable
from tests.unit.agent.facts.machine import CPUINFO, cpu_tree, machine

if TYPE_CHECKING:
    from pathlib import Path

AVX = "avx avx2 fma f16c"


@pytest.mark.parametrize(
    ("name", "cores", "named", "found"),
    [
        ("amd-epyc-9005", 2, ("AMD", "AMD EPYC"), f"{AVX} avx512f avx512_vnni avx_vnni avx512_bf16"),
        ("celeron-j4125", 4, ("Intel", "Intel(R) Celeron(R) J4125 CPU @ 2.00GHz"), ""),
        (
            "xeon-sapphire-rapids", 2, ("Intel", "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz"),
            f"{AVX} avx512f avx512_vnni avx_vnni avx512_bf16 avx512_fp16 amx_int8 amx_bf16",
        ),
        ("graviton2", 2, ("Arm", "Neoverse-N1"), "asimd asimdhp asimddp"),
        ("graviton3", 2, ("Arm", "Neoverse-V1"), "asimd asimdhp asimddp i8mm bf16 sve"),
        ("raspberry-pi-4", 4, ("Arm", "Cortex-A72"), "asimd"),
        ("raspberry-pi-4-32-bit", 4, ("Arm", "Cortex-A72"), "neon"),
        ("raspberry-pi-5", 4, ("Arm", "Cortex-A76"), "asimd asimdhp asimddp"),
        ("rock-5b", 8, ("Arm", "Cortex-A55 + Cortex-A76"), "asimd asimdhp asimddp"),
        ("jetson-orin-nano", 6, ("Arm", "Cortex-A78AE"), "asimd asimdhp asimddp"),
    ],
)  # fmt: skip
def test_processors_of_real_machines(
    tmp_path: Path, name: str, cores: int, named: tuple[str, str], found: str
) -> None:
    cpuinfo = (CPUINFO / f"{name}.txt").read_text()
    cpu = find_cpu(machine(tmp_path, {"proc/cpuinfo": cpuinfo}))
    assert cpu is not None
    assert len(parse(cpuinfo)) == cores
    assert (cpu.vendor, cpu.model, cpu.features) == (*named, tuple(found.split()))
    # There is no sysfs: nothing is reported from it.
    unknown = (cpu.physical_cores, cpu.logical_cores, cpu.l1_data, cpu.l2, cpu.l3)
    assert set(unknown) == {None}


def test_a_core_that_no_table_knows_is_named_by_its_numbers(tmp_path: Path) -> None:
    cpuinfo = "processor\t: 0\nCPU implementer\t: 0x99\nCPU part\t: 0xabc\n"
    cpu = find_cpu(machine(tmp_path, {"proc/cpuinfo": cpuinfo}))
    assert cpu is not None
    assert (cpu.vendor, cpu.model) == ("0x99", "0x99 part 0xabc")


@given(st.lists(st.sets(st.sampled_from([*CPU_FEATURES, "fpu", "cpuid"])), max_size=5))
def test_what_one_core_lacks_is_never_claimed(cores: list[set[str]]) -> None:
    written = "\n\n".join(
        f"processor\t: {n}\nflags\t\t: {' '.join(sorted(flags))}" for n, flags in enumerate(cores)
    )
    found = set(features(parse(written)))
    assert found == (set.intersection(*cores) if cores else set()) - {"fpu", "cpuid"}


@pytest.mark.parametrize(
    ("uname", "word"),
    [("x86_64", "amd64"), ("aarch64", "arm64"), ("armv7l", "arm"), ("riscv64", None)],
)
def test_architectures_in_the_words_of_kubernetes(uname: str, word: str | None) -> None:
    assert architecture(uname) == word


@pytest.mark.parametrize(
    ("written", "found"),
    [("0-3,8", {0, 1, 2, 3, 8}), ("0", {0}), ("", set()), ("0-3,x", set()), ("(null)", set())],
)
def test_lists_of_cores(written: str, found: set[int]) -> None:
    assert numbers(written) == found


def test_threads_of_one_core_count_once_and_isolated_ones_not_at_all(tmp_path: Path) -> None:
    threads = {0: "0,4", 1: "1,5", 2: "2,6", 3: "3,7", 4: "0,4", 5: "1,5", 6: "2,6", 7: "3,7"}
    tree = cpu_tree(threads, {}) | {"sys/devices/system/cpu/isolated": "3,7\n"}
    sys = machine(tmp_path, tree).sys
    assert usable(sys) == [0, 1, 2, 4, 5, 6]
    assert physical_cores(sys, usable(sys)) == 3
    assert physical_cores(sys, [0, 99]) is None


def test_the_smaller_core_decides_on_a_cache(tmp_path: Path) -> None:
    """As on a ROCK 5B: four Cortex-A55 and four A76, of which two of each are enough here."""
    little, big = {"1 Data": "32K", "1 Instruction": "32K", "2 Unified": "128K"}, {
        "1 Data": "64K", "1 Instruction": "64K", "2 Unified": "512K", "3 Unified": "3072K",
    }  # fmt: skip
    tree = cpu_tree({n: str(n) for n in range(4)}, {0: little, 1: little, 2: big, 3: big})
    sys = machine(tmp_path, tree).sys
    assert caches(sys, usable(sys)) == (32 << 10, 128 << 10, 3 << 20)


def test_this_machines_own_tree_as_it_was_captured(tmp_path: Path) -> None:
    level = {"1 Data": "48K", "1 Instruction": "32K", "2 Unified": "1024K", "3 Unified": "32768K"}
    files = cpu_tree({0: "0", 1: "1"}, {0: level, 1: level}) | {
        "proc/cpuinfo": (CPUINFO / "amd-epyc-9005.txt").read_text(),
        "proc/meminfo": "MemTotal:       24684092 kB\nMemFree:        21933136 kB\n",
    }
    wire = find_facts(machine(tmp_path, files)).to_wire()
    assert wire["memory"] == 24684092 * 1024
    assert wire["architecture"] == "amd64"
    sizes = {"l1Data": 49152, "l2": 1 << 20, "l3": 32 << 20, "physicalCores": 2, "logicalCores": 2}
    assert sizes.items() <= wire["cpu"].items()
    assert not {"power", "link"} & wire.keys()
