"""The k best of a stream (csrc/best.c) take linear time whatever comes: comparisons are counted, not seconds."""

import re

import pytest
from standalone import has_compiler, linked, output


@pytest.mark.skipif(not has_compiler, reason="needs a C compiler called cc")
def test_comparisons(tmp_path):
    """Of rows in many orders, and of an adversary that makes every pivot a bad one; what is found is right, too."""
    said = output(linked(["cc"], tmp_path, [], "check_best", "-O1"))
    found = re.match(r"(\d+) selections: ([\d.]+) comparisons an item, of the adversary ([\d.]+)", said)
    selections, usual, worst = map(float, found.groups())
    assert selections > 200
    assert 1 <= usual < worst, "the adversary is one"
