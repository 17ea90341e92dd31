"""The page of references, from the package's own BibTeX."""

from collections.abc import Mapping

import bayescale as bs
from bayescale.laws.bibliography import METHOD, Entry, entries_for


def references_page() -> str:
    """Return every entry that laws, tables and methods cite, with who cites it."""
    cited = citations()
    entries = entries_for(cited)
    parts = [entry_text(entry, cited[entry.key]) for entry in entries if entry.key in cited]
    return (
        "# References\n\nThe papers behind laws, tables and methods, as the package ships them "
        "(`bayescale/laws/references.bib`). Years and venues are those of the version that is cited.\n\n"
        + "\n\n".join(parts)
    )


def citations() -> dict[str, list[str]]:
    """Return who cites each entry, by its key, as Markdown."""
    cited: dict[str, list[str]] = {}
    for law in bs.LAWS.values():
        for entry in entries_for([law.reference]):
            cited.setdefault(entry.key, []).append(f"[{law.name}](laws/{law.name}.md)")
    for table in bs.catalogue.list_tables():
        for entry in entries_for([str(table["reference"])]):
            cited.setdefault(entry.key, []).append(f"table {table['source']}")
    for entry in entries_for(METHOD):
        cited.setdefault(entry.key, []).append("the method")
    return cited


def entry_text(entry: Entry, cited: list[str]) -> str:
    """Return one entry: what it is, where it is, who cites it, and its BibTeX."""
    fields = entry.fields
    title = plain(fields.get("title", fields.get("note", entry.key)))
    who = ", ".join(dict.fromkeys(cited))
    lines = [f"## {title}", f"{names(fields)}{fields.get('year', '')}{address(fields)}", f"Cited by: {who}."]
    return "\n\n".join([*(line for line in lines if line), f"```bibtex\n{entry.bibtex}\n```"])


def names(fields: Mapping[str, str]) -> str:
    """Return the authors, most of a long list left out."""
    authors = [" ".join(reversed(name.split(", "))) for name in plain(fields.get("author", "")).split(" and ")]
    shown = f"{', '.join(authors[:3])} and others" if len(authors) > 4 else ", ".join(authors)
    return f"{shown}, " if shown else ""


def address(fields: Mapping[str, str]) -> str:
    """Return a link to where an entry can be read."""
    if "eprint" in fields:
        return f". [arXiv:{fields['eprint']}](https://arxiv.org/abs/{fields['eprint']})"
    if "doi" in fields:
        return f". [doi:{fields['doi']}](https://doi.org/{fields['doi']})"
    return f". <{fields['url']}>" if "url" in fields else ""


def plain(text: str) -> str:
    """Return a field without the braces that guard its capitals."""
    return text.replace("{", "").replace("}", "")
