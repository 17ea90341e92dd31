"""The page of a report as PDF, by WeasyPrint, which is not always there."""

from collections.abc import Iterable
from datetime import UTC, datetime

from bayescale.errors import InputError
from bayescale.report.figures import Picture

REMEDY = (
    "install bayescale[pdf] and the Pango library that WeasyPrint draws with (libpango on Linux, pango of Homebrew on "
    "a Mac), or write .html and print it from a browser"
)


def check_pdf() -> None:
    """Raise InputError if PDF cannot be made here."""
    try:
        import weasyprint  # noqa: F401, PLC0415  (an extra)
    except ImportError as error:
        raise InputError(f"a report as PDF needs WeasyPrint, which is not installed; {REMEDY}") from error
    except OSError as error:  # the wheel is there, and the library it draws with is not
        raise InputError(f"a report as PDF needs the library Pango ({error}); {REMEDY}") from error


def page_as_pdf(page: str, pictures: Iterable[Picture]) -> bytes:
    """Return an HTML page as PDF, the data of its figures attached; the same bytes for the same page."""
    import weasyprint  # noqa: PLC0415  (an extra)

    when = {"created": datetime.fromtimestamp(0, UTC), "modified": datetime.fromtimestamp(0, UTC)}
    files = [weasyprint.Attachment(string=each.csv, name=f"{each.name}.csv", **when) for each in pictures]
    content: bytes = weasyprint.HTML(string=page).write_pdf(pdf_identifier=b"bayescale", attachments=files)
    return content
