"""Words of two languages that mean about the same, so that a Korean prompt finds an English tool.

Each line is one concept: English words by their stems, Korean ones by how they begin. It is a list
of everyday things that functions do, not of any function.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from kit.sandbox.words import is_hangul, readings_of, stem, tokens

CONCEPTS = """
weather forecast rain snow umbrella sunny wind humidity 날씨 기상 예보 우산 비가 비올 눈이 맑 흐림
temperature hot cold warm degree 기온 온도 더워 추워 더울 추울 덥 춥
time clock hour 시간 시각 몇시
date day calendar 날짜 요일 며칠 달력
add sum plus addition 더하 더해 합 합계 합산 덧셈
subtract minus difference 빼 뺄셈
multiply times product multiplication 곱하 곱해 곱셈 곱
divide division quotient 나누 나눗셈
calculate compute calculator arithmetic math mathematic evaluate expression 계산 수식 연산
average mean 평균
search find lookup look query retrieve browse 검색 찾아 찾아줘 찾기 조회
research investigate investigation study 조사 연구 리서치 탐구 파헤
deep depth thorough comprehensive detail exhaustive 심층 상세 자세 깊이 깊게 면밀 꼼꼼
analyse analyze analysis 분석
report brief dossier 보고서 리포트 레포트
translate translation 번역
email mail 이메일 메일 전자우편
send deliver dispatch 보내 전송 발송
message text sms notify notification 메시지 문자 알림톡 메세지
call phone dial 전화 통화
news headline 뉴스 소식 기사
stock share ticker equity quote 주식 주가 종목
price cost fee 가격 값 얼마 요금 비용
currency exchange rate dollar euro won yen usd eur krw jpy gbp 환율 통화 환전 달러 유로 원화 엔화
convert conversion 변환 바꿔 바꾸 환산 환전
user account member profile 사용자 회원 유저 계정
customer client 고객
order purchase buy 주문 구매 구입 사줘
refund return 환불 반품
ship shipping delivery track tracking parcel package 배송 배달 택배 추적 송장
product item 상품 제품 물건
inventory warehouse 재고 창고
book reserve reservation booking 예약 예매
flight fly airline plane 항공 비행 항공권 비행기
hotel room accommodation stay 호텔 숙소 숙박
train railway ktx 기차 열차 철도
restaurant food dining eat cuisine 식당 맛집 음식점 레스토랑
recipe cook 요리 조리법 레시피
event meeting appointment schedule 일정 회의 약속 미팅 모임 이벤트
remind reminder 알림 리마인더 상기 알려주
alarm wake 알람 깨워
timer countdown 타이머
task todo 할일 작업
note memo 메모 노트 적어
file document doc 파일 문서
read open load 읽 열어
write save store 저장 기록
delete remove erase 삭제 지워 제거
create make generate new 만들 생성 작성
update change modify edit set 수정 변경 업데이트 설정 바꿔
list show all 목록 나열 보여
database sql table record 데이터베이스 테이블 디비
distance far 거리 떨어
route direction navigate map 길찾 경로 지도 가는길
location place city address 위치 장소 도시 주소
country nation 나라 국가
population inhabitant people 인구
capital 수도
movie film cinema 영화
music song play 음악 노래 재생 틀어
volume sound 볼륨 음량 소리
light lamp 불 조명 전등
on turn enable start switch 켜 시작 활성
off disable stop 꺼 끄 중지 비활성
thermostat heating 난방 보일러 온도조절
holiday vacation 휴일 휴가 공휴일
age old 나이 살
random dice roll coin flip 무작위 랜덤 주사위 동전 굴려
joke fun 농담 유머
image picture photo draw 이미지 사진 그림 그려
summarize summary 요약
knowledge base faq policy 지식 정책 규정
ticket issue bug 티켓 이슈 버그 문의
score game match 점수 경기
health symptom doctor 건강 증상 의사 병원
loan interest mortgage 대출 이자
tax 세금
salary wage 급여 연봉 월급
password secret 비밀번호 암호
celsius centigrade 섭씨
fahrenheit 화씨
urgent high important 긴급 높음 중요
low minor 낮음
medium normal 보통 중간
square root 제곱근 루트
word count length 글자수 단어수
person employee staff 직원 사람 사원
bmi weight height body 몸무게 키 체중 신장
traffic 교통
air quality pollution dust 미세먼지 대기질
sentiment emotion 감정 감성
tip 팁
"""


def _index() -> tuple[dict[str, frozenset[int]], tuple[tuple[str, int], ...]]:
    english: dict[str, set[int]] = {}
    korean: list[tuple[str, int]] = []
    for number, line in enumerate(CONCEPTS.strip().splitlines()):
        for word in line.split():
            if is_hangul(word):
                korean.append((word, number))
            else:
                english.setdefault(stem(word), set()).add(number)
    return {word: frozenset(found) for word, found in english.items()}, tuple(korean)


ENGLISH_CONCEPTS, KOREAN_CONCEPTS = _index()


@lru_cache(maxsize=10_000)
def meanings(token: str) -> frozenset[str]:
    """What a word stands for: its concepts (`#4`), and its own stem."""
    if is_hangul(token):
        found = {f"#{n}" for word, n in KOREAN_CONCEPTS if _begins(token, word)}
        return frozenset((*found, *readings_of(token)))
    root = stem(token)
    return frozenset((root, *(f"#{n}" for n in ENGLISH_CONCEPTS.get(root, ()))))


def meanings_of(text: str) -> frozenset[str]:
    """The meanings of all words of a text; names in snake_case and camelCase fall apart."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_\-/.]", " ", text)
    return together(meanings(token) for token in tokens(spaced))


def together(meanings: Iterable[frozenset[str]]) -> frozenset[str]:
    """All meanings of several words."""
    return frozenset(one for found in meanings for one in found)


def concept(word: str) -> frozenset[str]:
    """The concepts of a word alone, for asking whether a text speaks of it."""
    return frozenset(meaning for meaning in meanings(word) if meaning.startswith("#"))


def _begins(token: str, word: str) -> bool:
    """Whether a Korean token is the word with an ending; one syllable must stand almost alone."""
    return token.startswith(word) and (len(word) > 1 or len(token) <= 2)
