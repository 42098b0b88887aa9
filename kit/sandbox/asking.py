"""What a prompt is about, once the words of asking are taken away.

"짜장면의 역사를 웹 검색으로 정리해줘" asks about 짜장면 and 역사; "search the web and tell me about
X" asks about X. The lists here hold words of asking and nothing of any subject.
"""

import re
from dataclasses import dataclass

from kit.sandbox.words import TOKEN, Word, bare, is_hangul, language, question_words

ENGLISH = """
a an the and or but if so of to in on at by for with from about into over as than then that this
these those it its it's is are was were be been being am do does did done doing can could will
would shall should may might must have has had i me my mine we us our you your yours he him his
she her they them their there here what what's whats when where which who whom whose why how
hows much many some any all also just please pls plz kindly tell show give explain describe
define list write summarize summarise summary overview outline introduce introduction search
find look lookup get know want need like let let's lets help thanks thank hello hi hey ok okay
yes no not don't didn't isn't briefly short shortly detail details detailed quick quickly simple
simply fun fact facts information info something anything everything thing things stuff learn
understand think answer question questions say use using via really very more most lot few
you're i'm i'd one two three four five sentence sentences line lines word words paragraph
paragraphs bullet bullets point points markdown english korean language report article source
sources cite citation citations citing link links reply respond response between happen happened
become became come came make makes made called exactly actually ever still now today currently
latest recent up out off down interesting important main key tl dr tldr eli5 basics basic
general good best each per compare comparing brief investigate research study analyze analyse
explore again once wat wut simpler terms
thoroughly thorough timeline timelines chronology chronological glossary pros cons quiz
else another further shorter shorten briefer longer simplify
rephrase reword elaborate expand continue repeat known
quizzes flashcard flashcards faq faqs comprehensive comprehensively dive deep depth
"""
KOREAN = """
그리고 그런데 그래서 그럼 또 또는 및 등 이 그 저 것 거 수 좀 한번 제발 나 내 제 저는 나는 우리
너 무엇 무엇인가요 무엇인지 무엇이 뭐 뭐야 뭔가요 뭐예요 뭐에요 뭐지 뭔지 뭔데 뭘 무슨 어떤
어떻게 왜 언제 언제야 어디 어디야 어디서 어디에 누구 누구야 누가 얼마 얼마나 얼마야 몇 대해
대해서 대한 대하여 관해 관해서 관한 관하여 관련 관련된 통해 통해서 위해 위한 자세히 자세하게
상세히 상세하게 간단히 간단하게 간략히 간략하게 짧게 길게 쉽게 깊이 깊게 빠르게 정확히 정확하게
좋은 가장 제일 정말 진짜 모두 전부 모든 여러 하나 한 두 세 네 다섯 줄 줄로 한줄 한줄로 문장
문장으로 문단 문단으로 단어 단락 가지 있나요 있어 있어요 있는지 있습니까 있을까 없나요 인가요
인가 입니까 인지 이야 야 이에요 예요 됩니까 되나요 궁금해 궁금해요 궁금합니다 싶어 싶어요
싶습니다 안녕 안녕하세요 감사합니다 고마워 부탁 부탁해 부탁해요 부탁드립니다 정리 요약 설명
소개 답변 답 질문 내용 정보 자료 출처 인용 링크 목록 영어로 한국어로 한글로 영어 한국어
마크다운 재미있는 중요한 주요 대략 지금 현재 오늘 최신 최근 주세요 줘 줄래 해줘 해주세요 해
하세요 알아 알고 생각 말 곳 가볼 볼 만한
연표 연표로 타임라인 타임라인으로 연대기 연대기로 연대순 용어집 퀴즈 플래시카드 표로 도표로
객체 객체로 설명하는 다시 쉬운 말로 그건 그게 그걸 그때 그곳 거기 이건 이게 이거
그거 저거 이것 그것 저것 건가요 거야 건 게 걸 때 더
"""
LOOSE_PARTICLES = """
은 는 이 가 을 를 의 에 와 과 랑 도 로 으로 에서 까지 부터 이란 란 이랑 하고 에게 라는 이라는
년 년에 년도 월 일
"""
STOP = frozenset(ENGLISH.split())
STOP_KOREAN = frozenset((KOREAN + LOOSE_PARTICLES).split())

