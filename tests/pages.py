"""A report's page as a browser reads it."""

import re
from contextlib import nullcontext
from html.parser import HTMLParser
from unittest import mock

from bayescale.report import figures, write_report

VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """Collects what a browser would act on, and the text outside style sheets."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.ids, self.loads, self.handlers, self.words = [], [], [], [], []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        self.loads += [value for name, value in attrs if name in ("src", "href", "xlink:href", "data", "action")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & {*self.open}:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words).replace("\N{NO-BREAK SPACE}", " "))


def page_of(tmp_path, *finished, drawn=False, **options) -> Page:
    """Write a report and read it; figures take most of the time, so they are left out unless asked for."""
    empty = dict.fromkeys(figures.SECTIONS, ())
    undrawn = mock.patch("bayescale.report.writing.draw_figures", autospec=True, return_value=empty)
    with nullcontext() if drawn else undrawn:
        write_report(tmp_path / "r.html", *finished, **options)
    return Page((tmp_path / "r.html").read_text(encoding="utf-8"))
