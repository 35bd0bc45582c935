"""What lies at an https address, within a size and a time, and no redirect to anything else."""

import http
import ipaddress
import threading
import urllib.parse
from pathlib import Path
from typing import BinaryIO

from grnjax.errors import GrnjaxError

CHUNK = 1 << 16  # bytes
TIMEOUT = 60  # seconds without an answer
MOST_REDIRECTS = 5
REMEDY = (
    "Run the command again, or get the files of the record in another way and name them with "
    "--archive."
)


def fetch(url: str, path: Path, *, size: int, seconds: float, bar: bool = False) -> None:
    """Writes what lies at `url` to `path`, just as it comes.

    Nothing is decompressed on the way, and what is longer or slower than allowed is cut off; what
    then lies at `path` is for the caller to delete.

    Args:
        url: an https address; or one of http on this very machine, whose redirects stay there.
        size: bytes that come at most.
        seconds: until the last byte, whatever the server does.
        bar: whether a bar shows on a terminal.

    Raises:
        GrnjaxError: in one sentence, what was wrong with the answer.
    """
    failed: list[BaseException] = []
    with open(path, "wb") as file:

        def receive() -> None:
            try:
                _receive(url, file, size, bar)
            except BaseException as problem:  # is raised again below
                failed.append(problem)

        # A server may give a byte a minute, so that no time limit of a socket ever strikes.
        thread = threading.Thread(target=receive, daemon=True)
        thread.start()
        thread.join(seconds)
        late = thread.is_alive()
    if late:  # the file is closed, which ends the thread with its next bytes
        raise GrnjaxError(f"{url} did not come within {seconds:,g} seconds. {REMEDY}")
    if failed:
        raise failed[0]


def _receive(url: str, file: BinaryIO, size: int, bar: bool) -> None:
    """Writes the answer to a file that the caller may close at any time."""
    import requests
    import urllib3
    from tqdm import tqdm

    try:
        with requests.Session() as session, _open(session, url) as answer:
            answer.raise_for_status()
            _check(url, answer.headers, size)
            with tqdm(
                total=size, unit="B", unit_scale=True, leave=False, disable=not bar or None
            ) as b:
                left = size
                while chunk := answer.raw.read(CHUNK, decode_content=False):
                    left -= len(chunk)
                    if left < 0:
                        raise GrnjaxError(
                            f"{url} gives more than the {size:,} bytes that it may have, and was "
                            f"cut off. {REMEDY}"
                        )
                    file.write(chunk)
                    b.update(len(chunk))
    except (OSError, urllib3.exceptions.HTTPError) as problem:  # OSError: what requests raises
        answer = getattr(problem, "response", None)
        reason = getattr(problem, "strerror", None) or type(problem).__name__
        if answer is not None:
            known = answer.status_code in {*http.HTTPStatus}
            phrase = http.HTTPStatus(answer.status_code).phrase if known else "status"
            reason = f"{answer.status_code} {phrase}"
        raise GrnjaxError(f"{url} cannot be fetched ({reason}). {REMEDY}") from problem


def _open(session, url: str):
    """The answer at the end of all redirects, its body still to come."""
    own = is_loopback(url)
    for _ in range(MOST_REDIRECTS + 1):
        if not (url.startswith("https://") or own and is_loopback(url)):
            raise GrnjaxError(
                f"{url[:200]!r} is no https address, by which alone files are fetched. {REMEDY}"
            )
        headers = {"Accept-Encoding": "identity"}
        answer = session.get(
            url, stream=True, allow_redirects=False, timeout=TIMEOUT, headers=headers
        )
        if not answer.is_redirect:
            return answer
        answer.close()
        url = urllib.parse.urljoin(url, answer.headers["location"])
    raise GrnjaxError(f"{url[:200]!r} is behind more than {MOST_REDIRECTS} redirects. {REMEDY}")


def _check(url: str, headers, size: int) -> None:
    """Refuses an answer that is encoded, or says that it is too long."""
    encoding = headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise GrnjaxError(
            f"{url} comes in the encoding {encoding[:40]!r}, though it was asked for as it is. "
            f"{REMEDY}"
        )
    stated = headers.get("Content-Length", "0")
    if not stated.isdecimal() or int(stated) > size:
        raise GrnjaxError(
            f"{url} is to have {stated[:40]!r} bytes, and may have {size:,}. {REMEDY}"
        )


def is_loopback(url: str) -> bool:
    """Whether it is an http address of this very machine, by number."""
    parts = urllib.parse.urlsplit(url)
    try:
        return parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
