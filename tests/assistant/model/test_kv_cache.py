"""Which slot a prompt runs in, and what of it is kept."""

from __future__ import annotations

import torch

from assistant.model.kv_cache import SlotPool, common_prefix
from assistant.model.runner import Slot
from tests.assistant.model import tiny

A = list(range(100, 140))
B = [1, 2, *range(200, 240)]


def fill(pool: SlotPool[Slot], ids: list[int]) -> Slot:
    """Run a prompt the way the engine does: take a slot, write what it lacks, advance."""
    slot = pool.take(ids)
    for position in range(slot.length, len(ids)):
        slot.data[..., position, :] = ids[position]
    slot.advance(ids[slot.length :])
    return slot


def holds(slot: Slot) -> bool:
    """Every counted position holds what its own token wrote."""
    return all(bool((slot.data[..., i, :] == token).all()) for i, token in enumerate(slot.ids))


def pool(slots: int = 2) -> SlotPool[Slot]:
    return SlotPool(lambda: Slot(tiny.config()), slots)


def test_typing_on_reuses_everything_before() -> None:
    slots = pool()
    first = fill(slots, A)
    again = slots.take([*A, 7])
    assert again is first
    assert again.length == len(A)


def test_the_same_prompt_leaves_one_token_to_run() -> None:
    slots = pool()
    fill(slots, A)
    assert slots.take(A).length == len(A) - 1


def test_deleting_text_truncates() -> None:
    slots = pool()
    fill(slots, A)
    slot = slots.take([*A[:30], 7])
    assert slot.length == 30
    assert holds(slot)


def test_another_document_gets_its_own_slot_and_both_stay_warm() -> None:
    slots = pool()
    fill(slots, A)
    fill(slots, B)
    assert slots.take([*A, 7]).length == len(A)
    assert slots.take([*B, 7]).length == len(B)


def test_the_least_recently_used_slot_gives_way() -> None:
    slots = pool(slots=2)
    fill(slots, A)
    fill(slots, B)
    fill(slots, [*A, 8])  # now B is the older one
    fill(slots, list(range(300, 320)))
    assert slots.take([*A, 8, 9]).length == len(A) + 1
    assert slots.take([*B, 7]).length == 0


def test_a_head_shared_with_another_document_is_copied() -> None:
    slots = pool()
    first = fill(slots, A)
    other = A[:10] + list(range(400, 440))
    slot = slots.take(other)
    assert slot is not first
    assert slot.length == 10
    assert holds(slot)
    assert slots.take([*A, 7]).length == len(A)


def test_with_every_slot_taken_the_oldest_may_be_the_best() -> None:
    slots = pool(slots=1)
    fill(slots, A)
    slot = slots.take(A[:10] + list(range(400, 440)))
    assert slot.length == 10
    assert holds(slot)


def test_an_abandoned_step_leaves_nothing_that_counts() -> None:
    slots = pool()
    slot = fill(slots, A)
    slot.data[..., len(A), :] = torch.nan  # written by a pass that was cancelled before the engine advanced
    assert slots.take([*A, 7]).length == len(A)
    assert holds(slot)


def test_clear_forgets_all() -> None:
    slots = pool()
    fill(slots, A)
    slots.clear()
    assert slots.take(A).length == 0


def test_common_prefix() -> None:
    assert common_prefix([], [1]) == 0
    assert common_prefix([1, 2, 3], [1, 2]) == 2
    assert common_prefix([1, 2, 3], [1, 9, 3]) == 1
