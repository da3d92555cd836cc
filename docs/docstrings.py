"""Griffe extension: turns the plain-text docstrings into Markdown for the reference pages."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import Any

import griffe

_NAMED = re.compile(r'(?P<names>["\w]+(?:, ["\w]+)*):\s+(?P<text>\S.*)')


class PlainText(griffe.Extension):
    """Rewrites the docstring of every object that is collected."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:  # noqa: ARG002 - griffe's signature
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text: str) -> str:
    """Fence doctests and layouts, make lists of `name: meaning` lines, and leave other paragraphs as they are."""
    return "\n\n".join(_paragraph(paragraph) for paragraph in text.split("\n\n"))


def _paragraph(paragraph: str) -> str:
    if paragraph.startswith(">>>"):
        return f"```pycon\n{paragraph}\n```"
    if paragraph.startswith("<"):
        return f"```text\n{paragraph}\n```"
    lines = paragraph.split("\n")
    if not _NAMED.fullmatch(lines[0]):
        return paragraph
    named = list(takewhile(lambda line: line.startswith(" ") or _NAMED.fullmatch(line), lines))
    items = [_NAMED.sub(r"- **\g<names>**: \g<text>", line) if not line.startswith(" ") else line for line in named]
    return "\n".join([*items, "", *lines[len(named) :]])
