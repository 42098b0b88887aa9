"""Whether a prompt commissions research: it asks for it, and says of what.

To speak of research is not to ask for it. Thanks for a report, a question about how runs are
stopped, praise for an analysis: none of them wants another one. English asks at the beginning of a
clause ("research …", "can you …"), Korean at the end of a sentence ("… 조사해 줘"), and a headline
("심층 분석", "in-depth report on …") asks by being all there is.
"""

import re

from kit.sandbox.asking import topic_of
from kit.sandbox.lexicon import concept, meanings_of
from kit.sandbox.steps import FunctionTool

RESEARCH = concept("research") | concept("deep")
ASKS_FOR_RESEARCH = RESEARCH | concept("report") | concept("analyse")
SENTENCE = re.compile(r"(?<=[.!?。])\s+|\n+")


def is_research(tool: FunctionTool) -> bool:
    """Whether a function speaks of research in its name, or of deep research in its description."""
    name = meanings_of(tool.name)
    about = meanings_of(tool.description)
    return bool(concept("research") & name) or (
        bool(concept("research") & about) and bool(concept("deep") & (about | name))
    )


def commissions(text: str) -> bool:
    """Whether a text asks for research on something."""
    asked = any(_asks(sentence.strip()) for sentence in SENTENCE.split(text))
    return asked and _has_subject(text)


def _asks(sentence: str) -> bool:
    if any(pattern.search(sentence) for pattern in ENGLISH):
        return True
    return _asks_in_korean(sentence)


def _has_subject(text: str) -> bool:
    """Whether something is left to research when the words of research are taken away."""
    words = topic_of(text).words
    return any(not (concept(word.text) & ASKS_FOR_RESEARCH) and not word.light for word in words)


# -- English ---------------------------------------------------------------------------------------

BEGINS = r"(?:^\W*|[.!?;:,]\s+|\s[-–—]\s|\b(?:and|then|now|please|so|but|also)\s+)"
POLITELY = (
    r"(?:(?:please|now|then|also|kindly|just|first|next|hello|hi|hey|ok(?:ay)?|let's|let\s+us|go\s+ahead\s+and|"
    r"(?:can|could|would|will)\s+(?:you|we)|you\s+(?:should|must)|i(?:'d|\s+would)?\s+(?:want|need|like|love)|"
    r"help\s+me|you\s+to|us\s+to|to)[\s,!]+){0,6}"
)
ASKING = BEGINS + POLITELY
SAYS = (
    r"(?!\s+(?:is|are|was|were|has|had|says?|show\w*|results?|runs?|papers?|tools?|functions?)\b)"
)
"""After a word of research these make it a noun that something is said of."""
VERB = (
    r"(?:\w+ly\s+)?(?:research|investigate|study|analy[sz]e|explore|examine|look\s+(?:deep\w*\s+)?into|"
    r"(?:dig|go)\s+(?:deep\w*|into)|dive\s+(?:deep\w*\s+)?into|deep[\s-]dive)\b" + SAYS
)
NOUN = r"(?:research|investigation|analys[ie]s|study|report|dossier|deep[\s-]dive)\b" + SAYS
WANTING = (
    r"(?:i|we)(?:\s+really)?\s+(?:want|need)|(?:i|we)(?:'d|\s+would)(?:\s+really)?\s+(?:like|love)"
)
MAKING = (
    r"(?:do|make|give|write|run|prepare|produce|create|draft|conduct|perform|carry\s+out|compile|start|begin|"
    rf"launch|provide|put\s+together|generate|find|get|use|{WANTING})"
)
NEW = (
    r"(?:(?:me|us|out)\s+)?(?:(?!(?:the|this|that|these|those|my|your|our|his|her|its|their|last|previous|"
    r"earlier|same|great|good|nice|excellent|lovely|wonderful|awesome|interesting|i|we|you|he|she|they|it|"
    r"who|what|which|where|when|why|how|no|not|never|any|did|does|is|are|was|were|has|have|had|read|saw|"
    r"wrote|made|found)\b)[\w'-]+\s+){0,5}?"
)
"""What may stand before a noun of research that is not there yet; no praise of one that is."""
OF = r"\s*(?:\b(?:on|about|into|of|regarding|concerning)\b|:)"
TELLING = (
    r"(?:tell|explain|describe|cover|discuss|compare|contrast|find\s+out|give|write|outline|teach|show|walk|"
    r"summari[sz]e|trace|assess|evaluate|review|make|provide|prepare|produce|what|how|why|when|where|who|which|"
    rf"{WANTING})\b"
)
DEPTH = (
    r"\b(?:in[\s-]+(?:\w+\s+)?(?:depth|detail)|thorough(?:ly)?|comprehensive(?:ly)?|exhaustive(?:ly)?|extensive(?:ly)?|"
    r"rigorous(?:ly)?|deeply|deeper|detailed|deep\s+(?:dive|look))\b"
)
ENGLISH = tuple(
    re.compile(f"(?i){pattern}")
    for pattern in (
        rf"{ASKING}{VERB}",
        rf"{ASKING}{MAKING}\s+{NEW}{NOUN}",
        rf"{ASKING}(?:do|write|prepare|draft|conduct|run)\s+the\s+(?:[\w-]+\s+){{0,3}}?{NOUN}{OF}",
        rf"^\W*{NEW}{NOUN}{OF}",
        rf"{ASKING}{TELLING}.*{DEPTH}",
        rf"^\W*{DEPTH}\W+{TELLING}",
    )
)

