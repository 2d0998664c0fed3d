"""The contenders that conform JSON lines make the same rows of them."""

from pathlib import Path

from bench import conform_child, documents


def test_loop_and_engine_make_the_same_rows(tmp_path: Path):
    parts = documents.land(tmp_path, 2000)
    lake = documents.lake(tmp_path)
    loop = conform_child.loop(lake, tmp_path, parts)
    ours = conform_child.ours(lake, tmp_path, parts)
    assert loop["rows"] == ours["rows"] == 2000
    rows = list(conform_child.rows_of(lake, ours["keys"]))
    assert rows == list(conform_child.rows_of(lake, loop["keys"]))
    assert rows[0]["tags"] is not None
    assert conform_child.arrow(lake, tmp_path, parts)["rows"] == 2000
