"""Docstrings' plain characters, and bibliographies', as HTML: ``h_(l-1) <- f(z)^2``."""

from __future__ import annotations

import re
import unicodedata

from markupsafe import Markup, escape

_GREEK = {
    "alpha": "α", "beta": "β", "chi": "χ", "epsilon": "ε", "theta": "θ", "sigma": "σ", "phi": "φ",
    "Phi": "Φ",
}  # fmt: skip
_SIGNS = [
    (r"<-", "←"),
    (r"<=", "≤"),
    (r">=", "≥"),
    (r"\+-", "±"),
    (r"\|\|", "‖"),
    (r"\.\.\.", "…"),
    (r"<(\w+(?: \w+)*)>", r"⟨\1⟩"),  # an average, <v h>
    (r" - ", " − "),
    (r"sqrt(?=\()", "√"),
    (r"\bsum(?=_)", "Σ"),
    (r"\bprod(?=_)", "Π"),
    (r"\bz_hat\b", "ẑ"),
    # f'(z) and W', but neither "the layer's" nor "the gates' weights"
    (r"(?<=[\w)])(?<![a-z]{3}s)'(?!s\b)", "′"),
    *((rf"(?<![A-Za-z_]){name}(?![A-Za-z])", letter) for name, letter in _GREEK.items()),
]
_BRACKETS = r"\([^()]*\)"
for _ in range(2):  # as deep as any docstring goes
    _BRACKETS = rf"\((?:[^()]|{_BRACKETS})*\)"
# what may have an index: one letter, an average, and the few names that the docstrings index;
# fan_in, cd_k and their like are names as a whole
_BELOW = re.compile(
    r"((?<![A-Za-z0-9_])(?:[A-Za-zα-ωΦΣΠẑ]|weight|bias|momentum|logits)|⟩)"
    rf"_({_BRACKETS}|\w+)"
)
_ABOVE = re.compile(rf"\^({_BRACKETS}|-?\w+)")
_WHOLE = {"weight_sd", "bias_sd", "weight_norm"}


def formula(text: str) -> Markup:
    """Text with its formulas, escaped: signs, Greek letters, indices and powers."""
    for pattern, sign in _SIGNS:
        text = re.sub(pattern, sign, text)
    html = str(escape(text))
    html = re.sub(r"``(.+?)``", r"<code>\1</code>", html)
    html = _BELOW.sub(_below, html)
    return Markup(_ABOVE.sub(lambda match: f"<sup>{_inner(match[1])}</sup>", html))


def _below(match: re.Match) -> str:
    base, index = match.groups()
    # fan_in is a name, and so is weight_sd; weight_ij and momentum_(t+1) are indexed
    if match[0] in _WHOLE or (len(base) > 1 and index[0] != "(" and len(index) > 2):
        return match[0]
    return f"{base}<sub>{_inner(index)}</sub>"


def _inner(text: str) -> str:
    return text.removeprefix("(").removesuffix(")").replace("-", "−")


_ACCENTS = {
    "'": "\u0301",
    "`": "\u0300",
    '"': "\u0308",
    "^": "\u0302",
    "~": "\u0303",
    "c": "\u0327",
}


def unlatex(text: str) -> str:
    r"""A bibliography value as plain text: M{\"u}ller, pages 1--2, ``quoted``."""
    text = re.sub(
        r"""\\(['`"^~c])\{?([A-Za-z])\}?""",
        lambda match: unicodedata.normalize("NFC", match[2] + _ACCENTS[match[1]]),
        text,
    )
    text = text.replace("---", "—").replace("--", "–").replace("``", "“").replace("''", "”")
    return re.sub(r"[{}]|\\(?=[&%_#$])", "", text)
