"""The first line of `%%chat` and `%%responses`: what it means, and what is said when wrong."""

import pytest

import kit
from kit.errors import InputError
from kit.notebook.arguments import manual, parse, parse_research, spare_modules
from kit.notebook.options import options_of


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", {}),
        ("-m gpt", {"model": "gpt"}),
        ("--model gpt", {"model": "gpt"}),
        ("--model=gpt", {"model": "gpt"}),
        ("-m openai/gpt:latest", {"model": "openai/gpt:latest"}),
        ("-s 'Answer in verse.'", {"system": "Answer in verse."}),
        ('-s "It\'s short."', {"system": "It's short."}),
        ('--system="한국어로 답해"', {"system": "한국어로 답해"}),
        ("-s “간결하게 답해”", {"system": "간결하게 답해"}),
        ("-s ‘간결하게 답해’", {"system": "간결하게 답해"}),
        (r'-s "say \"hi\""', {"system": 'say "hi"'}),
        ("-s {{name}}", {"system": "{{name}}"}),
        ("-s don't", {"system": "don't"}),
        ('-s "-m"', {"system": "-m"}),
        (r"--file C:\data\new.csv", {"files": (r"C:\data\new.csv",)}),
        ('--file "my report.pdf" --file b.pdf', {"files": ("my report.pdf", "b.pdf")}),
        ("--image plot --image b.png", {"images": ("plot", "b.png")}),
        ("-o result", {"out": "result"}),
        ("-o 결과", {"out": "결과"}),
        ("--max-tokens 50 --timeout 2.5", {"max_tokens": 50, "timeout": 2.5}),
        ("--effort high", {"effort": "high"}),
        ("--web-search --background", {"web_search": True, "background": True}),
        ("-c -q --no-stream", {"continues": True, "quiet": True, "no_stream": True}),
        ("-f code", {"format": "code"}),
        ("-m a -m b", {"model": "b"}),
        ("x <<", {"assigned": "x", "quiet": True}),
        ("x = <<", {"assigned": "x", "quiet": False}),
        ("x=<< -m gpt", {"assigned": "x", "quiet": False, "model": "gpt"}),
        ("  답 << -m gpt", {"assigned": "답", "quiet": True, "model": "gpt"}),
        ("x<<", {"assigned": "x", "quiet": True}),
        ("x = << -q", {"assigned": "x", "quiet": True}),
        ("--nonsense --help", None),
        ("-h", {"help": True}),
    ],
)
def test_a_line_is_read(line, expected):
    if expected is None:
        with pytest.raises(InputError):
            parse("responses", line)
        return
    command = parse("responses", line)
    assert {name: getattr(command, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("api", "line", "says"),
    [
        ("chat", "--modle x", "unknown option --modle; did you mean --model? %%chat takes: -m"),
        ("chat", "--mod x", "did you mean --model?"),
        ("chat", "--zzz", "unknown option --zzz; %%chat takes:"),
        ("chat", "--web-search", "--web-search is an option of %%responses"),
        ("chat", "--background", "--background is an option of %%responses"),
        ("chat", "-m", "-m needs a value: -m NAME"),
        ("chat", "-m -q", "-m needs a value: -m NAME"),
        ("chat", "-s be terse", "a value with spaces in it into quotes"),
        ("chat", "--tools a b -q", "by commas, without blanks: --tools a,b"),
        ("chat", "--tools a, b,c d", "by commas, without blanks: --tools a,b,c,d"),
        ("chat", "--tools a , b", "by commas, without blanks: --tools a,b"),
        ("chat", "--tools a <<", "`<<` stands in front"),
        ("chat", "--tools a -q b", "the prompt goes on the lines below"),
        ("chat", "--effort hgih", "--effort hgih: did you mean high?"),
        ("chat", "--effort medum", "--effort medum: did you mean medium?"),
        ("chat", "--effort High", "--effort High: did you mean high?"),
        ("chat", "hello", "the prompt goes on the lines below"),
        ("chat", '-s "open', 'A quote is never closed: "open'),
        ("chat", "-s “열린", "A quote is never closed"),
        ("chat", "--max-tokens many", "needs a whole number above 0, not 'many'"),
        ("chat", "--max-tokens 0", "needs a whole number above 0"),
        ("chat", "--timeout nan", "needs a number of seconds above 0"),
        ("chat", "--timeout -1", "needs a number of seconds above 0"),
        ("chat", "-f html", "there are markdown, text, json, code"),
        ("chat", "-o 1x", "'1x' cannot be the name of a variable"),
        ("chat", "-o class", "'class' cannot be the name of a variable"),
        ("chat", "--model=", "--model needs a value that is not empty"),
        ("chat", "--quiet=yes", "--quiet is a switch and takes no value"),
        ("chat", "a.b <<", "'a.b' cannot be the name of a variable"),
        ("chat", "<< -m x", "needs a name in front of it"),
        ("chat", "-m x y <<", "does not know what to do with 'y'"),
        ("responses", "--background -f code", "nothing to show"),
    ],
)
def test_a_wrong_line_is_one_line_that_says_what_there_is(api, line, says):
    with pytest.raises(InputError) as caught:
        parse(api, line)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("form", ["-o {}", "{} <<", "{} = <<"])
@pytest.mark.parametrize(
    "name",
    [
        "In",
        "Out",
        "__builtins__",
        "__x",
        "get_ipython",
        "exit",
        "quit",
        "_",
        "__",
        "___",
        "_1",
        "_12x",
        "_i",
        "_ii",
        "_i3",
        "_oh",
    ],
)
def test_names_of_the_notebook_itself_are_refused(form, name):
    with pytest.raises(InputError) as caught:
        parse("chat", form.format(name))
    assert f"{name} belongs to the notebook itself" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", ["-o {}", "{} <<", "{} = <<"])
@pytest.mark.parametrize("name", ["print", "len", "list", "id", "ValueError", "open"])
def test_names_of_python_itself_are_refused(form, name):
    """Who loses `print` finds out many cells later."""
    for read in (lambda line: parse("chat", line), parse_research):
        with pytest.raises(InputError) as caught:
            read(form.format(name))
        option = "-o" if form.startswith("-o") else "<<"
        assert (
            str(caught.value) == f"{option}: {name} belongs to Python itself; choose another name."
        )


@pytest.mark.parametrize(("form", "option"), [("-o {}", "-o"), ("{} <<", "<<"), ("{} = <<", "<<")])
def test_a_name_that_holds_a_module_is_refused(form, option):
    variables = {"kit": kit, "answer": 1}
    for read in (lambda line: parse("chat", line), parse_research):
        spare_modules(read(form.format("answer")), variables)
        spare_modules(read(form.format("new")), variables)
        with pytest.raises(InputError) as caught:
            spare_modules(read(form.format("kit")), variables)
        assert str(caught.value) == (
            f"{option}: kit is the name of a module you imported; choose another name."
        )


@pytest.mark.parametrize("name", ["Input", "_answer", "out", "exit_code", "_index", "i"])
def test_other_names_take_an_answer(name):
    assert parse("chat", f"-o {name}").out == name


@pytest.mark.parametrize("level", ["high", "none", "max", "xlow", "higher", "very-high", "auto"])
def test_a_level_that_is_no_slip_is_passed_on(level):
    assert parse("chat", f"--effort {level}").effort == level


def test_abbreviated_options_are_refused():
    """An option added later could change what an abbreviation means."""
    for option in options_of("responses"):
        with pytest.raises(InputError):
            parse("responses", f"{option.long[:-1]} x")


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_the_help_has_a_line_for_every_option_and_only_those(api):
    text = manual(api)
    for option in options_of(api):
        assert f"  {', '.join(option.names)}" in text
    assert ("--web-search" in text) == (api == "responses")


@pytest.mark.parametrize("magic", ["chat", "responses", "research"])
def test_the_help_lists_the_values_there_are(magic):
    text = manual(magic)
    for option in options_of(magic):
        assert " | ".join(option.choices) in text
