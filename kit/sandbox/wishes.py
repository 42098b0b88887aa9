"""How a prompt wants its answer: word for word, in so many sentences, in which language.

Every rule here is one of form. What the answer is about is none of this module's business.
"""

import re
from dataclasses import dataclass

from kit.sandbox.words import language, tokens

NUMBERS = {
    **{"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8},
    **{"nine": 9, "ten": 10, "single": 1, "a": 1, "couple": 2, "few": 3},
    **{"한": 1, "두": 2, "세": 3, "네": 4, "다섯": 5, "여섯": 6, "일곱": 7, "여덟": 8, "열": 10},
}
NUMBER = r"(\d{1,3}|" + "|".join(sorted(NUMBERS, key=len, reverse=True)) + r")"


@dataclass(frozen=True, slots=True)
class Shape:
    """The length and form that were asked for; None where nothing was."""

    sentences: int | None = None
    bullets: int | None = None
    words: int | None = None
    short: bool = False
    long: bool = False


SHAPES = (
    (
        "bullets",
        rf"(?i)\b{NUMBER}\s+(?:\w+\s+)?(?:bullets?|(?:bullet|key)\s+points?|points|facts)\b",
    ),
    ("bullets", rf"(?:핵심\s*)?{NUMBER}\s*(?:가지|개(?:의)?\s*(?:항목|요점|핵심|불릿)|개로)"),
    ("sentences", rf"(?i)\b{NUMBER}[\s-]+(?:\w+\s+)?(?:sentences?|lines?|liner)\b"),
    ("sentences", rf"{NUMBER}\s*(?:문장|줄|마디)"),
    ("words", rf"(?i)\b{NUMBER}\s+words?\b|(\d{{1,3}})\s*단어"),
)  # fmt: skip
BULLETS = re.compile(
    r"(?i)\bbullet(?:s|ed| points?)?\b|\b(?:as|in)\s+a\s+list\b|목록으로|불릿|항목별"
)
SHORT = re.compile(
    r"(?i)\b(?:briefly|in short|short answer|in brief|concise(?:ly)?|tl;?dr|one-liner|"
    r"shorter|shorten|briefer)\b|"
    r"간단히|간단하게|간략|짧게|줄여|한마디로|요점만"
)
LONG = re.compile(
    r"(?i)\b(?:in detail|detailed|thorough(?:ly)?|at length|long answer|comprehensive|"
    r"everything|longer)\b|"
    r"자세히|자세하게|상세|길게|깊이"
)


def shape_of(text: str) -> Shape:
    """The form a prompt (or the instructions) asks for."""
    found: dict[str, int] = {}
    for kind, pattern in SHAPES:
        if kind not in found and (match := re.search(pattern, text)):
            found[kind] = _number(next(group for group in match.groups() if group))
    if "bullets" not in found and BULLETS.search(text):
        found["bullets"] = 4
    return Shape(
        sentences=found.get("sentences"),
        bullets=found.get("bullets"),
        words=found.get("words"),
        short=bool(SHORT.search(text)),
        long=bool(LONG.search(text)),
    )


def _number(text: str) -> int:
    value = int(text) if text.isdigit() else NUMBERS[text.lower()]
    return max(1, min(value, 100))


WANTED = (
    ("ko", re.compile(r"(?i)\b(?:in|into|to|use)\s+korean\b|한국어로|한국말로|우리말로|한글로")),
    ("en", re.compile(r"(?i)\b(?:in|into|to|use)\s+english\b|영어로|영문으로")),
)


def language_wanted(prompt: str, instructions: str = "") -> str:
    """`ko` or `en`: as the prompt says, as the instructions say, else as the prompt is written."""
    for text in (prompt, instructions):
        for code, pattern in WANTED:
            if pattern.search(text):
                return code
    return language(prompt)


VERB = r"(?:reply|respond|answer|say|return|output|print|write|type|echo|repeat|send|give)"
ONLY = r"(?:exactly|only|just|literally|verbatim|nothing\s+but|solely)"
THING = (
    r"(?:the\s+)?(?:(?:exact|single|one|following|literal)\s+)*"
    r"(?:words?|text|phrase|string|message)"
)
QUOTED = r"[\"“'‘`「『]+(?P<x>[^\"”’`」』\n]{1,400}|[^\"”`」』\n]{1,400}?)[\"”'’`」』]+"
OPENING = (
    r"(?is)(?:^|[.!?\n]\s*)(?:please\s+|now\s+|just\s+|simply\s+|always\s+|you\s+must\s+|must\s+)*"
)
AFTER_COLON = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{OPENING}{VERB}\b(?P<how>[^:\n\"“'`]{{0,60}}\b(?:{ONLY}|{THING}|following|me|back)\b"
        r"[^:\n\"“'`]{0,40}):\s*(?P<x>\S.*)$",
        rf"{OPENING}(?P<how>echo|repeat|say|print|output)\s*:\s*(?P<x>\S.*)$",
        r"(?s)(?P<how>(?:다음|아래)[^\n:：]{0,30}(?:그대로|똑같이|정확히)[^\n:：]{0,25})[:：]\s*(?P<x>\S.*)$",
        r"(?s)(?P<how>(?:따라|반복)\s*(?:말)?해[^\n:：]{0,8})[:：]\s*(?P<x>\S.*)$",
        r"(?s)(?P<how>(?:정확히|그대로|이렇게만|다음만)\s*(?:답|대답|말|출력|응답|회신)[^\n:：]{0,14})[:：]"
        r"\s*(?P<x>\S.*)$",
    )
)  # fmt: skip
VERBATIM = re.compile(
    r"(?i)exactly|verbatim|literally|following|\bexact\b|echo|repeat|정확히|그대로|똑같이|따라"
)
IN_SENTENCE = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{OPENING}{VERB}\b[^:\n\"“'`]{{0,60}}?{QUOTED}",
        rf"{OPENING}(?:just\s+)?{VERB}(?:\s+back)?(?:\s+with)?\s+"
        rf"(?:{ONLY}\s+(?:with\s+)?(?:{THING}\s+)?|{THING}\s+)(?P<x>[^\n:]{{1,80}})$",
        rf"{OPENING}{VERB}\s+(?:with\s+)?(?P<x>[^\n:]{{1,60}}?),?\s+(?:and|but)\s+"
        r"(?:nothing|no\s+more|only\s+that)[^\n]*$",
        rf"{QUOTED}\s*(?:이라고만|라고만|이라고|라고|이라|으로만|로만|만|을|를)?\s*"
        r"(?:정확히\s*|그대로\s*|딱\s*)?(?:답|대답|말|출력|응답|써|적|회신|반복|인쇄)",
        r"(?:^|[.!?\n]\s*)(?:다른\s*말\s*없이\s*)?(?:정확히|딱|오직|단지|그냥|반드시)?\s*"
        r"(?P<x>[^\s.!?\n:][^\n:]{0,40}?)\s*(?:이라고만|라고만|이라고|라고|으로만|로만|만)\s*"
        r"(?:정확히\s*|짧게\s*)?(?:답|대답|말해|말하|출력|응답|써\s|적어|회신)",
    )
)  # fmt: skip
NOT_LITERAL = re.compile(
    r"(?i)^(?:in|as|with|to|by|about|from|using|if|whether|what|when|who|how|why|which|where|for|"
    r"an?\s+\S+\s+\S|one\s+(?:sentence|word|line|paragraph)|yes\s+or\s+no|true\s+or\s+false|the\s+(?:answer|"
    r"name|number|result|year|code|value|following|json)|json|valid|markdown|bullet|your|my|me\b|"
    rf"{NUMBER}\s+(?:\w+\s+)?(?:words?|sentences?|lines?|bullets?|points?|paragraphs?))\b|"
    r"^(?:한국어|영어|한글|한\s*줄|한\s*문장|한\s*단어|\d+\s*(?:문장|줄|단어)|짧게|간단히|예\s*또는|숫자|이름|json|"
    r"결과|답|표|존댓말|반말|그것|이것|뭐|무엇|누가|왜|마크다운|하나)"
)
TAIL = re.compile(
    r"(?i)[\s,.]*(?:(?:and|but|with)\s+)?(?:nothing\s+(?:else|more)|no\s+other\s+(?:words?|text)|"
    r"no\s+more|please|without\s+\w+(?:\s+\w+){0,2}|다른\s*말(?:은)?\s*(?:없이|하지\s*마\S*))[\s.!]*$"
)


