from datetime import date

import pytest

from scanner.strict_yaml import load_yaml, show_value

# What is accepted


def test_plain_values_are_returned_as_yaml_means_them():
    """
    Text, numbers, booleans, dates, lists and mappings come back as such, and types are not judged.
    """
    source = b"a: text\nb: 1\nc: on\nd: 2026-12-31\ne: [1.5, ~]\nf: {g: '1'}\n"

    assert load_yaml(source) == {
        "a": "text",
        "b": 1,
        "c": True,
        "d": date(2026, 12, 31),
        "e": [1.5, None],
        "f": {"g": "1"},
    }


def test_one_key_in_two_mappings_is_no_repetition():
    """
    What may not appear twice is a key of one mapping.
    """
    assert load_yaml(b"- {a: 1}\n- {a: 2}\n") == [{"a": 1}, {"a": 2}]


# What is refused


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (b"a: 1\na: 2", "line 2: the key 'a' appears twice"),
        (b"x:\n  a: 1\n  'a': 2", "line 3: the key 'a' appears twice"),
        (b"x: 1\na: [", "line 2: while parsing a flow node expected the node content"),
        (b"a: 1\nb: 2026-02-30", "line 2: '2026-02-30' is no timestamp"),
        (b"a: !!int x", "line 1: 'x' is no int"),
        (b"a: !!float ''", "line 1: '' is no float"),
        (b"a: !!bool perhaps", "line 1: 'perhaps' is no bool"),
        (b"a: !!timestamp soon", "line 1: 'soon' is no timestamp"),
        (b"a: !unknown x", "line 1: could not determine a constructor for the tag '!unknown'"),
        (b"a: !!python/object/apply:os.system ['true']", "line 1: could not determine"),
        (b"? [a]\n: b", "line 1: while constructing a mapping found unhashable key"),
        (b"a: 1\n---\nb: 2", "line 2: expected a single document"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_a_fault_is_told_with_its_line(source, problem):
    """
    Damage, objects and values that are not what they look like are one refusal that says where.
    """
    with pytest.raises(ValueError, match=r"^not YAML: ") as caught:
        load_yaml(source)

    assert str(caught.value).startswith(f"not YAML: {problem}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("source", [b"a: *", b"a: *-admin", b"a: * # all", b"a: *nobody"])
def test_a_star_without_quotes_is_explained(source):
    """
    YAML reads a star as a reference to something else; whoever meant a pattern is told to quote it.
    """
    with pytest.raises(ValueError, match=r"text that begins with \* needs quotes$"):
        load_yaml(source)


@pytest.mark.parametrize(
    "source", [b"\xff\xfe\xfa", b"a: \xff", b"a: \x00", b"[" * 20_000, b"a: " + b"9" * 5000]
)
def test_what_has_no_line_is_refused_too(source):
    """
    Bytes that are no text, nesting without an end and numbers without measure end in the same way.
    """
    with pytest.raises(ValueError, match=r"^not YAML: ") as caught:
        load_yaml(source)

    assert len(str(caught.value)) < 500


# What messages show


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1.0, " (found 1.0)"),
        ("a\nb", r" (found 'a\nb')"),
        (None, " (found None)"),
        ("x" * 200, f" (found '{'x' * 79}...)"),
    ],
)
def test_a_value_is_shown_short_and_on_one_line(value, shown):
    """
    A message repeats what was found, as far as it fits.
    """
    assert shown == show_value(value)


@pytest.mark.parametrize(
    "value",
    [[1], {"a": 1}, date(2026, 1, 1), 1 << 20_000],
    ids=["list", "mapping", "date", "endless number"],
)
def test_what_has_no_short_form_is_not_shown(value):
    """
    A list can unfold to gigabytes, and a number of thousands of digits cannot be written at all.
    """
    assert show_value(value) == ""
