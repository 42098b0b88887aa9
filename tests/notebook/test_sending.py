"""What leaves the machine: the request that a cell makes."""

import base64

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="  # noqa: E501


def test_options_reach_the_gateway(kernel, dripping):
    kernel.run("%%chat -q -m other -s 'Be terse.' --effort low --max-tokens 9\nSay it briefly")
    (request,) = dripping.requests
    assert request["model"] == "other"
    assert request["reasoning_effort"] == "low"
    assert request["max_tokens"] == 9
    assert request["messages"] == [
        {"role": "system", "content": "Be terse."},
        {"role": "user", "content": "Say it briefly"},
    ]


def test_pictures_and_files_go_along(kernel, dripping):
    kernel.run(
        f"import base64\npixel = base64.b64decode({PIXEL!r})\n"
        "open('pixel.png', 'wb').write(pixel)\nopen('a note.txt', 'w').write('안녕')"
    )
    cell = kernel.run(
        "%%chat -q --image pixel --image pixel.png --file 'a note.txt'\nDescribe them briefly"
    )
    assert cell.error is None
    parts = dripping.requests[0]["messages"][0]["content"]
    pictures = [one["image_url"]["url"] for one in parts if one["type"] == "image_url"]
    assert pictures == [f"data:image/png;base64,{PIXEL}"] * 2
    (file,) = [one["file"] for one in parts if one["type"] == "file"]
    assert file["filename"] == "a note.txt"
    assert base64.b64decode(file["file_data"].partition(",")[2]).decode() == "안녕"
    kernel.run("import os; os.remove('a note.txt')")
    assert kernel.run("%%chat -q -c\nAgain, briefly").error is None
    assert dripping.requests[1]["messages"][0] == dripping.requests[0]["messages"][0]


def test_a_continued_cell_sends_what_was_said_and_keeps_system_and_model(kernel, dripping):
    kernel.run("%%chat -q -m first -s 'Be terse.'\nOne, briefly")
    kernel.run("%%chat -q -c\nTwo, briefly")
    kernel.run("%%chat -q -c -m last -s 'Be kind.'\nThree, briefly")
    second, third = dripping.requests[1:]
    said = {"role": "assistant", "content": "word word word word "}
    assert second["model"] == "first"
    assert second["messages"] == [
        {"role": "system", "content": "Be terse."},
        {"role": "user", "content": "One, briefly"},
        said,
        {"role": "user", "content": "Two, briefly"},
    ]
    assert third["model"] == "last"
    assert [one["content"] for one in third["messages"]] == [
        *("Be kind.", "One, briefly", said["content"]),
        *("Two, briefly", said["content"], "Three, briefly"),
    ]


def test_a_cell_without_continue_starts_anew(kernel, dripping):
    kernel.run("%%chat -q\nOne, briefly")
    kernel.run("%%chat -q\nTwo, briefly")
    assert len(dripping.requests[1]["messages"]) == 1


def test_a_frame_goes_in_part_and_the_cell_says_so(kernel, dripping):
    kernel.run("import pandas\nframe = pandas.DataFrame({'n': range(100_000)})")
    cell = kernel.run("%%chat\nSummarise {{frame}} briefly")
    assert len(dripping.requests[0]["messages"][0]["content"]) < 8_100
    (shown,) = cell.displays
    assert "{{frame}} was sent in part: the first 50 of 100,000 rows." in shown["text/plain"]