def exact_reply(prompt: str) -> str | None:
    """What to answer word for word, or None: "Reply with exactly: OK" wants "OK"."""
    prompt = prompt.strip()
    if len(prompt) > 2000:
        return None
    for pattern in AFTER_COLON:
        if match := pattern.search(prompt):
            text = _unquoted(TAIL.sub("", match["x"]).strip() or match["x"].strip())
            if VERBATIM.search(match["how"]) or not text.endswith("?"):
                return text
    for pattern in IN_SENTENCE:
        if (match := pattern.search(prompt)) and (literal := _literal(match["x"])):
            return literal
    return None


def _literal(text: str) -> str | None:
    """A literal that stands in a sentence: a full stop at its end is the sentence's."""
    text = TAIL.sub("", text.strip()).strip() or text.strip()
    unquoted = _unquoted(text)
    if unquoted != text:
        return unquoted
    if NOT_LITERAL.search(text) or text.endswith(("뭐", "무엇", "누구", "?")):
        return None
    one_sentence = re.fullmatch(r"[^.\n]+\.", text)
    return text[:-1] if one_sentence and len(tokens(text)) <= 6 else text


def _unquoted(text: str) -> str:
    quoted = re.fullmatch(r"[\"“'‘`「『]+([^\n]+?)[\"”'’`」』]+[.。]?", text)
    return quoted.group(1) if quoted else text


