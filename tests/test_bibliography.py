import re
import subprocess
import sys
from pathlib import Path

import bibtexparser
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bayescale
from bayescale.catalogue import list_tables
from bayescale.laws import LAWS
from bayescale.laws.bibliography import METHOD, OWN, Entry, bibtex, entries_for

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = Path(bayescale.__file__).with_name("laws").joinpath("references.bib").read_text(encoding="utf-8")
KEYS = [entry.key for entry in bibtexparser.parse_string(LIBRARY).entries]
ENTRIES = {entry.key: entry.bibtex for entry in entries_for(KEYS)}
VENUES = {"article": "journal", "inproceedings": "booktitle"}
HOSTILE = 'mine}\n}\n@article{evil,\n title={x}}\r\n\\input{/etc/passwd} 100% $a_b^c$ ~ # & " \u202e\x00\ud800 {'


def fields_of(entry):
    """Return the fields of the only entry that a text may hold, by a reader of BibTeX."""
    library = bibtexparser.parse_string(entry)
    assert not library.failed_blocks
    (only,) = library.entries
    return {field.key: field.value for field in only.fields}


def is_balanced(text):
    """Tell whether braces close as BibTeX counts them, which is every brace, behind a backslash too."""
    depth = 0
    for brace in re.findall(r"[{}]", text):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            return False
    return depth == 0


def tables():
    return [(table["name"], table["reference"]) for table in list_tables()]


def all_references():
    return [*((name, law.reference) for name, law in LAWS.items()), *tables()]


def surname(author):
    """Return the first author's surname as a key has it."""
    return re.sub(r"[^a-z]", "", author.split(",")[0].lower())


@pytest.mark.parametrize(("name", "reference"), all_references())
def test_every_paper_of_a_law_or_table_has_an_entry(name, reference):
    cited = entries_for([reference])
    papers = set(re.findall(r"arXiv:(\d{4}\.\d{4,5})", reference))
    assert {fields_of(entry.bibtex).get("eprint") for entry in cited} - {None} == papers
    assert len(cited) == len(papers) + reference.startswith("bayescale:") > 0, name


def test_every_paper_that_the_package_or_a_record_names_has_an_entry():
    ours = {fields_of(entry).get("eprint") for entry in ENTRIES.values()}
    for path in [*(ROOT / "bayescale").rglob("*.py"), *(ROOT / "data").glob("*.toml")]:
        assert set(re.findall(r"arXiv:(\d{4}\.\d{4,5})", path.read_text(encoding="utf-8"))) <= ours, path


@pytest.mark.parametrize(("name", "reference"), all_references())
def test_a_paper_is_of_the_author_and_year_that_the_reference_gives(name, reference):
    told = re.findall(r"([^;:]*), arXiv:(\d{4}\.\d{4,5})", reference)
    assert len(told) == reference.count("arXiv:"), name
    for words, paper in told:
        (entry,) = entries_for([f"arXiv:{paper}"])
        fields = fields_of(entry.bibtex)
        assert f"({fields['year']})" in words
        assert fields["author"].split(",")[0] in words


def test_the_file_is_nothing_but_entries_and_a_comment():
    read = bibtexparser.parse_string(LIBRARY)
    assert not read.failed_blocks
    assert len(read.blocks) == len(read.entries) + len(read.comments) == LIBRARY.count("\n@") + 1


def test_the_fields_of_an_entry_are_those_of_its_text():
    for entry in entries_for([*KEYS, OWN, "our logs, run 7"]):
        assert dict(entry.fields) == fields_of(entry.bibtex)


def test_the_file_is_sorted_and_says_each_thing_once():
    assert sorted(KEYS) == KEYS
    assert len(set(KEYS)) == len(KEYS) == LIBRARY.count("\n@")
    for field in ("eprint", "doi", "title"):
        values = [fields_of(entry)[field].lower() for entry in ENTRIES.values() if field in fields_of(entry)]
        assert len(set(values)) == len(values)


@pytest.mark.parametrize("key", KEYS)
def test_an_entry_is_whole(key):
    entry = ENTRIES[key]
    fields = fields_of(entry)
    kind = re.match(r"@(\w+)\{", entry)[1]
    assert is_balanced(entry)
    assert all(is_balanced(value) for value in fields.values())
    assert entry.isascii()
    assert len(entry.splitlines()) == len(fields) + 2  # nothing beside fields, and none twice
    assert {"author", "title", "year"} <= set(fields)
    assert kind == "misc" or VENUES[kind] in fields
    assert ("eprint" in fields) == ("archivePrefix" in fields)
    assert "eprint" in fields or "doi" in fields
    assert key.startswith(surname(fields["author"]) + fields["year"])


@pytest.mark.parametrize(
    "text",
    [
        "Hoffmann et al. (2022), arXiv:2203.15556",
        "https://arxiv.org/abs/2203.15556v1",
        "https://arxiv.org/pdf/2203.15556.",
        "doi:10.48550/arXiv.2203.15556",
        "ARXIV 2203.15556; see there",
        "hoffmann2022training",
    ],
)
def test_a_paper_is_found_however_it_is_named(text):
    assert [entry.key for entry in entries_for([text])] == ["hoffmann2022training"]


