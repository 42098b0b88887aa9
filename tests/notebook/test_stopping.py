"""■: the request ends, what had arrived stays."""

import time


def has_words(cell):
    return any(one["text/plain"].count("word") >= 3 for one in cell.displays)


def test_stop_closes_the_request_and_keeps_the_text(kernel, dripping):
    cell = kernel.run("%%chat -o part\nTalk", stop_when=has_words)
    assert dripping.left.wait(60), "the gateway was not left"
    assert cell.error is not None
    assert cell.error["ename"] == "Interrupted"
    assert len(cell.error["traceback"]) == 1
    assert "kit.last and part" in cell.error["evalue"]
    (shown,) = cell.displays
    assert shown["text/plain"].startswith("word word word")
    assert "not finished: stopped" in shown["text/plain"]
    assert kernel.value("part is kit.last and part.text.startswith('word word word')")


def test_a_stopped_cell_is_continued_from_what_had_arrived(kernel, dripping):
    """`-c` means the last cell, and not one before it that went well."""
    kernel.run("%%chat\nTalk", stop_when=has_words)
    items = kernel.value("kit.notebook.session.current.conversation.items")
    assert [one["role"] for one in items] == ["user", "assistant"]
    assert items[1]["content"].startswith("word word word")


def test_the_text_is_shown_while_it_grows_at_most_ten_times_a_second(kernel, dripping):
    began = time.monotonic()
    cell = kernel.run("%%chat\nTalk", stop_when=lambda cell: cell.updates >= 10)
    assert time.monotonic() - began >= 1  # a word comes each 20 ms; a slow machine takes longer
    assert cell.displays[0]["text/plain"].count("word") >= 10
    assert len(cell.displays) == 1


def test_stop_before_anything_arrived_says_so(kernel, dripping):
    kernel.run("kit.notebook.session.current.last = None")
    cell = kernel.run("%%chat --no-stream\nTalk", stop_when=lambda cell: bool(dripping.requests))
    assert cell.error is not None
    assert cell.error["ename"] == "Interrupted"
    assert "before anything had arrived" in cell.error["evalue"]
    assert cell.displays == []
    assert kernel.value("kit.last is None")
