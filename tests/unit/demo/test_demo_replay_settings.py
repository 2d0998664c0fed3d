"""The replayer's settings and its words."""

import pytest

from local.demo.replay import Settings, Tick


def test_settings_have_defaults_and_are_read() -> None:
    assert Settings.from_environment({}) == Settings(interval=60, changes=True, seed=None)
    given = {"DEMO_REPLAY_SECONDS": "0.5", "DEMO_REPLAY_CHANGES": "0", "DEMO_REPLAY_SEED": "0"}
    assert Settings.from_environment(given) == Settings(interval=0.5, changes=False, seed=0)


def test_a_setting_that_is_no_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="soon"):
        Settings.from_environment({"DEMO_REPLAY_SECONDS": "soon"})


def test_there_is_one_line_per_action_and_none_for_a_quiet_minute() -> None:
    assert Tick(released=0).lines() == []
    assert Tick(released=1200, household_id=7, product_id=9).lines() == [
        "released 1,200 purchases",
        "household 7 moved house",
        "product 9 left the catalogue",
    ]