# -- Korean ----------------------------------------------------------------------------------------

WORK = (
    r"(?:조사(?!관|원|단|팀|자)|연구(?!소|원|실|비|자|진|팀|생)|분석(?!기|관|가[\s들])|"
    r"리서치|탐구|고찰)"
)
REPORT = r"(?:보고서|리포트|레포트)"
DEEPLY = (
    r"(?:자세[히하한]|상세[히하한]|심층|꼼꼼|면밀|철저|샅샅이|낱낱이|속속들이|깊게|깊숙이|"
    r"깊이\s*(?=있|조사|연구|분석|파|다뤄|다루|살펴|알아|설명|탐구))"
)
SPEAKS = re.compile(
    rf"(?i){WORK}|{REPORT}|{DEEPLY}|파헤|파고들|\b(?:research|report|deep\s+dive)\b"
)
DONE = re.compile(
    rf"{WORK}(?:했던|한|된)\s*(?:거|것|걸|게|내용|결과|자료)\S*|"
    rf"{WORK}(?:이|가|은|는)?\s*(?:다\s*|모두\s*)?(?:끝|완료|마치|되면)\S*"
)
"""Research that was done already, or is under way."""
REFUSED = re.compile(r"(?:하지|지)\s*(?:마|말|않)|(?:할|될)\s*필요\S*\s*없|그만")
REQUEST = re.compile(
    r"(?:줘|주라|주렴|다오|줄래|주세요|주십시오|주시겠\S*|주실\S*(?:\s*수\s*있\S*)?|줄\s*수\s*있\S*|주겠\S*|달라\S*|"
    r"주(?:시)?면\s*(?:좋|고맙|감사)\S*|주(?:시)?길\s*바\S*|부탁\S*|바랍니다|바라요|"
    r"[해어아]\s*(?:봐|볼래)|보세요|봅시다|보자|하라|해라|하세요|하십시오|하시오|하자|합시다|할래|할\s*것|"
    r"싶(?:어|습니다|다|네)\S*|궁금\S*|원해\S*|원합니다|필요(?:해|합니다|함|하다)\S*)요?$"
)
"""How a Korean sentence ends that wants something."""
PLAINLY = re.compile(
    rf"{WORK}(?:를|을)?\s*(?:좀\s*)?해$|"
    r"(?:[자상]세히|[자상]세하게|깊이\s*있게|깊게|꼼꼼히|꼼꼼하게|면밀히|철저히|심층적으로)$"
)
HEADLINE = re.compile(rf"(?:{WORK}|{REPORT})(?:\s*(?:하나|한\s*편))?$")
PRAISES = re.compile(r"좋|훌륭|멋진|멋있|대단|완벽|유익|놀라|최고")
HANDLES = re.compile(
    r"(?:보여|보내|요약|저장|삭제|지워|취소|멈춰|중지|중단|그만|번역|열어|읽어|내려받|다운로드|공유|고쳐|수정|줄여)\S*"
    r"(?:\s*\S{1,3})?$"
)
"""What is done with a report that is there, not for one that is not."""
AND_THEN = re.compile(rf"{WORK}(?:를|을)?\s*(?:해서|하여|하고|한\s*(?:뒤|후|다음)|해\s*보고)")
TRAILING = re.compile(
    r"(?:\W|ㅎ|ㅋ|ㅠ|제발|빨리|얼른|고마워요?|고맙습니다|감사합니다|감사해요|please)+$"
)


def _asks_in_korean(sentence: str) -> bool:
    spoken = DONE.sub(" ", sentence)
    if not SPEAKS.search(spoken) or REFUSED.search(spoken):
        return False
    end = TRAILING.sub("", spoken)
    if REQUEST.search(end):
        return not HANDLES.search(end) or bool(AND_THEN.search(end))
    if sentence.rstrip().endswith("?"):
        return False
    return bool(PLAINLY.search(end) or (HEADLINE.search(end) and not PRAISES.search(end)))
