"""Innocent texts: cleaning keeps what they say, and takes no longer than a person would wait."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

import html5lib
import pytest

from kit.clean import clean_html, clean_markdown
from tests.growth import assert_cheap

pytestmark = pytest.mark.once


def seen(html: str) -> str:
    """The text a reader sees, without any blanks."""
    tree = html5lib.parseFragment(html, treebuilder="etree", namespaceHTMLElements=False)
    return "".join("".join(tree.itertext()).split())


# Each: a name, what was written, the Markdown that comes out, parts of the HTML.
KEPT = [
    (
        "a sentence",
        "Plain words, nothing else.",
        "Plain words, nothing else.\n",
        ["<p>Plain words"],
    ),
    ("no text", "", "", []),
    ("emphasis", "*a* **b** ~~c~~ ***d***", "*a* **b** ~~c~~ ***d***\n", ["<s>c</s>"]),
    (
        "underscores",
        "_a_ __b__ snake_case_name",
        "*a* **b** snake_case_name\n",
        ["snake_case_name"],
    ),
    ("headings", "# One\n\nTwo\n---\n", "# One\n\n## Two\n", ["<h1>One</h1>", "<h2>Two</h2>"]),
    (
        "Korean",
        "**굵게** 쓴 한국어, `코드`와 [링크](https://예시.한국/길?질문=답)",
        "**굵게** 쓴 한국어, `코드`와 [링크](https://xn--vv4b11d.xn--3e0b707e/%EA%B8%B8"
        "?%EC%A7%88%EB%AC%B8=%EB%8B%B5)\n",
        ["<strong>굵게</strong>", "<code>코드</code>"],
    ),
    ("a list", "* one\n* two\n    * deep\n* three", "- one\n- two\n  - deep\n- three\n", ["<ul>"]),
    ("a loose list", "- one\n\n- two", "- one\n\n- two\n", ["<li>\n<p>one</p>"]),
    ("a numbered list", "3. three\n4. four", "3. three\n4. four\n", ['<ol start="3">']),
    ("two lists", "- a\n\n* b", "- a\n\n* b\n", ["</ul>\n<ul>"]),
    (
        "code in a list",
        "1. Run\n   ```bash\n   cd $HOME && ls\n   ```\n2. Done",
        "1. Run\n\n   ```bash\n   cd $HOME && ls\n   ```\n\n2. Done\n",
        ['class="language-bash"'],
    ),
    (
        "code",
        '```python\nif a < b and c > d:\n    print(f"{a}")\n```',
        '```python\nif a < b and c > d:\n    print(f"{a}")\n```\n',
        ['<code class="language-python">if a &lt; b and c &gt; d:\n    print(f"{a}")\n</code>'],
    ),
    (
        "code about HTML",
        '```html\n<script src="x.js"></script>\n```',
        '```html\n<script src="x.js"></script>\n```\n',
        ['&lt;script src="x.js"&gt;'],
    ),
    (
        "code about Markdown",
        "````md\n```js\nx\n```\n````",
        "````md\n```js\nx\n```\n````\n",
        ["```js"],
    ),
    ("indented code", "    a <b> c\n\n    d", "```\na <b> c\n\nd\n```\n", ["a &lt;b&gt; c\n\nd"]),
    (
        "code spans",
        "`Vec<T>` and ``a`b`` and `<div>`",
        "`Vec<T>` and ``a`b`` and `<div>`\n",
        ["<code>Vec&lt;T&gt;</code>", "<code>a`b</code>", "<code>&lt;div&gt;</code>"],
    ),
    (
        "a table",
        "a|b|c\n:-|-:|:-:\n1|2|3\n",
        "| a | b | c |\n| :--- | ---: | :---: |\n| 1 | 2 | 3 |\n",
        ['<th align="right">b</th>', '<td align="center">3</td>'],
    ),
    (
        "a table with pipes",
        "| a |\n|---|\n| x \\| y `p\\|q` |",
        "| a |\n| --- |\n| x &#124; y p&#124;q |\n",
        ["x | y <code>p|q</code>"],
    ),
    ("line breaks in a table", "| a |\n|---|\n| x<br>y |", "| a |\n| --- |\n| x y |\n", ["x<br>"]),
    ("line breaks", "a  \nb\\\nc<br/>d", "a\\\nb\\\nc\\\nd\n", ["a<br>", "b<br>", "c<br>"]),
    ("a quote", "> one\n> two\n>\n> > deep", "> one\n> two\n>\n> > deep\n", ["<blockquote>"]),
    ("a rule", "a\n\n***\n\nb", "a\n\n___\n\nb\n", ["<hr>"]),
    (
        "formulas",
        "$a_1 < b^*$ and $$\\frac{a}{b}$$",
        "$a_1 < b^*$ and $$\\frac{a}{b}$$\n",
        ["$a_1 &lt; b^*$", "$$\\frac{a}{b}$$"],
    ),
    (
        "formulas as models write them",
        "\\(x_1\\) and\n\n\\[\nx = y\n- z\n\\]",
        "$x_1$ and\n\n$$x = y - z$$\n",
        ["$x_1$", "<p>$$x = y - z$$</p>"],
    ),
    (
        "matrices",
        "$$\n\\begin{pmatrix}\na & b \\\\\nc & d\n\\end{pmatrix}\n$$",
        "$$\\begin{pmatrix} a & b \\\\ c & d \\end{pmatrix}$$\n",
        ["a &amp; b \\\\ c &amp; d"],
    ),
    (
        "prices",
        "It costs $5 and then $10.",
        "It costs &#36;5 and then &#36;10.\n",
        ['<span class="mathjax_ignore">$</span>5'],
    ),
    (
        "links",
        "[a](https://a.example/x_(y)?b=1&c=2#d 'title')",
        "[a](https://a.example/x_%28y%29?b=1&amp;c=2#d)\n",
        ['href="https://a.example/x_%28y%29?b=1&amp;c=2#d"'],
    ),
    (
        "links by reference",
        "[a][1]\n\n[1]: https://a.example",
        "[a](https://a.example)\n",
        ['rel="noopener noreferrer">a</a>'],
    ),
    (
        "bare addresses",
        "See https://a.example/x_y. (https://b.example/p)",
        "See [https&#58;//a.example/x_y](https://a.example/x_y). "
        "([https&#58;//b.example/p](https://b.example/p))\n",
        [">https://a.example/x_y</a>.", ">https://b.example/p</a>)"],
    ),
    (
        "mail",
        "<a.b@c.example>",
        "[a.b&#64;c.example](mailto:a.b@c.example)\n",
        ["mailto:a.b@c.example"],
    ),
    ("links on the page", "[top](#top)", "[top](#top)\n", ['href="#top"']),
    (
        "pictures",
        "![A cat](https://a.example/c.png)",
        "[A cat](https://a.example/c.png)\n",
        [">A cat</a>"],
    ),
    ("signs", "a < b & c > d * e # f | g ~ h ^ i = j @ k", None, ["a &lt; b &amp; c &gt; d"]),
    ("line starts", "a\n\\# b\n1\\. c\n\\- d\n\\> e", None, ["# b\n1. c\n- d\n&gt; e"]),
    (
        "citations",
        "As said [1], and [2][3].",
        "As said &#91;1&#93;, and &#91;2&#93;&#91;3&#93;.\n",
        ["[1]"],
    ),
    ("entities", "&copy; &mdash; &lt;b&gt;", "© — &lt;b&gt;\n", ["© — &lt;b&gt;"]),
    (
        "emoji and other scripts",
        "👩‍👩‍👧 עברית العربية ไทย",
        "👩‍👩‍👧 עברית العربية ไทย\n",
        ["👩‍👩‍👧"],
    ),
]


@pytest.mark.parametrize(
    ("written", "markdown", "parts"), [case[1:] for case in KEPT], ids=[case[0] for case in KEPT]
)
def test_what_is_innocent_is_kept(written: str, markdown: str | None, parts: list[str]) -> None:
    cleaned = clean_markdown(written)
    if markdown is not None:
        assert cleaned == markdown
    for part in parts:
        assert part in clean_html(written)
    assert clean_markdown(cleaned) == cleaned


@pytest.mark.parametrize("written", [case[1] for case in KEPT], ids=[case[0] for case in KEPT])
def test_both_forms_say_the_same(written: str) -> None:
    assert seen(clean_html(clean_markdown(written))) == seen(clean_html(written))


def test_unsafe_links_and_pictures_keep_their_words() -> None:
    written = "[click here](javascript:alert(1)) ![a chart](data:image/png;base64,AAAA) <b>bold</b>"
    assert seen(clean_html(written)) == "clickhereachart<b>bold</b>"
    assert clean_markdown(written) == "click here a chart &lt;b&gt;bold&lt;/b&gt;\n"


def test_hostile_tags_are_shown_as_what_they_are() -> None:
    assert seen(clean_html("<script>alert(1)</script>")) == "<script>alert(1)</script>"


MANY = 1_000_000
HEAVY = [
    *("a", "a ", "word ", "*", "*a ", "a**b", "_a_ ", "`", "`a", "[", "![", "[a](", "![a](b"),
    *("[a]: b\n", "<", "<a ", "<br>", "&", "&amp;", "\\", "$", "$a ", "$a$ ", "\\(", "|", "~~a"),
    *(">", "> ", "- ", "1. ", "- a\n", "# a\n", "\n", " ", "\t", "* * *\n", "```\n", "    a\n"),
    *("https://a.example ", "<https://a.example> ", "a@b.c ", "\u202e", "한", "|a", "]", "](", "("),
]


@pytest.mark.parametrize("piece", HEAVY)
def test_a_million_characters_take_no_time(piece: str) -> None:
    """Too much to be read is shown plainly, and at once."""
    for clean in (clean_html, clean_markdown):
        assert_cheap(partial(clean, piece * (MANY // len(piece))), 60)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("![" * 1_900, id="open pictures"),
        pytest.param("[" * 3_900, id="open brackets"),
        pytest.param("[" * 1_900 + "a" + "](b)" * 1_900, id="nested links"),
        pytest.param("*a _b **c " * 4_900, id="open emphasis"),
        pytest.param("|a" * 10_000 + "|\n" + "|-" * 10_000 + "|\n", id="a wide table"),
        pytest.param("|a|b\n|-|-\n" + "|c|d\n" * 3_900, id="a long table"),
        pytest.param("|a" * 4_000 + "\n" + "|-" * 4_000 + "\n" + "|b\n" * 15, id="short rows"),
        pytest.param("> " * 5_000 + "a", id="deep quotes"),
        pytest.param("- " * 5_000 + "a", id="deep lists on a line"),
        pytest.param("".join("  " * depth + "- a\n" for depth in range(500)), id="deep lists"),
        pytest.param(("> " * 50 + "a\n") * 900, id="deep quotes in many lines"),
        pytest.param(
            "".join("`" * length + "a" for length in range(1, 230)), id="runs of backticks"
        ),
        pytest.param("$" + "{" * 4_000 + "}" * 4_000 + "$", id="braces in a formula"),
        pytest.param("https://a.example/(" * 10_000, id="addresses with brackets"),
        pytest.param("https://a.example/" + ")" * 190_000, id="an address with many brackets"),
        pytest.param("https://a.example/" + ".,)" * 60_000, id="an address with a long tail"),
        pytest.param("[a](https://a.example/" + "é" * 100_000 + ")", id="a long address"),
    ],
)
def test_what_can_be_read_is_read_in_bounded_time(text: str) -> None:
    for clean in (clean_html, clean_markdown):
        assert_cheap(partial(clean, text), 60)


@pytest.mark.parametrize(
    "text", ["word " * 60_000, "> " * 200 + "deep", "[" * 5_000, "```\n" * 20_000]
)
def test_what_is_too_much_is_shown_plainly_and_whole(text: str) -> None:
    assert seen(clean_html(text)) == "".join(text.split())
    cleaned = clean_markdown(text)
    assert text in cleaned
    assert clean_markdown(cleaned) == cleaned
    assert clean_html(cleaned).count("<pre>") == 1


def test_importing_loads_neither_parser_nor_cleaner() -> None:
    """A kernel that never shows model text does not pay for reading it."""
    program = (
        "import sys, kit.clean, kit.settings;"
        "print([name for name in ('markdown_it', 'nh3', 'keyring', 'dotenv', 'platformdirs')"
        " if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
