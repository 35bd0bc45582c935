import dataclasses
import hashlib
import http.server
import json
import os
import threading

import pytest

from grnjax.data import download
from grnjax.data.download import CATALOGUE, REGISTRY, PublicSet, fetch_archives
from grnjax.errors import GrnjaxError

PUBLIC = PublicSet(
    record=7, files={"a.zip": 1, "b.zip": 1}, holds="letters", licence="any", source="nobody"
)
CONTENTS = {"a.zip": b"a" * 70_000, "b.zip": b"b" * 10}


class Server:
    """Zenodo on the loopback interface: a record and its files, each request noted."""

    def __init__(self):
        self.record = {
            "metadata": {"license": {"id": "cc-by-4.0"}},
            "files": [
                {"key": name, "size": len(content), "checksum": f"md5:{digest(content, 'md5')}"}
                for name, content in CONTENTS.items()
            ],
        }
        self.contents = dict(CONTENTS)
        self.asked = []
        self.cut = False  # whether connections break halfway through a file

    def answer(self, path: str) -> bytes | None:
        self.asked.append(path)
        if path == "/api/records/7":
            record = self.record
            return record if isinstance(record, bytes) else json.dumps(record).encode()
        name = path.removeprefix("/records/7/files/").removesuffix("?download=1")
        return self.contents.get(name)