GREETING = re.compile(
    r"(?i)^\W*(?:say\s+|greet\s+me\W*)?(?:hi+|hello+|hey+|yo|howdy|greetings|good\s+(?:morning|afternoon|evening|day)|"
    r"안녕+(?:하세요|하십니까|히\s*계세요)?|하이|헬로|반가워요?|반갑습니다|여보세요)"
    r"(?:\s+(?:there|again|everyone|world|sandbox|bot|all|여러분))?[\s!.~?,ㅎㅋ:)😀-🙏]*(?:in\s+(?:exactly\s+)?\w+\s+words\W*)?"
    r"(?:how\s+are\s+you\b.*|how's\s+it\s+going\b.*|what's\s+up\b.*|반가워\S*|잘\s*지\S*)?$"
)
THANKS = re.compile(
    r"(?i)^\W*(?:(?:ok(?:ay)?|great|good|nice|cool|perfect|awesome)[\s,!.]*)*(?:thanks?(?:\s+you)?(?:\s+(?:so|very)\s+much|"
    r"\s+a\s+lot)?|thx|ty|cheers|bye|goodbye|see\s+you|고마워요?|고맙습니다|감사합니다|감사해요|땡큐|잘\s*가|수고\S*)[\s!.~ㅎㅋ:)]*$"
)
ABOUT_ITSELF = re.compile(
    r"(?i)\b(?:who|what)\s+(?:are|r)\s+(?:you|u)\b|\bwhat\s+can\s+(?:you|i)\s+(?:do|ask)\b|"
    r"\bwhat\s+(?:model|llm|ai)\s+(?:are\s+you|is\s+this)\b|\bare\s+you\s+(?:an?\s+)?(?:real|ai|chatgpt|gpt|llm|human|robot|language)|"
    r"\bwhat\s+do\s+you\s+know\b|\bintroduce\s+yourself\b|\bwhich\s+model\b|^\W*help\W*$|"
    r"(?:너|넌|너는|네|당신|당신은|니)\s*(?:는|은|가)?\s*(?:누구|뭐야|뭐니|뭘\s*할|무엇을\s*할|할\s*수|이름)|"
    r"뭘\s*(?:할\s*수|물어|알고)|무엇을\s*(?:할\s*수|물어)|자기\s*소개|어떤\s*모델|무슨\s*모델|^\W*도움말\W*$|"
    r"언어\s*모델이야|진짜\s*(?:AI|인공지능)"
)


def is_greeting(prompt: str) -> bool:
    return bool(GREETING.match(prompt.strip()))


