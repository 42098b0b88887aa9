"""What a prompt is when it has no subject of its own: a reference back, a wish for more or again.

Rules of form, as in `wishes`: what was spoken of before is the business of `dialogue`.
"""

import re
from collections.abc import Sequence

from kit.sandbox.library import Library
from kit.sandbox.phrases import PHRASES
from kit.sandbox.steps import Citation, Say, Turn

REFERS_BACK = re.compile(
    r"(?i)^\W*(?:and|but|so|also|then|(?:what|how)\s+about)\b|^\S{1,20}(?:은|는|도)\s*\?*$|^\w{1,30}\s*\?$|\b(?:it|its|that|this|they|them|their|those|these|he|him|his|"
    r"she|her|there|the\s+same)\b|^\W*(?:그리고|그럼|그러면|그런데|근데|그래서)\s|"
    r"(?:^|\s)(?:그건|그게|그것|그걸|그거|그때|거기|그곳|그\s*사람|그의|그는|그녀|이건|이게|이것|저건|그\s*[가-힣]+)"
)
MORE = re.compile(
    r"(?i)\b(?:more(?!\s+(?:simpl|brief|concise|short))|else|continue|go\s+on|elaborate|expand|further|another)\b|"
    r"더\s(?!\s*(?:짧|간단|간략|쉽|쉬운|줄))|더$|계속|이어서|추가로|또\s*(?:뭐|다른|있)|그\s*밖에|다른\s*(?:것|내용)"
)
ANOTHER_FORM = re.compile(
    r"(?i)\b(?:short(?:er|en)?|brief(?:er|ly)?|long(?:er)?|simpl(?:er|ify|y)|reword|rephrase|"
    r"summari[sz]e|summary|sentences?|words?|lines?|bullets?|points?|list|table|concise(?:ly)?|"
    r"(?:in|to|into)\s+(?:korean|english))\b|"
    r"짧게|줄여|간단|간략|쉽게|쉬운|요약|정리|길게|문장|줄로|한마디|목록|항목|한국어로|영어로|한글로|영문으로"
)
AGAIN = re.compile(
    r"(?i)^\W*(?:(?:please|(?:can|could|would)\s+you)\s+)*"
    r"(?:(?:repeat|say|tell\s+me)\s+(?:that|it|this|yourself|(?:your|the)\s+(?:last\s+|previous\s+)?answer)"
    r"(?:\s+(?:again|once\s+more|one\s+more\s+time))?|repeat|come\s+again|what\s+did\s+you\s+(?:just\s+)?say|"
    r"once\s+more|one\s+more\s+time)(?:\W+please)?\W*$|"
    r"^\W*(?:방금\s*)?(?:(?:그거|그걸|그것|아까\s*답|앞의\s*답|마지막\s*답)\S*\s*)?다시\s*(?:한\s*번\s*)?"
    r"(?:말해|말씀해|들려|보여)\s*(?:줘|줘요|주세요|줄래)?\W*$"
)
LINK = re.compile(r"\(\[([^\]\n]*)\]\((https?://[^)\s]+)\)\)")
MISSES = tuple(text.split("{topic}")[0] for text in PHRASES["nothing"].values())


def asks_for_another_form(prompt: str) -> bool:
    """Whether a prompt without a subject wants the last answer shorter, listed, translated."""
    return bool(ANOTHER_FORM.search(prompt))


def is_miss(answer: str) -> bool:
    """Whether an earlier answer only said that nothing was found."""
    return answer.lstrip().startswith(MISSES)


def repeated(prompt: str, earlier: Sequence[Turn], library: Library) -> Say | None:
    """The last answer as it stood, its links cited again, when "repeat that" asks for it."""
    last = next((turn.text for turn in reversed(earlier) if turn.role == "assistant"), "")
    if not last or not AGAIN.match(prompt):
        return None
    links = [(link, library.page(link.group(2))) for link in LINK.finditer(last)]
    return Say(
        last, tuple(Citation(*link.span(), page.url, page.title) for link, page in links if page)
    )
