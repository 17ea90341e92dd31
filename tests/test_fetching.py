"""Fetching: what is verified, resumed, retried and refused, against a server on this machine."""

import hashlib
import pickle
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bayescale.catalogue import fetching
from bayescale.catalogue.fetching import RemoteFile, UnreachableError, data_cache, fetch_file, fetched_file, is_fetched
from bayescale.errors import InputError

CONTENT = b"".join(b"run%06d,1e8,2e9,3.5\n" % row for row in range(20_000))  # several chunks
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BAYESCALE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BAYESCALE_MIRROR", raising=False)
    monkeypatch.setattr("pooch.core.time.sleep", lambda _: None)


class Handler(BaseHTTPRequestHandler):
    """Serves one content in the ways that the server's script says, one step per request."""

    def do_GET(self):
        server = self.server
        server.asked.append((self.path, self.headers.get("Range")))
        step = server.script.pop(0) if server.script else "whole"
        if isinstance(step, int):
            self.send_error(step)
            return
        if step == "elsewhere":
            self.send_response(302)
            self.send_header("Location", self.path)
            self.end_headers()
            return
        start = 0
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted and step != "no ranges":
            start = int(wanted[1])
        if start >= len(server.content):
            self.send_error(416)
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if step == "dribble":
            self.dribble(body)
            return
        self.wfile.write(body[: len(body) // 2] if step == "broken" else body)

    def dribble(self, body):
        """Send a byte now and then, until nobody listens."""
        try:
            for place in range(len(body)):
                self.wfile.write(body[place : place + 1])
                threading.Event().wait(0.01)  # time.sleep is replaced
        except OSError:
            return

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.script, server.content = [], [], CONTENT
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def remote(server=None, **facts):
    address = f"http://127.0.0.1:{server.server_port}/upstream/runs.csv" if server else "http://127.0.0.1:9/runs.csv"
    return RemoteFile(
        **{"source": "s", "name": "runs.csv", "sha256": SHA256, "bytes": len(CONTENT)} | facts, address=address
    )


def kept():
    return sorted(path.name for path in data_cache().rglob("*") if path.is_file())


def test_a_file_is_downloaded_once_and_verified(server):
    seen = []
    path = fetch_file(remote(server), progress=lambda *facts: seen.append(facts))
    assert path == data_cache() / "s" / "runs.csv"
    assert path.read_bytes() == CONTENT
    assert seen[-1] == ("runs.csv", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert fetch_file(remote(server)) == path
    assert server.asked == [("/upstream/runs.csv", None)]
    assert kept() == ["runs.csv"]


def test_an_interrupted_download_goes_on_where_it_ended(server):
    server.script = ["broken"]
    assert fetch_file(remote(server)).read_bytes() == CONTENT
    (_, first), (_, second) = server.asked
    assert first is None
    assert int(second.removeprefix("bytes=").removesuffix("-")) > 0
    assert kept() == ["runs.csv"]


def test_a_part_is_kept_for_the_next_call_when_all_attempts_fail(server):
    server.script = ["broken", 503, 429, 500]
    with pytest.raises(
        InputError, match=r"cannot be downloaded after 4 attempts .*500.*try again, what has come is kept"
    ):
        fetch_file(remote(server))
    assert kept() == ["runs.csv.part"]
    assert not is_fetched(remote(server))
    assert fetch_file(remote(server)).read_bytes() == CONTENT
    assert server.asked[-1][1] is not None


def test_a_part_longer_than_the_file_upstream_is_dropped_and_begun_again(server):
    part = data_cache() / "s" / "runs.csv.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:300_000])
    server.content = CONTENT[:200_000]
    file = remote(server, sha256=hashlib.sha256(server.content).hexdigest(), bytes=400_000)
    assert fetch_file(file).read_bytes() == server.content
    assert [asked for _, asked in server.asked] == ["bytes=300000-", None]


@pytest.mark.parametrize(("step", "said"), [(404, "404"), (403, "403"), (410, "410"), ("elsewhere", "redirects")])
def test_an_answer_that_will_stay_the_same_is_not_asked_for_again(server, step, said):
    server.script = [step] * 40
    with pytest.raises(InputError, match=f"cannot be downloaded .*{said}.*asking again would not help") as caught:
        fetch_file(remote(server))
    assert "network" not in str(caught.value)
    assert len(server.asked) == (1 if isinstance(step, int) else 31)
    assert kept() == []


def test_an_address_that_is_none_is_asked_once(monkeypatch):
    slept = []
    monkeypatch.setattr("pooch.core.time.sleep", slept.append)
    with pytest.raises(InputError, match="asking again would not help"):
        fetch_file(remote(), mirror="http://[broken")
    assert slept == []


def test_a_server_that_sends_hardly_anything_is_given_up(server, monkeypatch):
    monkeypatch.setattr(fetching, "TIMEOUT", 0.5)
    server.script = ["dribble"] * 4
    with pytest.raises(UnreachableError, match="fewer than 1000 bytes a second"):
        fetch_file(remote(server))


def test_a_part_that_points_elsewhere_is_not_written_through(server, tmp_path):
    part = data_cache() / "s" / "runs.csv.part"
    part.parent.mkdir(parents=True)
    other = tmp_path / "other"
    other.write_bytes(CONTENT[:1000])
    part.symlink_to(other)
    assert fetch_file(remote(server)).read_bytes() == CONTENT
    assert other.read_bytes() == CONTENT[:1000]


@pytest.mark.parametrize("name", ["runs.csv", "runs.csv.part"])
def test_a_folder_in_place_of_a_file_is_named(server, name):
    (data_cache() / "s" / name).mkdir(parents=True)
    with pytest.raises(InputError, match=f"{name}: a folder is in the place of a file; remove it"):
        fetch_file(remote(server))


@pytest.mark.parametrize(
    "facts",
    [
        {"source": ".."},
        {"source": "."},
        {"source": ""},
        {"source": "a\\b"},
        {"source": "C:"},
        {"name": "a\x1b.csv"},
        {"name": "..\\x.csv"},
        {"source": "\u202e"},
    ],
)
def test_a_name_that_leads_elsewhere_or_steers_a_terminal_is_refused(facts):
    with pytest.raises(InputError, match="directly in the folder of its source"):
        remote(**facts)


def test_a_server_without_ranges_restarts_the_download(server):
    server.script = ["broken", "no ranges"]
    assert fetch_file(remote(server)).read_bytes() == CONTENT
    assert server.asked[1][1] is not None


@pytest.mark.parametrize("length", [1000, len(CONTENT), len(CONTENT) + 5])
def test_a_part_of_something_else_is_not_used(server, length):
    part = data_cache() / "s" / "runs.csv.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * length)
    assert fetch_file(remote(server)).read_bytes() == CONTENT
    assert kept() == ["runs.csv"]


def test_a_file_that_changed_upstream_is_refused_and_removed(server):
    server.content = CONTENT.replace(b"3.5", b"3.6", 1)
    found = hashlib.sha256(server.content).hexdigest()
    with pytest.raises(InputError) as caught:
        fetch_file(remote(server))
    message = str(caught.value)
    assert message.startswith(
        f"http://127.0.0.1:{server.server_port}/upstream/runs.csv: expected runs.csv with SHA-256"
    )
    assert f"{SHA256}, found {found}; the download was removed and not used" in message
    assert kept() == []


def test_a_download_that_does_not_end_is_cut(server):
    server.content = CONTENT * 20
    seen = []
    with pytest.raises(InputError, match=r"expected runs\.csv"):
        fetch_file(remote(server), progress=lambda *facts: seen.append(facts[1]))
    assert max(seen) <= len(CONTENT) + fetching.CHUNK
    assert kept() == []


def test_an_unreachable_server_is_told_with_the_remedy():
    with pytest.raises(
        UnreachableError, match=r"check the network and try again.*or give --mirror or BAYESCALE_MIRROR"
    ):
        fetch_file(remote())


def test_a_cached_file_that_changed_is_refused_and_removed(server):
    path = fetch_file(remote(server))
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(
        InputError, match=f"expected runs.csv with SHA-256 {SHA256}.*removed and not used: fetch it again"
    ):
        fetched_file(remote(server))
    assert kept() == []


def test_fetching_mends_a_cached_file_that_changed(server):
    path = fetch_file(remote(server))
    path.write_bytes(b"spoilt")
    assert fetch_file(remote(server)).read_bytes() == CONTENT


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mirror" / "s").mkdir(parents=True)
    (tmp_path / "mirror" / "s" / "runs.csv").write_bytes(CONTENT)
    return tmp_path / "mirror"


def test_a_folder_serves_as_mirror(folder, monkeypatch):
    assert fetch_file(remote(), mirror=folder).read_bytes() == CONTENT
    (data_cache() / "s" / "runs.csv").unlink()
    monkeypatch.setenv("BAYESCALE_MIRROR", str(folder))
    assert fetch_file(remote()).read_bytes() == CONTENT


def test_an_address_serves_as_mirror(server):
    fetch_file(remote(), mirror=f"http://127.0.0.1:{server.server_port}/company/")
    assert server.asked == [("/company/s/runs.csv", None)]


def test_a_changed_file_of_a_mirror_is_refused_and_left_alone(folder):
    (folder / "s" / "runs.csv").write_bytes(b"other")
    with pytest.raises(InputError, match="not used: mend the mirror"):
        fetch_file(remote(), mirror=folder)
    assert kept() == []
    assert (folder / "s" / "runs.csv").read_bytes() == b"other"


def test_a_mirror_without_the_file_says_its_layout(folder):
    with pytest.raises(
        InputError, match=r"there is no such file; a mirror holds each file as SOURCE/NAME, here s/no.csv"
    ):
        fetch_file(remote(name="no.csv"), mirror=folder)


@pytest.mark.parametrize("mirror", ["file:///etc", "ftp://example.org", "s3://bucket"])
def test_other_kinds_of_addresses_are_refused(mirror):
    with pytest.raises(InputError, match="begins with https:// or http://"):
        fetch_file(remote(), mirror=mirror)


@pytest.mark.parametrize("name", ["a.pkl", "a.pickle.xz", "a.npy", "a.csv.pkl", "../a.csv", "b/a.csv", "a.zip", ""])
def test_pickles_and_other_places_are_refused(name):
    with pytest.raises(InputError, match="pickles and other formats that can run code are never fetched or read"):
        remote(name=name)


def test_nothing_in_the_package_can_load_a_pickle_of_others():
    package = Path(fetching.__file__).parent
    sources = list(package.rglob("*.py"))
    assert {"__init__.py", "fetching.py", "vocab_scaling.py"} <= {source.name for source in sources}
    for source in sources:
        assert not re.search(r"import pickle|read_pickle|allow_pickle|joblib|\beval\(|\bexec\(", source.read_text())


def test_a_pickle_under_the_name_of_a_table_is_refused(folder):
    (folder / "s" / "runs.csv").write_bytes(pickle.dumps({"N": 1}))
    with pytest.raises(InputError, match=r"expected runs\.csv with SHA-256"):
        fetch_file(remote(), mirror=folder)
