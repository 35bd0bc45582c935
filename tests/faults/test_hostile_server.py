"""A server that means harm: everything is refused in one sentence, soon, and nothing is left."""

import contextlib
import gzip
import hashlib
import http.server
import json
import threading
import time

import pytest

from grnjax.data.download import REGISTRY, PublicSet, fetch_archives
from grnjax.data.https import fetch
from grnjax.errors import GrnjaxError

CONTENT = b"genes" * 20_000
PUBLIC = PublicSet(record=7, files={"a.zip": 1}, holds="", licence="", source="")
FILE, RECORD = "/records/7/files/a.zip?download=1", "/api/records/7"


def state(size=100_000, content=CONTENT):
    checksum = f"md5:{hashlib.md5(content).hexdigest()}"
    return json.dumps({"files": [{"key": "a.zip", "size": size, "checksum": checksum}]}).encode()


@contextlib.contextmanager
def serve(answers):
    """A server with a function of the handler for each path; others are not found."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path not in answers:
                self.send_error(404)
                return
            with contextlib.suppress(ConnectionError):
                answers[self.path](self)

        def log_message(self, *words):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        web.daemon_threads = True
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{web.server_port}"
        web.shutdown()


def give(content, *headers, status=200, length=True):
    """An answer with this content."""

    def answer(handler):
        handler.send_response(status)
        for name, value in headers:
            handler.send_header(name, value)
        if length:
            handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def redirect(to):
    return give(b"", ("Location", to), status=302)


def without_end(handler):
    """Bytes for as long as they are taken, with no length stated."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x" * 65_536)


def drip(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(CONTENT)))
    handler.end_headers()
    for byte in CONTENT:
        handler.wfile.write(bytes([byte]))
        time.sleep(0.05)


def drip_headers(handler):
    for byte in b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 1000:
        handler.wfile.write(bytes([byte]))
        time.sleep(0.05)


def loop(handler):
    redirect(handler.path)(handler)


HOSTILE = {  # answers beside the record, and what is said
    "redirect to http": ({FILE: redirect("http://example.org/a.zip")}, "is no https address"),
    "redirect to a name": ({FILE: redirect("http://localhost./a.zip")}, "is no https address"),
    "redirect to a file": ({FILE: redirect("file:///etc/passwd")}, "is no https address"),
    "redirect to ftp": ({RECORD: redirect("ftp://127.0.0.1/a")}, "is no https address"),
    "redirect in a circle": ({FILE: loop}, "more than 5 redirects"),
    "no end": ({FILE: without_end}, "gives more than the 100,000 bytes"),
    "record without end": ({RECORD: without_end}, "gives more than the 5,000,000 bytes"),
    "too long": ({FILE: give(CONTENT + b"!")}, "is to have '100001' bytes, and may have 100,000"),
    "too short": ({FILE: give(CONTENT[:-1])}, "99,999 bytes that came do not have the md5"),
    "other bytes": ({FILE: give(CONTENT[::-1])}, "do not have the md5"),
    "absurd length": (
        {FILE: give(b"", ("Content-Length", "-5"), length=False)},
        "'-5' bytes|fetch",
    ),
    "drip": ({FILE: drip}, "did not come within 1 seconds"),
    "drip of headers": ({FILE: drip_headers}, "did not come within 1 seconds"),
    "drip of the record": ({RECORD: drip}, "did not come within 1 seconds"),
    "gzip": (
        {FILE: give(gzip.compress(CONTENT), ("Content-Encoding", "gzip"))},
        "comes in the encoding 'gzip'",
    ),
    "gzip bomb as record": (
        {RECORD: give(gzip.compress(bytes(10**7)), ("Content-Encoding", "gzip"))},
        "comes in the encoding 'gzip'",
    ),
    "size beyond the catalogue": ({RECORD: give(state(size=4 * 10**8))}, "about 1 MB by the cata"),
    "negative size": ({RECORD: give(state(size=-1))}, "states -1 bytes"),
    "deep record": ({RECORD: give(b"[" * 100_000)}, "is not a record of Zenodo"),
    "escape in a name": (
        {
            RECORD: give(
                json.dumps({"files": [{"key": "\x1b[2J", "size": 1, "checksum": "md5:1"}]}).encode()
            )
        },
        r"lists no file a.zip; it has \\x1b",
    ),
}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused_in_one_sentence_and_nothing_is_left(name, tmp_path):
    answers, said = HOSTILE[name]
    begun = time.monotonic()
    with serve({RECORD: give(state()), FILE: give(CONTENT)} | answers) as url:
        with pytest.raises(GrnjaxError, match=said) as error:
            fetch_archives(PUBLIC, tmp_path, url, seconds=1 if "drip" in name else 20)
    assert str(error.value).isprintable()
    assert time.monotonic() - begun < 10
    assert [*tmp_path.iterdir()] == []