def digest(content: bytes, algorithm: str) -> str:
    return hashlib.new(algorithm, content).hexdigest()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            content = state.answer(self.path)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            broken = state.cut and "files" in self.path
            self.wfile.write(content[: len(content) // 2] if broken else content)

        def log_message(self, *words):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        state.url = f"http://127.0.0.1:{web.server_port}"
        yield state
        web.shutdown()


def names_in(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_files_arrive_whole_and_the_second_fetch_asks_for_the_record_alone(server, tmp_path):
    folder = tmp_path / "archives"
    paths = fetch_archives(PUBLIC, folder, server.url)
    assert {path.name: path.read_bytes() for path in paths} == CONTENTS
    assert names_in(folder) == ["a.zip", "b.zip", REGISTRY]
    entry = json.loads((folder / REGISTRY).read_text())["b.zip"]
    assert entry["sha256"] == digest(CONTENTS["b.zip"], "sha256")
    assert entry["md5"] == digest(CONTENTS["b.zip"], "md5")
    assert entry["url"] == f"{server.url}/records/7/files/b.zip?download=1"

    server.asked.clear()
    assert fetch_archives(PUBLIC, folder, server.url) == paths
    assert server.asked == ["/api/records/7"]


def test_without_its_server_what_came_before_is_used_and_what_that_shows_is_said(
    server, tmp_path, caplog
):
    paths = fetch_archives(PUBLIC, tmp_path, server.url)
    assert fetch_archives(PUBLIC, tmp_path, "http://127.0.0.1:9") == paths
    assert "cannot be fetched" in caplog.text and "have not changed since" in caplog.text
    (tmp_path / "a.zip").write_bytes(b"damage")
    with pytest.raises(GrnjaxError, match="cannot be fetched"):
        fetch_archives(PUBLIC, tmp_path, "http://127.0.0.1:9")


def test_a_checksum_of_the_catalogue_counts_and_needs_no_server(server, tmp_path):
    pinned = {name: digest(content, "sha256") for name, content in CONTENTS.items()}
    public = dataclasses.replace(PUBLIC, sha256=pinned)
    paths = fetch_archives(public, tmp_path, server.url)
    server.asked.clear()
    (tmp_path / REGISTRY).write_text("{}")
    assert fetch_archives(public, tmp_path, "https://192.0.2.1") == paths
    other = dataclasses.replace(PUBLIC, sha256={**pinned, "a.zip": digest(b"other", "sha256")})
    with pytest.raises(GrnjaxError, match="do not have the sha256"):
        fetch_archives(other, tmp_path / "other", server.url)
    assert names_in(tmp_path / "other") == []


def test_what_a_first_use_rests_on_is_said(server, tmp_path, caplog):
    caplog.set_level("INFO")
    fetch_archives(PUBLIC, tmp_path, server.url)
    assert (
        f"a.zip: SHA-256 {digest(CONTENTS['a.zip'], 'sha256')}, taken on first use" in caplog.text
    )


def test_a_file_that_has_changed_is_fetched_again_alone(server, tmp_path, caplog):
    fetch_archives(PUBLIC, tmp_path, server.url)
    server.asked.clear()
    (tmp_path / "a.zip").write_bytes(b"damage")
    fetch_archives(PUBLIC, tmp_path, server.url)
    assert (tmp_path / "a.zip").read_bytes() == CONTENTS["a.zip"]
    assert server.asked == ["/api/records/7", "/records/7/files/a.zip?download=1"]
    assert "a.zip has changed since it was fetched" in caplog.text


def test_a_file_put_there_by_hand_is_taken_if_the_record_describes_it(server, tmp_path):
    for name in CONTENTS:
        (tmp_path / name).write_bytes(CONTENTS[name])
    fetch_archives(PUBLIC, tmp_path, server.url)
    assert server.asked == ["/api/records/7"]
    assert set(json.loads((tmp_path / REGISTRY).read_text())) == set(CONTENTS)


def test_a_wrong_checksum_is_refused_in_one_sentence_and_nothing_is_left(server, tmp_path):
    server.contents["a.zip"] = b"c" * 70_000
    with pytest.raises(GrnjaxError) as caught:
        fetch_archives(PUBLIC, tmp_path, server.url)
    message = str(caught.value)
    assert "a.zip?download=1: the 70,000 bytes that came do not have the md5" in message
    assert digest(CONTENTS["a.zip"], "md5") in message and "\n" not in message
    assert names_in(tmp_path) == []


def test_a_broken_connection_leaves_nothing_and_the_next_fetch_completes(server, tmp_path):
    server.cut = True
    with pytest.raises(GrnjaxError, match="a.zip.* cannot be fetched .* --archive"):
        fetch_archives(PUBLIC, tmp_path, server.url)
    assert names_in(tmp_path) == []
    server.cut = False
    fetch_archives(PUBLIC, tmp_path, server.url)
    assert (tmp_path / "a.zip").read_bytes() == CONTENTS["a.zip"]


def test_an_interrupt_keeps_what_is_whole_and_no_part(server, tmp_path, monkeypatch):
    whole = download.fetch

    def interrupt(url, path, **more):
        whole(url, path, **more)
        if "b.zip" in url:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(download, "fetch", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fetch_archives(PUBLIC, tmp_path, server.url)
    assert names_in(tmp_path) == ["a.zip", REGISTRY]
    server.asked.clear()
    fetch_archives(PUBLIC, tmp_path, server.url)
    assert server.asked == ["/api/records/7", "/records/7/files/b.zip?download=1"]


def test_what_a_killed_fetch_left_is_removed_once_it_is_old(server, tmp_path):
    old, fresh = tmp_path / ".partial-1-a.zip", tmp_path / ".partial-2-a.zip"
    for path in (old, fresh):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    fetch_archives(PUBLIC, tmp_path, server.url)
    assert not old.exists() and fresh.exists()


@pytest.mark.parametrize(
    "change, complaint",
    [
        ({"files": []}, "lists no file a.zip; it has none"),
        ({"files": [{"key": "a.zip", "size": 1, "checksum": "crc:1"}]}, "lists no file|kind 'crc'"),
        ({"files": [{"key": "a.zip"}]}, "is not a record of Zenodo"),
        ({"files": None}, "is not a record of Zenodo"),
        (b"<html>", "is not a record of Zenodo"),
    ],
)
def test_a_record_that_states_no_checksum_is_refused(server, tmp_path, change, complaint):
    server.record = change if isinstance(change, bytes) else server.record | change
    with pytest.raises(GrnjaxError, match=f"/api/records/7 .*({complaint})"):
        fetch_archives(PUBLIC, tmp_path, server.url)
    assert names_in(tmp_path) == []


def test_a_checksum_of_an_unknown_kind_is_refused(server, tmp_path):
    server.record["files"][0]["checksum"] = "crc32:1"
    with pytest.raises(GrnjaxError, match="a checksum of the kind 'crc32'"):
        fetch_archives(PUBLIC, tmp_path, server.url)


def test_a_missing_file_and_a_missing_server_are_named(server, tmp_path):
    del server.contents["a.zip"]
    with pytest.raises(GrnjaxError, match="a.zip.* cannot be fetched .404 Not Found.*--archive"):
        fetch_archives(PUBLIC, tmp_path, server.url)
    with pytest.raises(GrnjaxError, match="cannot be fetched .ConnectionError"):
        fetch_archives(PUBLIC, tmp_path, "http://127.0.0.1:9")


def test_a_damaged_registry_is_refused_with_the_way_out(tmp_path):
    (tmp_path / REGISTRY).write_text("{")
    with pytest.raises(GrnjaxError, match="registry.json is damaged .*; delete it"):
        fetch_archives(PUBLIC, tmp_path)


def test_the_catalogue_knows_its_archives():
    assert CATALOGUE["beeline"].record == 3701939
    assert set(CATALOGUE["beeline"].files) == {"BEELINE-data.zip", "BEELINE-Networks.zip"}
