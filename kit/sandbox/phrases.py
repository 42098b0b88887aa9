"""What the sandbox says in its own words, in both languages. Everything else it says is quoted."""

PHRASES = {
    "notice": {
        "en": "*Sandbox: quoted from its library; there is no language model here.*",
        "ko": "*샌드박스: 서고에서 그대로 옮긴 글입니다. 언어 모델은 없습니다.*",
    },
    "hello": {
        "en": "Hello! I am the toolkit's sandbox: a search engine, not a language model. Ask me"
        " about {titles}, and I will quote what my library says.",
        "ko": "안녕하세요! 저는 이 도구의 샌드박스입니다. 언어 모델이 아니라 검색 엔진입니다."
        " {titles} 등을 물어보시면 서고에서 찾아 그대로 옮겨 드립니다.",
    },
    "itself": {
        "en": "I am the toolkit's sandbox: a search engine over a small library, without a language"
        " model. I can\n\n"
        "- quote passages with sources (try: *{example}*),\n"
        "- run a web search, call your functions, fill a JSON schema and write a research report,"
        " all from that library,\n"
        "- repeat a text exactly (*Reply with exactly: OK*).\n\n"
        "For free writing, translation or code, point the toolkit at a real gateway"
        " (`LITELLM_BASE_URL`).",
        "ko": "저는 이 도구의 샌드박스입니다. 언어 모델이 없는, 작은 서고의 검색 엔진입니다. 할 수"
        " 있는 일은 이렇습니다.\n\n"
        "- 출처와 함께 글을 옮깁니다 (예: *{example}*).\n"
        "- 그 서고 안에서 웹 검색, 함수 호출, JSON 스키마 채우기, 조사 보고서를 합니다.\n"
        "- 글을 그대로 되풀이합니다 (*정확히 OK라고만 답해*).\n\n"
        "자유로운 글쓰기, 번역, 코드는 진짜 게이트웨이(`LITELLM_BASE_URL`)를 연결해 주세요.",
    },
    "thanks": {"en": "You are welcome.", "ko": "천만에요."},
    "nothing": {
        "en": "The sandbox's library holds nothing about **{topic}**. It is a small search engine"
        " without a language model. It does know about {titles}; a real gateway"
        " (`LITELLM_BASE_URL`) or a folder of your own (`KIT_SANDBOX_CORPUS`) knows more.",
        "ko": "샌드박스의 서고에는 **{topic}**에 관한 글이 없습니다. 언어 모델이 없는 작은 검색"
        " 엔진이라서 그렇습니다. {titles} 등은 알고 있습니다. 진짜 게이트웨이(`LITELLM_BASE_URL`)나"
        " 내 문서 폴더(`KIT_SANDBOX_CORPUS`)를 연결하면 더 많이 답합니다.",
    },
    "nothing_short": {
        "en": "The sandbox's library holds nothing about {topic}.",
        "ko": "샌드박스의 서고에는 {topic}에 관한 글이 없습니다.",
    },
    "empty": {
        "en": "There was no question in that. Ask me about {titles}.",
        "ko": "질문을 찾지 못했습니다. {titles} 등을 물어보세요.",
    },
    "beyond": {
        "en": "The sandbox has no language model, so it cannot {task}. It can search its library"
        " and quote it. For this, connect a real gateway (`LITELLM_BASE_URL`).",
        "ko": "샌드박스에는 언어 모델이 없어서 {task} 수 없습니다. 서고를 찾아 인용하는 일은 할 수"
        " 있습니다. 이런 일에는 진짜 게이트웨이(`LITELLM_BASE_URL`)를 연결해 주세요.",
    },
    "picture": {"en": "look at pictures", "ko": "그림을 볼"},
    "translate": {"en": "translate", "ko": "번역할"},
    "code": {"en": "write or change code", "ko": "코드를 쓰거나 고칠"},
    "compose": {"en": "write a text of its own", "ko": "글을 지어 쓸"},
    "closest": {
        "en": "The closest passage I found; it may not answer the question:",
        "ko": "가장 가까운 글입니다. 질문에 맞는 답이 아닐 수 있습니다.",
    },
    "no_more": {
        "en": "That is all the library holds about **{topic}**.",
        "ko": "**{topic}**에 관한 글은 이것이 전부입니다.",
    },
    "other_language": {
        "en": "The library has this only in Korean:",
        "ko": "서고에는 영어 글만 있습니다.",
    },
    "see_also": {"en": "See also: ", "ko": "함께 볼 글: "},
    "you_said": {"en": "You said:", "ko": "앞에서 이렇게 말씀하셨습니다."},
    "from_text": {
        "en": "*Sandbox: sentences picked from your text; there is no language model here.*",
        "ko": "*샌드박스: 주신 글에서 고른 문장입니다. 언어 모델은 없습니다.*",
    },
    "computed": {
        "en": "*Sandbox: computed; there is no language model here.*",
        "ko": "*샌드박스: 계산한 값입니다. 언어 모델은 없습니다.*",
    },
    "from_tools": {
        "en": "*Sandbox: the functions' output as it came; there is no language model here.*",
        "ko": "*샌드박스: 함수가 돌려준 값을 그대로 보여 줍니다. 언어 모델은 없습니다.*",
    },
    "cannot_call": {
        "en": "`{tool}` fits, but the prompt does not say: {missing}.",
        "ko": "`{tool}` 함수가 맞지만 다음 값을 알 수 없습니다: {missing}.",
    },
    "open_subject": {"en": "What should be researched?", "ko": "무엇을 조사할까요?"},
    "open_period": {
        "en": "Which years or period should “{topic}” cover?",
        "ko": "“{topic}”에서 어느 시기를 다룰까요?",
    },
    "open_place": {
        "en": "Which countries or regions should “{topic}” cover?",
        "ko": "“{topic}”에서 어느 나라나 지역을 다룰까요?",
    },
    "open_reader": {
        "en": "Who will read about “{topic}”, and in which form should it come?",
        "ko": "“{topic}”에 관한 글은 누가 읽고, 어떤 형식이 좋습니까?",
    },
    "answered": {
        "en": "The answer to “{question}” is “{answer}”.",
        "ko": "“{question}”에 대한 답은 “{answer}”입니다.",
    },
    "calling": {
        "en": "To answer this I need what `{tool}` returns, so I call it first.",
        "ko": "답하려면 `{tool}` 함수가 돌려주는 값이 필요해서 먼저 호출합니다.",
    },
    "and": {"en": " and ", "ko": ", "},
    "example": {"en": "the history of coffee", "ko": "짜장면의 역사를 웹 검색으로 정리해줘"},
}


def phrase(name: str, language: str, **values: str) -> str:
    """A phrase in a language; `values` fill its braces."""
    return PHRASES[name][language].format(**values)
