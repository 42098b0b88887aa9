"""Sums: a prompt that is only arithmetic is computed. Bounded, and nothing is evaluated."""

import ast
import re
from collections.abc import Callable
from fractions import Fraction

SPOKEN = (
    (r"(?i)\bplus\b|더하기", "+"),
    (r"(?i)\bminus\b|빼기", "-"),
    (r"(?i)\b(?:times|multiplied\s+by)\b|곱하기|[×x](?=\s*\d)", "*"),
    (r"(?i)\b(?:divided\s+by|over)\b|나누기|÷", "/"),
)
AROUND = re.compile(
    r"(?i)^\W*(?:what(?:'s|\s+is)|how\s+much\s+is|calculate|compute|solve|please|evaluate|그럼)?\s*"
    r"(?P<sum>[\d(][\d\s+\-*/().,^]*[\d)])\s*"
    r"(?:=|equals?|is|은|는|이|가|을|를|의)?\s*(?:계산(?:해\s*\S*)?|얼마\S*|몇\S*|뭐\S*|값\S*|결과\S*)?\W*$"
)
OPERATIONS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: lambda left, right: left / right,
}


def computed(prompt: str) -> str | None:
    """The value of a prompt that is a sum ("what is 2+2?"), or None when it is none."""
    if len(prompt) > 200:
        return None
    match = AROUND.match(as_expression(prompt))
    if not match or not re.search(r"[-+*/^]", match["sum"]):
        return None
    text = match["sum"].replace(",", "").replace("^", "**").strip()
    try:
        return _shown(_value(ast.parse(text, mode="eval").body))
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError):
        return None


def as_expression(text: str) -> str:
    """Words of arithmetic as signs: "12 plus 30" -> "12 + 30"."""
    text = re.sub(r"(?i)(?<=\d)\s*(?:%|percent)\s+of\s+(?=\d)", " / 100 * ", text)
    text = re.sub(r"(\d[\d.,]*)의\s*(\d[\d.]*)\s*(?:%|퍼센트|프로)", r"\1 * \2 / 100", text)
    for pattern, sign in SPOKEN:
        text = re.sub(rf"(?<=[\d)\s])(?:{pattern[4:] if pattern.startswith('(?i)') else pattern})"
                      r"(?=[\s\d(])", f" {sign} ", text, flags=re.IGNORECASE)  # fmt: skip
    return re.sub(r" {2,}", " ", text)


def _value(node: ast.expr) -> Fraction:
    match node:
        case ast.Constant(value=int() | float() as number):
            return Fraction(str(number))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            base, power = _value(left), _value(right)
            if power.denominator != 1 or abs(power) > 64 or abs(base) > 10_000:
                raise ValueError("too large")
            return base ** int(power)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATIONS:
            return OPERATIONS[type(op)](_value(left), _value(right))
        case _:
            raise ValueError("not a sum")


def _shown(value: Fraction) -> str:
    if value.denominator == 1:
        return str(int(value))
    return f"{float(value):.10g}"
