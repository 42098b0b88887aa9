"""The decoder against the WHATWG's rules, and against every way of cutting the bytes."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.errors import ProtocolError
from kit.gateway.sse import Decoder, Frame

BOM = b"\xef\xbb\xbf"


def decode(*chunks: bytes) -> list[Frame]:
    decoder = Decoder()
    return [frame for chunk in chunks for frame in decoder.feed(chunk)]


@pytest.mark.parametrize(
    ("content", "frames"),
    [
        (b"data: a\n\n", [Frame("a")]),
        (BOM + b"data: a\n\n", [Frame("a")]),
        (BOM + BOM + b"data: a\n\n", []),  # only one mark is dropped; the field has another name
        (b"data: a\n\n" + BOM + b"data: b\n\n", [Frame("a")]),
        (b"event: ping\n\n", []),
        (b"event: ping\n\ndata: a\n\n", [Frame("a")]),  # the name does not outlive its frame
        (b"event: a\nevent: b\ndata: x\n\n", [Frame("x", "b")]),
        (b"event:\ndata: x\n\n", [Frame("x")]),
        (b"id: 7\ndata: a\n\n\n: note\n\ndata: b\n\n", [Frame("a", id="7"), Frame("b", id="7")]),
        (b"id: 7\n\ndata: a\n\n", [Frame("a", id="7")]),
        (b"id: 7\ndata: a\n\nid\ndata: b\n\n", [Frame("a", id="7"), Frame("b")]),
        (b"id: 7\0\ndata: a\n\n", [Frame("a")]),
        (b"data: a\ndata: b\n\n", [Frame("a\nb")]),
        (b"data\ndata\n\n", [Frame("\n")]),
        (b"data\n\n", [Frame("")]),
        (b"data:\n\n", [Frame("")]),
        (b"data:a\n\ndata: a\n\ndata:  a\n\n", [Frame("a"), Frame("a"), Frame(" a")]),
        (b"data: a: b\n\n", [Frame("a: b")]),
        (b" data: a\n\n", []),
        (b"Data: a\n\n", []),
        (b"colour: red\ndata: a\n\n", [Frame("a")]),
        (b": ping\n\n: ping\n\n", []),
        (b"data: a\r\rdata: b\r\r", [Frame("a"), Frame("b")]),
        (b"data: a\r\n\r\ndata: b\n\r\n", [Frame("a"), Frame("b")]),
        (b"data: a", []),
        (b"data: a\n", []),
        (b"data: a\n\ndata: b\n", [Frame("a")]),
        (b"data: \xff\xfe\n\n", [Frame("\ufffd\ufffd")]),
        (
            "data: a\u2028b\u0085c\x0b\x0cd\x1c\n\n".encode(),
            [Frame("a\u2028b\u0085c\x0b\x0cd\x1c")],
        ),
        ("data: 짜장면 🌟\n\n".encode(), [Frame("짜장면 🌟")]),
        (b"", []),
        (b"\n\n\n", []),
    ],
)
def test_frames_are_what_the_standard_says(content: bytes, frames: list[Frame]) -> None:
    assert decode(content) == frames
    assert decode(*(content[at : at + 1] for at in range(len(content)))) == frames


@pytest.mark.parametrize(
    ("line", "retry"),
    [
        (b"retry: 10", 10),
        (b"retry: -5", None),
        (b"retry: 1.5", None),
        (b"retry:", None),
        ("retry: ٣".encode(), None),
        (b"retry: 99999999999999999999", None),
    ],
)
def test_retry_counts_only_as_ascii_digits(line: bytes, retry: int | None) -> None:
    decoder = Decoder()
    decoder.feed(line + b"\n")
    assert decoder.retry == retry


def test_a_frame_is_told_with_the_byte_that_ends_it() -> None:
    """A carriage return ends a line at once, not only when the next byte shows it stood alone."""
    decoder = Decoder()
    assert decoder.feed(b"data: a\r\n") == []
    assert decoder.feed(b"\r") == [Frame("a")]
    assert decoder.feed(b"\ndata: b\n\n") == [Frame("b")]


LINES = st.sampled_from(
    [
        *(b"data: a", "data: 가🌟".encode(), b"data:", b"data", b"data: \xff"),
        *(b"data: \xe2\x80\xa8\xc2\x85", b"event: e", b"id: 1", b"id", b"id: \0", b"retry: 5"),
        *(b": note", b"x: y", BOM, b"", b"", b""),
    ]
)
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])
STREAMS = st.builds(
    lambda start, lines, tail: start + b"".join(line + end for line, end in lines) + tail,
    st.sampled_from([b"", BOM]),
    st.lists(st.tuples(LINES, ENDS), max_size=20),
    st.sampled_from([b"", b"data: unfinished", b"\r"]),
)


@settings(max_examples=200, deadline=None)
@given(STREAMS, st.data())
def test_wherever_the_bytes_are_cut_the_frames_are_the_same(
    content: bytes, data: st.DataObject
) -> None:
    places = data.draw(st.lists(st.integers(0, len(content)), max_size=12).map(sorted))
    cuts = [0, *places, len(content)]
    pieces = [content[one:other] for one, other in itertools.pairwise(cuts)]
    assert decode(*pieces) == by_the_standard(content)


def by_the_standard(content: bytes) -> list[Frame]:
    """The standard's algorithm, word for word, on the whole text at once."""
    text = content.decode("utf-8", "replace").removeprefix("\ufeff")
    *lines, _ = re.split("\r\n|\r|\n", text)  # what no line end follows is no line
    frames: list[Frame] = []
    data, event, last_id = "", "", ""
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            if data:
                frames.append(Frame(data.removesuffix("\n"), event or "message", last_id))
            data, event = "", ""
        elif name == "data":
            data += value + "\n"
        elif name == "event":
            event = value
        elif name == "id" and "\0" not in value:
            last_id = value
    return frames


@pytest.mark.parametrize(
    "chunks",
    [
        [b"data: " + b"x" * 101],
        [b"data: ", *[b"x" * 10] * 11],
        [b"data: xxxxxxxxx\n"] * 12,
        [b"data: " + b"x" * 101 + b"\n\n"],
        [b"comment" * 20],
    ],
)
def test_a_frame_over_the_limit_is_refused_before_it_ends(chunks: list[bytes]) -> None:
    decoder = Decoder(max_frame_bytes=100)
    with pytest.raises(ProtocolError, match="more than 100 bytes"):
        for chunk in chunks:
            decoder.feed(chunk)


def test_the_limit_is_for_one_frame_and_not_for_the_stream() -> None:
    decoder = Decoder(max_frame_bytes=100)
    frames = [frame for _ in range(50) for frame in decoder.feed(b"data: " + b"x" * 90 + b"\n\n")]
    assert len(frames) == 50


def test_a_large_frame_in_small_pieces_takes_time_in_proportion_to_its_size() -> None:
    decoder = Decoder()
    decoder.feed(b"data: ")
    for _ in range(200_000):
        decoder.feed(b"xxxxxxxx")
    [frame] = decoder.feed(b"\n\n")
    assert len(frame.data) == 1_600_000
