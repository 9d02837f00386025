"""mambaamqp.access.patterns: what people write is accepted, what could search for ever is not."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mambaamqp.access.patterns import PATTERN_CHARACTERS_MAX, WAYS_MAX, compile_pattern, ways
from mambaamqp.errors import ConfigError

USUAL = [
    "",
    ".*",
    "^$",
    "^.*$",
    r"^orders\..*",
    "^(orders|billing)-",
    r"^orders(\.[a-z]+)*$",
    r"^([a-z]+\.)+[a-z]+$",
    r"^[a-z]+\.[a-z]+\.[a-z]+\.[a-z]+$",
    r"^(?!amq\.).*$",
    "^(?!.*secret).*$",
    ".*a.*b.*",
    r"^(amq\.gen.*|amq\.default)$",
    r"(?i)^celery(ev)?\..*|^celery$|^[^.]+\.celery\.pidbox$|.*\.reply\.celery\.pidbox",
    r"^tenant-[0-9]{1,6}-.+",
    r"^(?:[a-z0-9]++-?)++$",
]

RUINOUS = [
    "(a+)+b",
    "^(a|a)*$",
    "(a|aa)+$",
    "(.*)*x",
    r"(\w+\s?)*$",
    "(x+x+)+y",
    "a?" * 30 + "a" * 30,
    "(a?){30}a{30}",
    "(a{1,100}){1,100}",
    ".*a.*b.*c.*d",
    "(|a)+b",
    "^(?=(a+)+b)",
    "^(?>(a+)+b)",
    "(?i)(kx|\u212ax)+y",
    "([^.]|[a-z])*x",
]


@pytest.mark.parametrize("pattern", USUAL)
def test_usual_patterns_are_accepted(pattern: str) -> None:
    """What administrators write, the patterns of RabbitMQ's guides among it."""
    assert compile_pattern(pattern).pattern == (pattern or "^$")


@pytest.mark.parametrize("pattern", RUINOUS)
def test_ruinous_patterns_are_refused(pattern: str) -> None:
    """CVE-2026-66074, 67413, 67240: no client's name may keep the broker searching."""
    with pytest.raises(ConfigError, match="could search for minutes"):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(", "is not a regular expression"),
        ("*", "is not a regular expression"),
        ("a{99999999999999}", "is not a regular expression"),
        ("(" * 500 + ")" * 500, "is not a regular expression|could search"),
        ("x" * (PATTERN_CHARACTERS_MAX + 1), "longer than 1024 characters"),
        ("(?m)^a$", "flag m is refused"),
    ],
)
def test_what_cannot_be_used_is_refused(pattern: str, text: str) -> None:
    """A pattern that cannot be compiled is an error at start, never a decision at run time."""
    try:
        compile_pattern(pattern)
    except ConfigError as error:
        assert re.search(text, str(error))
    else:
        assert pattern.startswith("((("), "only deep nesting may be within what `re` can do"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("^a", 1),
        ("a", 255),
        ("^a*b", 1),
        ("^a*a", 256),
        ("^a?a", 2),
        ("^(?:ab|ac)c", 1),
        ("^(?:[ab]c|[bd]c)", 2),
        ("^a*a*+b", 256),
        (r"^a\b.*x", 256),
        (r"^(a)(?(1)b*b|c)", 257),
        ("^[a-é]*é", 256),
        (r"^[^.]*\.", 1),
        (r"^[^-.]*\.", 1),
        ("^(?>a*)*b", 16777216000),
        ("^(?>ab)*c", 1),
    ],
)
def test_ways_multiply_add_and_vanish(pattern: str, expected: int) -> None:
    """The count by hand: a repetition that what follows may begin counts, another does not."""
    assert ways(pattern) == expected


@given(st.text("ab.*+?()[]|^$\\{}12,-:=!", max_size=30))
def test_any_text_is_judged(pattern: str) -> None:
    """Every text is either compiled within bounds or a ConfigError."""
    try:
        compile_pattern(pattern)
    except ConfigError:
        return
    assert ways(pattern) <= WAYS_MAX