CLAUSE = re.compile(r"(?i)[,.;!~…\n]+\s*|\s+[-–—]\s+|\s+(?:and|but)\s+")
THANKS_FOR = re.compile(
    r"(?i)^\W*(?:(?:ok(?:ay)?|great|good|nice|wow|oh|yes|well|many|huge|big)\s+)*(?:thanks?(?!\s+to\b)|thank\s+you|thx|"
    r"cheers|i\s+(?:really\s+)?appreciate)\b(?:\s+(?:you|so|very|really|much|a\s+lot|again|everyone|in\s+advance|"
    r"(?:for|that|this|your|the)\b.*))*\W*$|"
    r"(?:고마(?:워|웠)|고맙(?!겠)|감사(?:합|해|하(?!겠)|드(?!리겠)|했)|땡큐|수고\s*(?:하셨|했|많))\S*(?:\s+(?:정말|진짜|아주))?\W*$"
)
PRAISE = re.compile(
    r"(?i)\b(?:great|good|nice|helpful|useful|excellent|perfect|awesome|amazing|wonderful|interesting|brilliant|detailed|thorough|clear|"
    r"well\s+done|(?:enjoyed|loved|learned|helped|liked)\b)|"
    r"(?:잘|재미있게|즐겁게)\s*(?:읽|봤|보았|받|썼|쓰|됐|이해)|도움|좋(?:네|아|았|군|습)|자세하|유익|훌륭|최고|대단|재미있|"
    r"(?:정말|진짜|아주)$|^\W*(?:wow|oh|ok(?:ay)?|yes|well|와|오|네|아)\W*$"
)
LONGEST_THANKS = 200


def is_thanks(prompt: str) -> bool:
    """Whether a prompt gives thanks, or a goodbye, and says nothing else than why."""
    prompt = prompt.strip()
    if THANKS.match(prompt):
        return True
    if len(prompt) > LONGEST_THANKS or "?" in prompt:
        return False
    clauses = [clause for clause in CLAUSE.split(prompt) if re.search(r"\w", clause)]
    given = [clause for clause in clauses if THANKS_FOR.search(clause)]
    return bool(given) and all(one in given or PRAISE.search(one) for one in clauses)


def asks_about_itself(prompt: str) -> bool:
    return len(prompt) < 120 and bool(ABOUT_ITSELF.search(prompt))


BEYOND = (
    ("picture", r"(?i)\b(?:in|of|describe|see)\s+(?:this|the|that)\s+"
     r"(?:image|picture|photo|screenshot)\b|"
     r"(?:이|그|저|위)\s*(?:이미지|사진|그림)|사진에\s*(?:뭐|무엇)"),
    ("translate", r"(?i)\btranslat(?:e|ion)\b(?=.*(?:\binto\b|\bto\b|\bin\b|:|\"|'|\n))|"
     r"(?:번역|영작)(?:해|을|하)|(?:영어|한국어|일본어|중국어)로\s*(?:바꿔|옮겨)"),
    ("code", r"(?i)\b(?:write|create|generate|implement|code|fix|debug|refactor)\b.{0,40}"
     r"\b(?:code|function|"
     r"script|program|class|regex|query|sql|unit\s+tests?|python|javascript|bug)\b|"
     r"(?:코드|함수|스크립트|프로그램|쿼리|정규식)(?:를|을|도)?\s*(?:\S+\s*)?(?:짜|작성|만들|써|고쳐|구현)"),
    ("compose", r"(?i)\b(?:write|compose|draft|tell|make\s+up)\b.{0,25}"
     r"\b(?:poem|haiku|story|song|lyrics|essay|"
     r"joke|e-?mail|letter|tweet|slogan|limerick)\b|(?:시|소설|이야기|노래|가사|편지|이메일|농담|수필|에세이|표어)"
     r"(?:를|을)?\s*(?:하나\s*)?(?:한\s*편\s*)?(?:써|지어|작성|만들)|농담\s*(?:하나\s*)?(?:해|말)"),
)  # fmt: skip


def beyond(prompt: str) -> str | None:
    """What only a language model could do: `picture`, `translate`, `code`, `compose`; else None."""
    head = prompt[:400]
    return next((kind for kind, pattern in BEYOND if re.search(pattern, head)), None)
