"""A law's formula in plain text, turned into LaTeX."""

import re
from collections.abc import Iterator, Set

GREEK = ("alpha", "beta", "gamma", "delta", "epsilon", "eta", "kappa", "nu", "omega", "rho", "sigma", "tau")
SYMBOLS = {**{name: f"\\{name}" for name in GREEK}, "eps": r"\varepsilon", "epsilon": r"\varepsilon", "lam": r"\lambda"}
SUBSCRIPTS = {"inf": r"\infty"}
FUNCTIONS = {"exp": r"\exp", "ln": r"\ln", "log10": r"\log_{10}", "min": r"\min"}
TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?)|([A-Za-z]\w*'?)|([-+/^()=,]))")
ONE_LETTER = re.compile(r"[A-Za-z](?:_\w+)?'?")
INLINE_SYMBOL = re.compile(r"(?<![\w'])(?:[A-Z]'?|[A-Za-z]+_\w+'?|[A-Z]')(?![\w'])")


class NoFormulaError(ValueError):
    """The text is no formula."""


def symbol(name: str) -> str:
    """Return the LaTeX of a name: ``alpha_N``, ``D'``, ``unique_tokens``."""
    prime = "'" if name.endswith("'") else ""
    base, *below = name.removesuffix("'").split("_", 1)
    if len(base) > 1 and base not in SYMBOLS and not (below and len(below[0]) == 1):
        return rf"\text{{{name}}}"
    text = (SYMBOLS.get(base, base) if len(base) == 1 or base in SYMBOLS else rf"\text{{{base}}}") + prime
    return f"{text}_{{{_subscript(below[0])}}}" if below else text


def _subscript(name: str) -> str:
    known = {**SYMBOLS, **SUBSCRIPTS}
    return known.get(name, name if len(name) == 1 or name.isdigit() else rf"\mathrm{{{name}}}")


def pieces(formula: str, words: Set[str] = frozenset()) -> Iterator[tuple[str, str]]:
    """Yield the parts of a formula between commas, each ("math", LaTeX) or ("text", Markdown).

    Parameters
    ----------
    formula : str
        As in ``Law.formula``.
    words : set of str
        Names of several letters that are symbols, such as columns.
    """
    for part in _split(formula):
        lead, rest = ("plus ", part[5:]) if part.startswith("plus ") else ("", part)
        try:
            yield "math", ("+ " if lead else "") + latex(rest, words)
        except NoFormulaError:
            yield "text", INLINE_SYMBOL.sub(lambda found: f"{{math}}`{symbol(found[0])}`", part)


def _split(formula: str) -> list[str]:
    """Split at commas and semicolons that stand in no bracket."""
    parts, depth = [""], 0
    for character in formula:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character in ",;" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def latex(formula: str, words: Set[str] = frozenset()) -> str:
    """Return the LaTeX of a formula.

    Raises
    ------
    NoFormulaError
        If it holds words that are no symbols, or is not well formed.
    """
    return _Parser(formula, words).formula()


class _Parser:
    """Reads by descent: equations, sums, products, powers, atoms. A quotient takes one factor on its right."""

    def __init__(self, text: str, words: Set[str]) -> None:
        self.text, self.words, self.place, self.in_exponent = text, words, 0, False

    def formula(self) -> str:
        sides = [self.sum()]
        while self.peek() == "=":
            self.take()
            sides.append(self.sum())
        if self.text[self.place :].strip():
            raise NoFormulaError(self.text)
        return " = ".join(sides)

    def sum(self) -> str:
        text = self.take() if self.peek() == "-" else ""
        text += self.product()
        while self.peek() in ("+", "-"):
            text += f" {self.take()} {self.product()}"
        return text

    def product(self) -> str:
        text, alone = self.factor()
        while True:
            if self.peek() == "/":
                self.take()
                text, alone = self.quotient((text, alone), self.factor()), None
            elif self.starts_factor():
                text, alone = f"{text}\\, {self.factor()[0]}", None
            else:
                return text

    def quotient(self, above: tuple[str, str | None], below: tuple[str, str | None]) -> str:
        if self.in_exponent:
            return f"{above[0]} / {below[0]}"
        return f"\\frac{{{above[1] or above[0]}}}{{{below[1] or below[0]}}}"

    def factor(self) -> tuple[str, str | None]:
        """Return a power, and what stands in its brackets if it is nothing but brackets."""
        text, inside = self.atom()
        if self.peek() != "^":
            return text, inside
        self.take()
        outer, self.in_exponent = self.in_exponent, True
        sign = self.take() if self.peek() == "-" else ""
        raised, bare = self.atom()
        self.in_exponent = outer
        return f"{text}^{{{sign}{bare or raised}}}", None

    def atom(self) -> tuple[str, str | None]:
        token = self.take()
        if token == "(":
            return self.brackets()
        if token in FUNCTIONS or (token and self.calls()):
            name = FUNCTIONS.get(token) or symbol(token)
            argument = self.factor()[0]
            return name + (" " if argument.startswith(r"\left(") else r"\, ") + argument, None
        if token == "sum_j":
            return r"\sum_j", None
        if token[:1].isdigit():
            return token, None
        if not self.is_symbol(token):
            raise NoFormulaError(self.text)
        return symbol(token), None

    def brackets(self) -> tuple[str, str]:
        inside = self.sum()
        while self.peek() == ",":
            inside += f"{self.take()} {self.sum()}"
        if self.take() != ")":
            raise NoFormulaError(self.text)
        return f"\\left({inside}\\right)", inside

    def is_symbol(self, name: str) -> bool:
        base, _, below = name.partition("_")
        counted = len(below) == 1 and any(word.startswith(f"{base}_") for word in self.words)  # rate_j for rate_1, ...
        return bool(ONE_LETTER.fullmatch(name)) or base in SYMBOLS or name in self.words or counted

    def calls(self) -> bool:
        """Whether a bracket follows at once, with no space that would make it a product."""
        return self.text[self.place : self.place + 1] == "("

    def starts_factor(self) -> bool:
        token = self.peek()
        return bool(token) and (token == "(" or token[0].isalnum())

    def peek(self) -> str:
        found = TOKEN.match(self.text, self.place)
        return found[found.lastindex] if found and found.lastindex else ""

    def take(self) -> str:
        found = TOKEN.match(self.text, self.place)
        if not found or not found.lastindex:
            raise NoFormulaError(self.text)
        self.place = found.end()
        return str(found[found.lastindex])
