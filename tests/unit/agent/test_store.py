"""What the agent keeps on disk, on disks that are full, read-only or damaged."""

from __future__ import annotations

import logging
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from skerry.api.attempt import Attempt
from skerry.api.edgenode import CandidateState, Veto
from skerry_agent import files, ledger
from skerry_agent.ledger import SLOT_BYTES, KeptVeto, Ledger
from skerry_agent.store import Kept, Store
from skerry_agent.trial.memory import Memory, NodeTrial

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

B = "bbbbbbbbbb"
KEY = "assist.intent"
AT = datetime(2026, 11, 30, tzinfo=UTC)
VETO = Veto(revision=B, attempt=0, rule="Errors", failure_time=AT)


def kept(*vetoes: Veto, models: int = 1, uid: str = "one") -> Kept:
    trial = NodeTrial(revision=B, attempt=0, state=CandidateState.SHIFTING)
    memory = Memory(uid=uid, trial=trial, vetoes=vetoes)
    return Kept(hardware_class="x86", memories={f"{KEY}{n or ''}": memory for n in range(models)})


@pytest.mark.parametrize(
    "damage",
    [
        b"\xff\xfe\x00 no text",
        b'{"hardware_class": "x8',
        b"[]",
        b'{"schema_version": 99}',
        b'{"memories": {"a.b": {"trial": {"state": "Unheard"}}}}',
        b'{"hardware_class": "x\xc3"}',
    ],
)
def test_a_damaged_file_is_set_aside_and_named(
    tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "state" / "agent.json"
    path.parent.mkdir()
    path.write_bytes(damage)
    with caplog.at_level(logging.ERROR):
        assert Store(tmp_path).load() == Kept()
    assert (tmp_path / "state" / "agent.json.bad").read_bytes() == damage
    assert "agent.json.bad" in caplog.text


def test_a_damaged_state_keeps_the_vetoes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.load()
    store.save(kept(VETO))
    store.path.write_bytes(b"\xff" * 100)
    assert Store(tmp_path).load().memories[KEY].vetoed(Attempt(B))


def test_files_are_the_agents_alone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.load()
    store.save(kept(VETO))
    modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "state").iterdir()}
    assert modes == {0}
    assert '"schema_version":1' in store.path.read_text()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a file system of 400 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", folder], check=False)
    if done.returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(disk: Path) -> None:
    """Write until nothing more fits."""
    with (disk / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1024))


def test_a_veto_survives_a_full_disk(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(small_disk)
    store.load()
    store.save(kept())
    fill(small_disk)
    many = kept(VETO, models=40)
    store.save(many)
    assert "agent" in store.trouble or "memory only" in store.trouble
    assert "the agent's state can't be written to disk" in caplog.text
    again = Store(small_disk).load()
    assert again.memories[KEY].vetoed(Attempt(B)), "the trial is as it was, and its Fail is known"
    assert not list(small_disk.glob("state/.*.new")), "no half file takes the last room"
    (small_disk / "filler").unlink()
    store._again_at = 0.0
    store.save(many)
    assert store.trouble == ""
    assert Store(small_disk).load().memories.keys() == many.memories.keys()


def test_a_read_only_disk_ends_nothing(small_disk: Path) -> None:
    store = Store(small_disk)
    store.load()
    store.save(kept())
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    store.save(kept(VETO))
    assert "memory only" in store.trouble
    assert Store(small_disk).load() == kept()


def test_a_disk_that_was_never_writable_ends_nothing(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    store = Store(small_disk)
    assert store.load() == Kept()
    store.save(kept(VETO))
    assert store.trouble


def entry(attempt: int, uid: str = "one") -> KeptVeto:
    return KeptVeto(key=KEY, uid=uid, veto=VETO.model_copy(update={"attempt": attempt}))


@pytest.mark.parametrize("torn", [0, 1, 40, 100, SLOT_BYTES // 2])
def test_a_write_that_the_power_cuts_leaves_the_one_before(tmp_path: Path, torn: int) -> None:
    path = tmp_path / "state" / "vetoes"
    book = Ledger(path)
    assert book.load() == ()
    book.save((entry(0),))
    before = path.read_bytes()
    book.save((entry(0), entry(1)))
    after = path.read_bytes()
    slot = next(at for at in (0, SLOT_BYTES) if before[at : at + 64] != after[at : at + 64])
    path.write_bytes(before[:slot] + after[slot : slot + torn] + before[slot + torn :])
    found = Ledger(path).load()
    assert found in {(entry(0),), (entry(1), entry(0)), (entry(0), entry(1))}
    assert entry(0) in found


def test_a_damaged_ledger_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "vetoes"
    path.write_bytes(b"\xff" * 2 * SLOT_BYTES)
    book = Ledger(path)
    assert book.load() == ()
    assert path.with_name("vetoes.bad").exists()
    book.save((entry(3),))
    assert Ledger(path).load() == (entry(3),)


def test_more_vetoes_than_fit_keep_the_newest(tmp_path: Path) -> None:
    book = Ledger(tmp_path / "vetoes")
    many = tuple(
        KeptVeto(
            key=f"n.model-{n}",
            uid="u" * 36,
            veto=VETO.model_copy(
                update={"failure_time": AT.replace(second=n % 60, minute=n // 60)}
            ),
        )
        for n in range(1000)
    )
    book.save(many)
    found = Ledger(book.path).load()
    assert 100 < len(found) < 1000
    assert found[0].key == "n.model-999"


def test_a_veto_of_an_earlier_model_of_the_name_is_not_taken(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.load()
    store.save(kept(VETO, uid="one"))
    store.path.write_text(kept(uid="two").model_dump_json())
    assert not Store(tmp_path).load().memories[KEY].vetoed(Attempt(B))


def test_a_rename_is_made_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(files, "sync_folder", synced.append)
    files.write_atomically(tmp_path / "a" / "b", "text")
    assert synced == [tmp_path / "a"]
    assert ledger.SLOTS == 2