@pytest.mark.parametrize("text", ["doi:10.1214/17-BA1091", "(https://doi.org/10.1214/17-ba1091).", "yao2018using"])
def test_a_paper_is_found_by_its_doi(text):
    assert [entry.key for entry in entries_for([text])] == ["yao2018using"]


def test_one_text_may_cite_several_papers():
    keys = [entry.key for entry in entries_for(["points of arXiv:2203.15556, read by arXiv:2404.10102"])]
    assert keys == ["besiroglu2024chinchilla", "hoffmann2022training"]


def test_the_order_is_that_of_the_keys_whatever_comes_first():
    references = [reference for _, reference in all_references()] + ["our logs, run 7"]
    assert bibtex(references) == bibtex(reversed(references)) == bibtex(references * 2)
    keys = [entry.key for entry in bibtexparser.parse_string(bibtex(references)).entries]
    assert keys == sorted(set(keys))


def test_a_law_of_our_own_cites_what_the_citation_file_says():
    (entry,) = entries_for(["bayescale: compute_floor with slopes"])
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    fields = fields_of(entry.bibtex)
    assert entry.key == OWN
    assert fields["note"] == f"Version {bayescale.__version__}"
    assert f'\ntitle: "{fields["title"].replace("{", "").replace("}", "")}"\n' in citation
    assert f'\n  - name: "{fields["author"].strip("{}")}"\n' in citation


def test_a_law_of_our_own_cites_the_paper_it_is_for_too():
    assert [entry.key for entry in entries_for([LAWS["datastore"].reference])] == [OWN, "shao2024scaling"]


def test_the_method_is_cited_by_keys_that_exist():
    assert {entry.key for entry in entries_for(METHOD)} == set(METHOD)
    assert list(METHOD[1:]) == sorted(METHOD[1:])


def test_words_without_a_known_paper_are_a_note():
    (entry,) = entries_for(["  A. N. Other,\n internal   report 7 "])
    assert entry.bibtex.splitlines()[1:] == ["  note = {A. N. Other, internal report 7},", "}"]
    assert re.fullmatch(r"@misc\{reference[0-9a-f]{12},", entry.bibtex.splitlines()[0])


def test_a_paper_that_we_do_not_know_stays_in_words_beside_those_that_we_know():
    found = entries_for(["as arXiv:9901.12345, after arXiv:2203.15556"])
    assert found[0].key == "hoffmann2022training"
    assert fields_of(found[1].bibtex)["note"] == "as arXiv:9901.12345, after arXiv:2203.15556"


def test_the_same_words_are_one_entry_and_other_words_another():
    assert len(entries_for(["my runs", "my  runs\n", "your runs"])) == 2


@pytest.mark.parametrize("nothing", [[], [""], ["  \n", "\x00"]])
def test_nothing_is_cited_by_nothing(nothing):
    assert entries_for(nothing) == ()
    assert bibtex(nothing) == ""


def test_hostile_words_cannot_leave_their_note():
    text = bibtex([HOSTILE, "arXiv:2203.15556"])
    assert re.findall(r"^@\w+\{", text, re.MULTILINE) == ["@misc{", "@misc{"]
    (entry,) = entries_for([HOSTILE])
    note = fields_of(entry.bibtex)["note"]
    assert is_balanced(note)
    assert note == (
        r"mine\textbraceright{} \textbraceright{} @article\textbraceleft{}evil, title=\textbraceleft{}x"
        r"\textbraceright{}\textbraceright{} \textbackslash{}input\textbraceleft{}/etc/passwd\textbraceright{} "
        r"100\% \$a\_b\textasciicircum{}c\$ \textasciitilde{} \# \& "
        '" \\textbraceleft{}'
    )


@given(st.text(st.characters(), max_size=60))
def test_any_words_make_one_entry_that_closes(words):
    found = entries_for([words])
    assert len(found) <= 1
    for entry in found:
        assert isinstance(entry, Entry)
        assert is_balanced(entry.bibtex)
        assert len(entry.bibtex.splitlines()) == 3
        entry.bibtex.encode()  # no half of a character


@given(st.text(st.sampled_from('\\{}$&#%_^~\n@"\x85\u2028 ,='), max_size=20))
def test_no_special_character_is_left_bare(words):
    for entry in entries_for([words]):
        note = fields_of(entry.bibtex)["note"]
        bare = re.sub(r"\\text(?:backslash|brace(?:left|right)|ascii(?:circum|tilde))\{\}|\\[$&#%_]", "", note)
        assert not set(bare) & set("\\{}$&#%_^~\n")


def test_laws_and_their_bibliography_load_neither_a_table_library_nor_a_sampler():
    check = (
        "import sys, bayescale.laws.bibliography as b; b.bibtex(b.METHOD); "
        "print([m for m in ('pandas', 'scipy', 'xarray', 'arviz', 'pymc', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
