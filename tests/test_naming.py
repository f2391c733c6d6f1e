"""A name is found in a text whatever stands beside it, and nothing that only looks like it is."""

import json

import pytest

from features.naming import Names, likely_in

NAMES = Names(["customer:anna", "phone:+12024561111", "email:anna@x.de"])
SPOKEN = (
    "Call the neighbour:\n+12024561111", "tel:+12024561111", "+12024561111/+12024562222", "Is it +12024561111?",
    "nr.=+12024561111", "Phone:+12024561111", "연락처+12024561111로", "mailto:anna@x.de", "Anna@X.de|b", "anna@x.de로",
    "first\ncustomer:anna", "Ok.customer:anna", "customer:anna? Yes", "customer:anna: rang", "\n-customer:anna!",
)  # fmt: skip
OTHERS = ("customer:anna-2", "customer:annab", "+120245611112", "jo.anna@x.de", "joanna@x.de", "anna@x.de.org")


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("text", SPOKEN)
def test_a_name_is_found_whatever_stands_beside_it(text: str, ascii_only: bool):
    for told in (text, json.dumps({"note": text}, ensure_ascii=ascii_only), json.dumps({text: []})):
        assert NAMES.within(told)
        assert NAMES.within_bytes(told.encode())
        assert not NAMES.within(NAMES.without(told))
        assert likely_in(told) & NAMES.references


@pytest.mark.parametrize("text", OTHERS)
def test_a_name_that_only_starts_or_ends_like_theirs_stays(text: str):
    told = json.dumps({"note": f"a\n{text}"})
    assert NAMES.without(told) == told