ASKING_WORD = re.compile(r"^(?:언제|누구|누가|어디|얼마|무엇|어때|어떠|어땠)\S{0,4}$")
ASKING_VERB = re.compile(
    r"^(?:알려|가르쳐|설명|정리|요약|조사|연구|분석|비교|검색|소개|찾아|말해|이야기|얘기|보여|들려|써|적어|"
    r"작성|답|답변|대답|추천|나열|제시|번역|만들어|해|부탁|확인|리서치|서치|탐구|알아봐|알아|정리하|파헤쳐)"
    r"(?:해|하여|해서|하고|한|하는|할)?(?:줘|주|줄|봐|보|달|드|라|서)?\S{0,6}$"
)
GIVING = re.compile(
    r"(?:줘|줘요|주세요|주십시오|줄래|줄래요|주라|줄래\?|봐|봐줘|보세요|다오|달라|하라|해라|하시오)$"
)
PHRASES = (
    re.compile(
        r"(?i)(?<!how do i )(?<!how can i )(?<!how to )\b(?:please\s+)?"
        r"(?:search|browse|google|check|consult|look\s+up|look\s+on)\s+"
        r"(?:on\s+|in\s+|through\s+)?(?:the\s+)?(?:web|internet|net)(?:\s+(?:for|about|on|and|to))?\b"
    ),
    re.compile(
        r"(?i)\b(?:using|with|via|by|through|use|do|run|perform|from)\s+(?:an?\s+|the\s+)?"
        r"(?:web|internet|online)(?:\s+search(?:es)?)?\b(?:\s+(?:for|about|on|to|and))?"
    ),
    re.compile(r"(?i)\b(?:on|from)\s+the\s+(?:web|internet)\b|\bonline\b(?=\s*[.?!,]|$)"),
    re.compile(
        r"(?:웹|인터넷|온라인|구글|네이버)?\s*(?:검색|서치)(?:으로|해서|하여|하고|을\s*통해서?|을\s*이용해서?|"
        r"을\s*사용해서?|해\s*줘|해\s*주세요|해\s*봐)"
    ),
    re.compile(r"(?:웹|인터넷|온라인|구글|네이버)(?:에서|으로)\s*"),
    re.compile(r"(?i)\b(?:in|into|as|use)\s+(?:an?\s+)?(?:\w+\s+)?(?:markdown|json|table|bullet\s+points?)\b"),
    re.compile(r"(?i)\b(?:in|with|using)\s+(?:exactly|at\s+most|about|under|only|just)?\s*\w+\s+(?:short\s+)?"
               r"(?:sentences?|words?|lines?|paragraphs?|bullets?|bullet\s+points?)\b"),
    re.compile(r"(?i)\b(?:name|mention|state|include|add|give)\s+(?:me\s+)?(?:your|the|its|all|any)?\s*"
               r"(?:sources?|references?|citations?)\b"),
    re.compile(r"\d+\s*(?:문장|줄|문단|단락|단어|가지|개의?\s*(?:문장|항목))(?:으로|로|만)?"),
    re.compile(r"에\s*(?:대해서?|대한|대하여|관해서?|관한|관하여)(?=[\s,.?!]|$)"),
    re.compile(
        r"(?i)\b(?:(?:give|return|write|produce|as|in|with|make)\s+(?:me\s+)?(?:an?\s+|the\s+)?)?"
        r"(?:short\s+)?(?:markdown|json)[\s_]+(?:brief|report|outline|object|format)\b"
    ),
    re.compile(r"(?i)(?:을|를)?\s*(?:json|마크다운|markdown)\s*(?:개요|형식|보고서|브리프)?(?:으로|로)(?=\s|$)"),
    re.compile(r"(?i)\b(?:deep\s+dive|in[\s-]depth)\b(?:\s+(?:on|into|about))?"),
)  # fmt: skip

FORM = re.compile(
    r"(?i)\b(?:short(?:er)?|long(?:er)?|simpler?|brief(?:er)?)\s+(?:version|answer)\b|"
    r"\b(?:make|turn|put|show|format)\s+(?:it|that|this|them)\s+(?:as\s+|in\s+|into\s+)?(?:an?\s+)?table\b|"
    r"^\W*(?:as|in)\s+(?:an?\s+)?table\b"
)
"""The form of an answer, even where nothing else is said; the other phrases may be a subject."""


@dataclass(frozen=True, slots=True)
class Topic:
    """What is asked about: the words to look for, and the same as a phrase for people."""

    words: tuple[Word, ...]
    phrase: str
    language: str

    @property
    def query(self) -> str:
        """What a search box would be given."""
        return " ".join(word.noun for word in self.words)

    def __bool__(self) -> bool:
        return bool(self.words)


def topic_of(text: str) -> Topic:
    """The topic of a prompt; empty when it holds nothing but words of asking."""
    text = FORM.sub(" ", text)
    for rest in (without_asking_phrases(text), text):
        found = [match for match in TOKEN.finditer(rest) if not is_asking(match.group())]
        if found:
            kept = [match.group() for match in found]
            span = rest[found[0].start() : found[-1].end()]
            return Topic(tuple(question_words(kept)), _phrase(span, kept), language(text))
    return Topic((), "", language(text))


LETTER = re.compile(r"(?<!\S)([b-hj-z]) (?=[a-z]{3})")
"""A letter that belongs to the word after it: "p value", "x ray"."""


def without_asking_phrases(text: str) -> str:
    text = LETTER.sub(r"\1-", text)
    for phrase in PHRASES:
        text = phrase.sub(" ", text)
    return text


def is_asking(token: str) -> bool:
    """Whether a token only asks, or only joins other words."""
    if is_hangul(token):
        if ASKING_WORD.match(token) or token in STOP_KOREAN or bare(token) in STOP_KOREAN:
            return True
        return bool(ASKING_VERB.match(token) and (GIVING.search(token) or len(token) <= 2)) or (
            bool(GIVING.search(token)) and len(token) <= 5
        )
    lowered = token.lower().replace("’", "'")
    if len(lowered) == 1 and not lowered.isdigit() and lowered.isascii():
        return token not in {"C", "R"}
    return lowered in STOP or (lowered.split("'")[0] in STOP)


def _phrase(span: str, kept: list[str]) -> str:
    """The stretch of the prompt that holds the topic, or its words alone where that is long."""
    span = " ".join(span.split())
    one_stretch = len(span) <= 60 and not re.search(r"[.?!;:]\s", span)
    words = span.split(" ") if one_stretch else kept[:8]
    return " ".join([*words[:-1], bare(words[-1])])
