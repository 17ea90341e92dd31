"""The report as one self-contained document: made whole by make_report, or written of finished results."""

from bayescale.report.making import Report, make_report
from bayescale.report.writing import check_report_name, write_report

__all__ = ["Report", "check_report_name", "make_report", "write_report"]
