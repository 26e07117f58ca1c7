"""The first of two sieves: words, numbers, texts and signs.

It refuses with a hint what modelers bring from other languages (JUEL, FEEL, JavaScript), and what could be read differently
by Python's parser or could exhaust it. What passes, the parser and then grammar.py look at.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from engine.expressions.limits import MAX_CHARACTERS, MAX_DEPTH, MAX_TOKENS
from engine.expressions.source import invalid

_TOKEN: Final = re.compile(
    r"""(?P<blank>[ \t\r\n]+)
    |(?P<comment>\#[^\r\n]*)
    |(?P<text>'(?:[^'\\\r\n]|\\[^\r\n])*'|"(?:[^"\\\r\n]|\\[^\r\n])*")
    |(?P<number>\.?[0-9][\w.]*)
    |(?P<word>[^\W\d]\w*)
    |(?P<sign>&&|\|\||===?|!==?|<=|>=|<>|->|=>|:=|\+=|-=|(?:\*\*?|//?|%|@|<<|>>|&|\||\^)=|\*\*|//|<<|>>|\+\+|.)""",
    re.VERBOSE | re.DOTALL,
)
_CLOSING: Final = MappingProxyType({"(": ")", "[": "]", "{": "}"})


class Token(NamedTuple):
    """A word, number, text or sign, and where it begins."""

    kind: str
    text: str
    offset: int


@dataclass(frozen=True, slots=True)
class Language:
    """Which signs and which of Python's own words a text may use."""

    signs: frozenset[str]
    words: frozenset[str]
    comments: bool


EXPRESSIONS: Final = Language(
    frozenset(["==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "//", "%", "(", ")", "[", "]", "{", "}", ",", ":", "."]),
    frozenset(["and", "or", "not", "in", "is", "if", "else", "True", "False", "None"]),
    comments=False,
)
SCRIPTS: Final = Language(EXPRESSIONS.signs | {"=", "+=", "-="}, EXPRESSIONS.words | {"elif"}, comments=True)

_SIGN_HINTS: Final = MappingProxyType(
    {
        "&&": 'write "and"',
        "||": 'write "or"',
        "!": 'write "not"',
        "=": 'write "==" to compare',
        "===": 'write "=="',
        "!==": 'write "!="',
        "<>": 'write "!="',
        "=>": 'write ">=" to compare',
        "+=": "calculate in a script task",
        "-=": "calculate in a script task",
        "*=": "write name = name * value",
        "//=": "write name = name // value",
        "%=": "write name = name % value",
        "++": 'write "+= 1" in a script task',
        ":=": 'write "==" to compare, or assign in a script task',
        "**": "multiply instead; powers are not in the language",
        "?": 'write "a if condition else b"',
        "&": 'write "and"',
        "|": 'write "or"',
        ";": "write one statement on a line",
        "$": "write one ${...} around the whole expression, and only names inside it",
        "#": "write ${...}; a comment can only stand in a script",
        "\u201c": 'write straight quotes: "..."',
        "\u201d": 'write straight quotes: "..."',
        "\u201e": 'write straight quotes: "..."',
        "\u2018": "write straight quotes: '...'",
        "\u2019": "write straight quotes: '...'",
        "\u00a0": "write an ordinary space (this one was pasted from a document)",
        "\\": "begin a new line without it, inside brackets",
    }
)
_WORD_HINTS: Final = MappingProxyType(
    {
        "true": 'write "True"',
        "false": 'write "False"',
        "null": 'write "None"',
        "for": "use a multi-instance or a loop in the diagram; there are no loops here",
        "while": "use a loop in the diagram; there are no loops here",
        "lambda": "write the calculation itself; functions cannot be made here",
        "def": "write the calculation itself; functions cannot be made here",
        "import": "use a service task to reach anything outside",
        "pass": "leave the branch away",
        "elif": 'write "a if condition else b"',
    }
)
_FEEL_HINT: Final = 'leave the "=" at the beginning away (that is FEEL)'
_BASIC_ADVICE: Final = (
    'use names, texts in quotes, whole numbers, brackets and + - * // % == != < <= > >= and "and", "or", "not", "in"'
)
_FRACTION: Final = re.compile(r"[0-9_]*\.[0-9_]*(e[0-9_]*)?|[0-9][0-9_]*e[0-9_]*", re.IGNORECASE)
_WHOLE: Final = re.compile(r"0|[1-9][0-9]*(_[0-9]+)*")
_ESCAPE: Final = re.compile(r"\\(.)")


def read_tokens(text: str, start: int, end: int, language: Language) -> list[Token]:
    """The tokens of `text[start:end]`, blanks and comments left out. Raises ExpressionInvalid."""
    if not text[start:end].strip():
        raise invalid(text, start, "Expected an expression or script, but there is nothing. Do: write one, such as approved.")
    if end - start > MAX_CHARACTERS:
        message = f"Expected at most {MAX_CHARACTERS:,} characters, but there are {end - start:,}. Do: split it into steps."
        raise invalid(text, start, message)
    tokens: list[Token] = []
    for match in _TOKEN.finditer(text, start, end):
        token = Token(match.lastgroup or "", match[0], match.start())
        if token.kind == "blank" or (token.kind == "comment" and language.comments and _is_storable(token.text)):
            continue
        _refuse_token(text, token, tokens[-1] if tokens else None, language)
        tokens.append(token)
        if len(tokens) > MAX_TOKENS:
            message = f"Expected at most {MAX_TOKENS:,} words and signs, but there are more. Do: split it into steps."
            raise invalid(text, token.offset, message)
    _refuse_nesting(text, tokens)
    return tokens


def closing_brace(text: str, start: int) -> int:
    """Where the `${` that stands just before `start` is closed; braces in quotes do not count. Raises ExpressionInvalid."""
    depth = 1
    for match in _TOKEN.finditer(text, start):
        sign = match[0]
        if sign in ("'", '"'):
            break
        depth += (sign == "{") - (sign == "}")
        if depth == 0:
            return match.start()
    message = (
        'Expected "}" after "${", but it is missing. Do: close the expression and its quotes, or write "$${" for plain text.'
    )
    raise invalid(text, start - 2, message)


def _refuse_token(text: str, token: Token, before: Token | None, language: Language) -> None:
    if token.kind == "text":
        _refuse_text(text, token, before, language)
    elif token.kind == "number":
        _refuse_number(text, token)
    elif token.kind == "word":
        _refuse_word(text, token, before, language)
    else:
        _refuse_sign(text, token, before, language)


def _refuse_text(text: str, token: Token, before: Token | None, language: Language) -> None:
    if before and before.kind == "text":
        message = (
            'Expected one pair of quotes around a text, but two texts follow each other. Do: join them with "+", or put the '
        )
        raise invalid(text, token.offset, message + "text in quotes of the other sort when it contains quotes.")
    touching = before and before.offset + len(before.text) == token.offset
    if before and touching and before.kind == "word" and before.text not in language.words:
        message = (
            f'Expected a text in plain quotes, but "{before.text}" stands before it. Do: leave that away; join texts with "+".'
        )
        raise invalid(text, before.offset, message)
    for escape in _ESCAPE.finditer(token.text):
        if escape[1] not in "\\'\"nt":
            message = (
                "Expected \\\\, \\', \\\", \\n or \\t, but another character follows the backslash. Do: double the backslash."
            )
            raise invalid(text, token.offset + escape.start(), message)
    if not _is_storable(token.text):
        raise invalid(text, token.offset, "Expected a text, but it holds a character that cannot be stored. Do: type it again.")


def _refuse_number(text: str, token: Token) -> None:
    if _FRACTION.fullmatch(token.text):
        message = "Expected a whole number, but this one has a fraction. Do: use minor units: 1250 for 12.50."
        raise invalid(text, token.offset, message)
    if not _WHOLE.fullmatch(token.text):
        message = "Expected a whole number, but it is not in plain digits. Do: write it like 1250; put a text in quotes."
        raise invalid(text, token.offset, message)


def _refuse_word(text: str, token: Token, before: Token | None, language: Language) -> None:
    word = token.text
    if before and before.kind == "sign" and before.text == "." and word != "get":
        return  # grammar.py says what to write instead
    if word in language.words:
        return
    if word in _WORD_HINTS or keyword.iskeyword(word):
        hint = _WORD_HINTS.get(word, "call the data item something else, or put the text in quotes")
        raise invalid(text, token.offset, f'Expected an expression, but "{word}" has no meaning here. Do: {hint}.')
    if not word.isidentifier() or unicodedata.normalize("NFKC", word) != word:
        message = "Expected a name of plain letters, digits and _, but this one has look-alikes. Do: type it again."
        raise invalid(text, token.offset, message)


def _refuse_sign(text: str, token: Token, before: Token | None, language: Language) -> None:
    sign = token.text[0] if token.kind == "comment" else token.text
    if sign in language.signs:
        return
    if sign in ("'", '"'):
        message = (
            "Expected a closing quote on the same line, but there is none. Do: close it; write \\n for a new line in a text."
        )
        raise invalid(text, token.offset, message)
    hint = _FEEL_HINT if sign == "=" and not before else _SIGN_HINTS.get(sign, _BASIC_ADVICE)
    shown = f'"{sign}"' if sign.isprintable() else f"the character U+{ord(sign[0]):04X}"
    raise invalid(text, token.offset, f"Expected an expression, but {shown} has no meaning here. Do: {hint}.")


def _refuse_nesting(text: str, tokens: list[Token]) -> None:
    """Brackets must match, as the parser is given the text inside a pair of its own; and must not go too deep for it."""
    opened: list[Token] = []
    prefixes = 0
    for token in tokens:
        prefixes = prefixes + 1 if token.text in ("not", "-", "+") else 0
        if token.text in _CLOSING:
            opened.append(token)
        elif token.text in _CLOSING.values() and (not opened or _CLOSING[opened.pop().text] != token.text):
            message = f'Expected brackets in pairs, but "{token.text}" closes none. Do: remove it or open it before.'
            raise invalid(text, token.offset, message)
        if max(len(opened), prefixes) > MAX_DEPTH:
            message = f"Expected at most {MAX_DEPTH} levels, but it is nested deeper. Do: split it into steps in a script task."
            raise invalid(text, token.offset, message)
    if opened:
        message = f'Expected brackets in pairs, but "{opened[-1].text}" is never closed. Do: close it.'
        raise invalid(text, opened[-1].offset, message)


def _is_storable(text: str) -> bool:
    """Without control characters but the tab, and without halves of characters."""
    return not any(char != "\t" and unicodedata.category(char) in ("Cc", "Cs") for char in text)
