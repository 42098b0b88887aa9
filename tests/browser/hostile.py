"""Texts that attack the page that shows them, and the judge of that page.

An attack that succeeds sets `window.kitAttacked`, opens a dialog, fetches something, or puts an
element into the page that could. Each text has a word after it, which has to be seen.
"""

from __future__ import annotations

from tests.test_clean import HOSTILE

RUN = "window.kitAttacked=1"
PIXEL = "http://127.0.0.1:9/pixel.png"
OURS = [
    # what runs by itself
    f"<script>{RUN}</script>",
    f"<script src='data:text/javascript,{RUN}'></script>",
    f"<script type=module>{RUN}</script>",
    f"a <img src=x onerror={RUN}> b",
    f"<img src=data:, onerror='{RUN}'>",
    f"<svg onload={RUN}>",
    f"<svg><script>{RUN}</script></svg>",
    f"<svg><animate onbegin={RUN} attributeName=x dur=1s>",
    f"<details open ontoggle={RUN}>",
    f"<input autofocus onfocus={RUN}>",
    f"<video><source onerror={RUN}></video>",
    f"<style>@keyframes k{{}}</style><b style='animation:k 1s' onanimationstart={RUN}>x</b>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe>",
    f"<iframe src='javascript:parent.{RUN}'></iframe>",
    f"<object data='data:text/html,<script>parent.{RUN}</script>'></object>",
    f"<embed src='javascript:{RUN}'>",
    f"<math><mtext><table><mglyph><style><!--</style><img title='--&gt;<img src=1 onerror={RUN}>'>",
    f"<noscript><p title='</noscript><img src=x onerror={RUN}>'>",
    f"<template><img src=x onerror={RUN}></template>",
    f"<svg></p><style><a id='</style><img src=1 onerror={RUN}>'>",
    f"| a |\n|---|\n| <img src=x onerror={RUN}> |",
    f"- > 1. # <img src=x onerror={RUN}>",
    f"&lt;img src=x onerror={RUN}&gt; &#60;script&#62;{RUN}&#60;/script&#62;",
    f"<scr\x00ipt>{RUN}</scr\x00ipt>",
    # what a click would run
    f"[x](javascript:{RUN})",
    f"[x](data:text/html,<script>opener.{RUN}</script>)",
    f"<javascript:{RUN}>",
    f"[x]\n\n[x]: javascript:{RUN}",
    f"[https://bank.example](javascript:{RUN})",
    f"$\\href{{javascript:{RUN}}}{{x}}$",
    f"$$\\require{{html}}\\href{{javascript:{RUN}}}{{x}}$$",
    f"\\begin{{align}}\\href{{javascript:{RUN}}}{{x}}\\end{{align}}",
    f'https://ok.example/$" onmouseover={RUN} x="$',
    "<button data-commandlinker-command='apputils:reset'>x</button>",
    "<a data-commandlinker-command='runmenu:run-all' href='#'>x</a>",
    f"<form action='javascript:{RUN}'><input type=submit></form>",
    # what is fetched
    f"![x]({PIXEL}?secret)",
    f"![x][p]\n\n[p]: {PIXEL}",
    f"<img srcset='{PIXEL} 2x'><picture><source srcset='{PIXEL}'><img></picture>",
    f"<link rel=stylesheet href={PIXEL}><style>@import url({PIXEL});</style>",
    f"<p style='background:url({PIXEL})'>x</p>",
    f"<svg><image href={PIXEL} /><use href='{PIXEL}#x'/></svg>",
    f"<video poster={PIXEL}></video><audio src={PIXEL} autoplay></audio>",
    f"<meta http-equiv=refresh content='0;url={PIXEL}'><base href={PIXEL}>",
    f"<table background={PIXEL}><tr><td>x</table>",
    f"$\\style{{background:url({PIXEL})}}{{x}}$ $\\includegraphics{{{PIXEL}}}$",
    # what covers the page, or stands for something of it
    "<style>body{display:none}</style>",
    "<div style='position:fixed;inset:0;z-index:9999;background:red'>x</div>",
    "<img name=jupyterapp id=jupyterapp><form id=document><input name=cookie></form>",
    "a\u202egnp.exe\u202c b",
]
TEXTS = [*OURS, *HOSTILE]
OPEN = ("```", "~~~", "$$", "\\[", "\\begin")
"""What may swallow the texts after it."""

IN_A_LINE = f"<img src=x onerror={RUN}> " * 28_000  # a megabyte
A_TABLE = (
    f"| <img src=x onerror={RUN}> | b |\n|---|---|\n" + f"| [x](javascript:{RUN}) | y |\n" * 900
)


def together(texts: list[str], name: str) -> str:
    """One answer of many texts, those that swallow what follows last."""
    calm = [text for text in texts if not any(mark in text for mark in OPEN)]
    rest = [text for text in texts if text not in calm]
    return "\n\n".join(f"{text}\n\n{name}{number}." for number, text in enumerate(calm + rest))


ANSWERS = {
    "first": together(OURS, "first"),
    "more": together(HOSTILE, "more"),
    "line": f"{IN_A_LINE}\n\nlong1.",
    "table": f"{A_TABLE}\n\nlong2.",
}
"""What is answered to a prompt that names it."""

# Looks at every element that is put into an output, also one that is taken out again at once.
JUDGE = """() => {
  window.kitFound = [];
  window.alert = window.confirm = window.prompt = () => { window.kitAttacked = 'dialog'; };
  const TAGS = new Set(`script iframe frame frameset object embed form input textarea select button
    img image picture source video audio track link style meta base template svg math marquee dialog
    portal applet`.split(/\\s+/));
  const LOADS = new Set(`src srcset srcdoc action formaction ping background poster data name
    xlink:href data-commandlinker-command data-commandlinker-args`.split(/\\s+/));
  const bad = (node) => {
    const tag = node.localName;
    const own = tag.startsWith('mjx-') || node.closest('mjx-container');  // a formula
    // a panel's own controls stand beside what is shown of a model, never in it
    const ours = node.closest('.kit-widget') && !node.closest('.jp-RenderedHTMLCommon')
      && ['BUTTON', 'FORM', 'INPUT', 'SELECT', 'TEXTAREA'].includes(node.tagName);
    if (TAGS.has(tag) && !own && !ours) return `<${tag}>`;
    for (const { name, value } of node.attributes) {
      const wrong = name.startsWith('on') || LOADS.has(name)
        || (name === 'href' && !/^(https?:|mailto:|#)/i.test(value))
        || (name === 'style' && !own && /url\\(|position|@import|expression/i.test(value));
      if (wrong && !(own && name === 'data')) return `<${tag} ${name}=${value.slice(0, 80)}>`;
    }
    return '';
  };
  window.kitJudge = (root) => [root, ...root.querySelectorAll('*')].map(bad).filter(Boolean);
  new MutationObserver((changes) => {
    for (const { target, addedNodes } of changes) {
      if (!target.closest?.('.jp-OutputArea-output')) continue;
      for (const node of addedNodes)
        if (node.nodeType === 1) window.kitFound.push(...window.kitJudge(node));
    }
  }).observe(document.body, { childList: true, subtree: true });
}"""