def test_http_is_refused_but_on_this_machine(tmp_path):
    for url in ("http://zenodo.org", "http://127.0.0.1.example.org", "http://10.0.0.1", "ftp://a"):
        with pytest.raises(GrnjaxError, match="is no https address"):
            fetch_archives(PUBLIC, tmp_path, url)
    assert [*tmp_path.iterdir()] == []


def test_a_redirect_that_stays_is_followed(tmp_path):
    with serve({RECORD: give(state()), FILE: redirect("/b"), "/b": give(CONTENT)}) as url:
        [path] = fetch_archives(PUBLIC, tmp_path, url)
    assert path.read_bytes() == CONTENT


def test_a_changed_registry_does_not_vouch_for_a_changed_file(tmp_path):
    with serve({RECORD: give(state()), FILE: give(CONTENT)}) as url:
        [path] = fetch_archives(PUBLIC, tmp_path, url)
        whole = (tmp_path / REGISTRY).read_bytes()

        def change(**entry):
            registry = json.loads(whole)
            registry["a.zip"] |= entry
            (tmp_path / REGISTRY).write_text(json.dumps(registry))

        path.write_bytes(b"changed")
        change(sha256=hashlib.sha256(b"changed").hexdigest())
        with pytest.raises(GrnjaxError, match="SHA-256 that .*registry.json has of the first"):
            fetch_archives(PUBLIC, tmp_path, url)
        change(md5=hashlib.md5(b"changed").hexdigest())
        with pytest.raises(GrnjaxError, match="files of a record never change"):
            fetch_archives(PUBLIC, tmp_path, url)
        (tmp_path / REGISTRY).write_text('{"a.zip": 5}')
        with pytest.raises(GrnjaxError, match="is damaged"):
            fetch_archives(PUBLIC, tmp_path, url)
        (tmp_path / REGISTRY).unlink()
        assert fetch_archives(PUBLIC, tmp_path, url)[0].read_bytes() == CONTENT


def test_a_record_that_changes_its_mind_is_refused(tmp_path):
    with serve({RECORD: give(state()), FILE: give(CONTENT)}) as url:
        [path] = fetch_archives(PUBLIC, tmp_path, url)
    other = b"x" * len(CONTENT)
    with serve({RECORD: give(state(content=other)), FILE: give(other)}) as url:
        with pytest.raises(GrnjaxError, match="files of a record never change"):
            fetch_archives(PUBLIC, tmp_path, url)
    assert path.read_bytes() == CONTENT


def test_identity_is_asked_for_and_a_slow_end_writes_nothing_more(tmp_path):
    asked = []

    def note(handler):
        asked.append(handler.headers["Accept-Encoding"])
        drip(handler)

    with serve({"/a": note}) as url:
        with pytest.raises(GrnjaxError, match="within 0.5 seconds"):
            fetch(f"{url}/a", tmp_path / "a", size=len(CONTENT), seconds=0.5)
        size = (tmp_path / "a").stat().st_size
        time.sleep(0.3)
    assert asked == ["identity"] and (tmp_path / "a").stat().st_size == size < 20
