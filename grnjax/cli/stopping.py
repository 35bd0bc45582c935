"""What a command does when it is told to stop: one line, and the status of the signal, at once.

A run folder is whole at every moment, so nothing has to be waited for. A thread answers, as the
main one may be in compiled code for minutes, or in an import that would turn an exception into
another.
"""

import _thread
import atexit
import contextlib
import os
import signal
import sys

ANSWERED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def answer_signals(program: str) -> None:
    """From now on ends the process when it is interrupted or terminated: status 130 or 143.

    Signals that are ignored, as under nohup, stay so. For a process that is a command; not for one
    that calls grnjax.

    Args:
        program: what the user typed to call it.
    """
    asked, noted = os.pipe()
    os.set_blocking(noted, False)
    for number in ANSWERED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _pass)
    signal.set_wakeup_fd(noted, warn_on_full_buffer=False)
    os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_forget)
    atexit.register(_ignore)
    _thread.start_new_thread(_wait, (program, asked))


def _pass(number: int, frame: object) -> None:
    """The thread that waits ends the process."""


def _wait(program: str, asked: int) -> None:
    """Ends the process at the first signal that is answered."""
    while (number := os.read(asked, 1)[0]) not in ANSWERED:
        pass
    bar = "\n" if os.isatty(2) else ""
    said = (
        f"{program}: stopped by {signal.Signals(number).name}; the same command goes on from here."
    )
    try:
        os.write(2, f"{bar}{said}\n".encode(errors="backslashreplace"))
        files = sys.modules.get("grnjax.storage.files")
        for path in [*getattr(files, "WRITING", ())]:
            path.unlink(missing_ok=True)
        _end_workers()
    finally:
        os._exit(128 + number)


def _end_workers() -> None:
    """Ends the processes that joblib has started, which would outlive this one and wait for it.

    They hold its standard output, so that whatever reads it would wait, too.
    """
    loky = sys.modules.get("joblib.externals.loky.reusable_executor")
    executor = getattr(loky, "_executor", None)
    for worker in [*(getattr(executor, "_processes", None) or ())]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)


def _ignore() -> None:
    """Lets a command whose work is done end with its own status.

    From here Python takes itself down, and gives every signal that it has a handler for back to the
    system, which would end the process without a word.
    """
    for number in ANSWERED:
        if signal.getsignal(number) is _pass:
            signal.signal(number, signal.SIG_IGN)


def _hold() -> None:
    """Keeps signals back until a child that is being forked no longer answers for this process."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ANSWERED)


def _release() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ANSWERED)


def _forget() -> None:
    """Lets a process that was forked from this one end as any other."""
    signal.set_wakeup_fd(-1)
    for number in ANSWERED:
        if signal.getsignal(number) is _pass:
            signal.signal(number, signal.SIG_DFL)
    _release()
