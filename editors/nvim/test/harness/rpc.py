"""A child editor over pynvim: its event loop has a thread of its own, so that the screen goes on while a
test waits."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import Future
from typing import Any, Callable

import pynvim


class Child:
    """An editor process with an attached user interface."""

    def __init__(self, argv: list[str], width: int, height: int, redraw: Callable[[list], None]):
        self._redraw = redraw
        self._ready: Future[None] = Future()
        self._argv, self._size = argv, (width, height)
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.result(timeout=30)

    def _run(self) -> None:
        try:
            self.nvim = pynvim.attach("child", argv=self._argv)
            self._process = self.nvim.funcs.getpid()
            self.nvim.ui_attach(*self._size, rgb=True, ext_linegrid=True, ext_hlstate=True)
            self._ready.set_result(None)
        except BaseException as error:  # noqa: BLE001: the waiting thread should hear of it
            self._ready.set_exception(error)
            return
        try:
            self.nvim.run_loop(lambda *_: None, self._notified)
        except (OSError, EOFError):
            pass  # The editor ended.
        finally:
            self.ended.set()

    def _notified(self, name: str, arguments: list) -> None:
        if name == "redraw":
            self._redraw(arguments)

    def request(self, method: str, *arguments: Any, timeout: float = 10) -> Any:
        """The answer of an API function."""
        answer: Future[Any] = Future()

        def ask() -> None:
            try:
                answer.set_result(self.nvim.request(method, *arguments))
            except BaseException as error:  # noqa: BLE001: the waiting thread should hear of it
                answer.set_exception(error)

        self.nvim.async_call(ask)
        return answer.result(timeout=timeout)

    def quit(self) -> None:
        """Ends the editor without a question, one that does not answer by force."""
        if not self.ended.is_set():
            self.nvim.async_call(lambda: self.nvim.command("qa!", async_=True))
        if not self.ended.wait(timeout=5):
            os.kill(self._process, signal.SIGKILL)
            self.ended.wait(timeout=5)
