"""The capacity model: its laws for all values, and known values of textbooks."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from coursekit.capacity import Capacity, Measured, service_s

TIMES = some.floats(0.01, 100)
CAPACITIES = some.builds(Capacity, TIMES, some.integers(1, 8), some.just(0.0) | TIMES)
USERS = some.integers(1, 200)


@given(CAPACITIES, USERS)
def test_a_load_obeys_littles_law_and_the_bounds(model: Capacity, users: int) -> None:
    """Those who wait for an answer and those who think are all of them."""
    load = model.at(users)
    assert load.answers_per_s * (load.response_s + model.think_s) == pytest.approx(users)
    assert load.answers_per_s <= model.most_answers_per_s(users) * (1 + 1e-9)
    assert load.response_s >= model.least_response_s(users) * (1 - 1e-9) - 1e-9
    assert load.response_s == model.service_s + load.wait_s


@given(CAPACITIES, some.integers(1, 60))
def test_one_more_user_never_helps_and_one_more_slot_never_harms(model: Capacity, users: int) -> None:
    load, more = model.at(users), model.at(users + 1)
    assert more.answers_per_s >= load.answers_per_s * (1 - 1e-9)
    assert more.response_s >= load.response_s * (1 - 1e-9)
    wider = Capacity(model.service_s, model.slots + 1, model.think_s)
    assert wider.at(users).response_s <= load.response_s * (1 + 1e-9) + 1e-9


@given(CAPACITIES)
def test_as_many_users_as_slots_never_wait(model: Capacity) -> None:
    assert model.at(model.slots).wait_s == 0
    assert model.most_users(0.0) >= model.slots


@given(CAPACITIES)
def test_a_crowd_gets_all_that_there_is(model: Capacity) -> None:
    crowd = math.ceil(20 * model.saturation_users) + 20
    if crowd < 3_000:
        assert model.at(crowd).answers_per_s == pytest.approx(model.slots / model.service_s, rel=1e-3)


@settings(deadline=None)
@given(some.builds(Capacity, some.floats(0.1, 10), some.integers(1, 4), some.floats(0, 20)), some.floats(0, 20))
def test_most_users_is_the_last_number_that_keeps_the_promise(model: Capacity, wait: float) -> None:
    users = model.most_users(wait)
    assert model.at(users).wait_s <= wait
    assert model.at(users + 1).wait_s > wait


def test_known_values() -> None:
    assert service_s(ttft_s=0.5, tpot_s=0.02, tokens=101) == pytest.approx(2.5)
    assert service_s(0.5, 0.02, 1) == 0.5
    assert Measured(2, 4.0, 80, (0.1, 0.2), (1.0, 1.0)).answers_per_s == 0.5


def test_values_of_textbooks() -> None:
    """One server, think and service of 1 s: Erlang's B formula gives the share in which it is idle."""
    one = Capacity(1.0, 1, 1.0)
    assert one.at(1).answers_per_s == pytest.approx(1 / 2)
    assert one.at(2).answers_per_s == pytest.approx(4 / 5)
    assert one.at(3).answers_per_s == pytest.approx(15 / 16)
    assert one.saturation_users == 2
    assert Capacity(1.0, 3, 4.0).saturation_users == 15
    # Two servers and three customers: 1, 3, 3, 3/2 are the weights of 0 to 3 in the system.
    assert Capacity(1.0, 2, 1.0).at(3).answers_per_s == pytest.approx((3 + 2 * 3 + 2 * 1.5) / 8.5)
    nobody_thinks = Capacity(2.0, 2).at(6)
    assert (nobody_thinks.answers_per_s, nobody_thinks.response_s, nobody_thinks.wait_s) == (1.0, 6.0, 4.0)


@pytest.mark.parametrize("values", [(0.0, 1, 1.0), (-1.0, 1, 1.0), (1.0, 0, 1.0), (1.0, 1, -1.0), (math.inf, 1, 1.0)])
def test_what_makes_no_sense(values: tuple[float, int, float]) -> None:
    with pytest.raises(ValueError, match="capacity needs"):
        Capacity(*values)


def test_neither_does_this() -> None:
    with pytest.raises(ValueError, match="one user"):
        Capacity(1.0).at(0)
    for wait in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="seconds"):
            Capacity(1.0).most_users(wait)
