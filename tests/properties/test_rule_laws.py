"""Rules told together answer as rules told one by one, with terms or without, for one customer or a million."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from features.expressions import Expression, Vocabulary, compile_rule
from features.glossary import Term
from features.sheets import Sheet, inlined
from serving.audience import tell_all
from serving.flips import Flipper
from tests.desks import playbook

GLOSSARY = playbook().glossary
VOCABULARY = Vocabulary(
    {"churn.risk": 0.5, "features.spend_91": 1.0, "features.complaints_28": 1.0, "value.tier": ("top", "base")}
)
ATOMS = (
    "churn.risk >= 0.3", "churn.risk > 0.7", "features.spend_91 < 40", "(features.spend_91 ?? 0) >= 10",
    "features.complaints_28 == 0", "value.tier == 'top'", "value.tier in ['top', 'base']", "attributes.age == '35-44'",
    "attributes.age > 3", "context.topic != 'complaint'", "churn.risk == null",
)  # fmt: skip
KNOWN = st.fixed_dictionaries(
    {
        "churn.risk": st.sampled_from([None, 0.0, 0.3, 0.31, 0.7, 0.9]),
        "features.spend_91": st.sampled_from([None, 0.0, 9.99, 10.0, 40.0, 1e6]),
        "features.complaints_28": st.sampled_from([None, 0.0, 1.0, 5.0]),
        "value.tier": st.sampled_from([None, "top", "base"]),
        "attributes.age": st.sampled_from([None, "35-44", "4", ""]),
        "context.topic": st.sampled_from([None, "complaint", 3, True]),
    }
)


def rule(text: str, *terms: str) -> Expression:
    return compile_rule(text, VOCABULARY.plus(dict.fromkeys(terms, True)), "here")


@st.composite
def texts(draw: st.DrawFn, names: tuple[str, ...] = ()) -> str:
    parts = draw(
        st.lists(st.sampled_from([*ATOMS, *names, *(f"({name} ?? false)" for name in names)]), min_size=1, max_size=3)
    )
    joined = draw(st.sampled_from([" and ", " or "])).join(f"({part})" for part in parts)
    return f"not ({joined})" if draw(st.booleans()) else joined


@given(st.lists(texts(), max_size=6), KNOWN)
def test_a_sheet_tells_each_rule_as_it_would_be_told_alone(said: list[str], known: dict[str, Any]) -> None:
    rules = [rule(text) for text in said]
    assert Sheet(rules).tell(known) == [one.holds(known) for one in rules]


@given(texts(), texts(("first",)), texts(("first", "second")), KNOWN)
def test_a_rule_without_its_terms_means_the_same(first: str, second: str, third: str, known: dict[str, Any]) -> None:
    terms = {"first": rule(first), "second": rule(second, "first")}
    whole = rule(third, "first", "second")
    told = dict(known)
    for name, term in terms.items():
        told[name] = term.holds(told)
    plain = inlined(whole, terms)
    # A rule that zen can't tell is unknown either way; a term within it that zen can't tell makes all of it unknown.
    if all(told[name] is not None for name in terms):
        assert plain.holds(known) == whole.holds(told)
    assert not {word for word in plain.words if word in terms}


@given(st.lists(KNOWN, max_size=5))
def test_the_terms_of_many_are_those_of_each(everybody: list[dict[str, Any]]) -> None:
    terms = tuple(Term(f"t{place}", rule(text), {}) for place, text in enumerate(ATOMS))
    glossary = replace(GLOSSARY, terms=terms)
    columns = {word: [known[word] for known in everybody] for word in glossary.words}
    told = tell_all(glossary, columns, len(everybody))
    for place, known in enumerate(everybody):
        assert {name: told[name][place] for name in told} == glossary.tell(known)


@given(st.lists(texts(), min_size=1, max_size=4), KNOWN)
def test_what_flips_an_offer_lets_it_through_all_of_its_rules(said: list[str], known: dict[str, Any]) -> None:
    rules = [rule(text) for text in said]
    failing = [one for one in rules if one.holds(known) is not True]
    if not failing:
        return
    flip = Flipper(replace(GLOSSARY, terms=())).flip(rules, failing, known)
    if flip is not None:
        changed = {**known, **{change.word: change.needed for change in flip.changes}}
        assert all(one.holds(changed) for one in rules)
        assert all(known.get(change.word) == change.now for change in flip.changes)
        assert len({change.word for change in flip.changes}) == len(flip.changes)


@given(st.sampled_from(ATOMS), KNOWN)
def test_a_rule_of_one_comparison_always_has_a_flip(text: str, known: dict[str, Any]) -> None:
    one = rule(text)
    if one.holds(known) is not True and "null" not in text:
        flip = Flipper(replace(GLOSSARY, terms=())).flip([one], [one], known)
        assert flip is not None
        assert flip.say("en")
        assert flip.say("ko")
