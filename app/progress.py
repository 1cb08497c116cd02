"""What a long command is doing: one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn
from rich.progress import Progress as Live

SLOW_SECONDS = 1.0
"""Steps that took longer say so."""


class Progress:
    """One step after the other. Notes may come at any time, also when no step is under way."""

    def __init__(self, console: Console) -> None:
        self._console = console
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(24), TextColumn("{task.fields[part]}"))
        self._live = Live(*columns, console=console, transient=True) if console.is_terminal else None
        self._task: TaskID | None = None
        self._text = ""
        self._part = ""
        self._began = 0.0

    def step(self, text: str) -> None:
        """Begin a step; the one before it is done."""
        self._complete()
        self._text, self._part, self._began = escape(text), "", time.monotonic()
        if self._live is None:
            self._console.print(f"• {self._text}", soft_wrap=True)
            return
        self._live.start()
        self._task = self._live.add_task(self._text, total=None, part="")

    def count(self, done: int, total: int) -> None:
        """How much of the step is done."""
        self._part = f"{done} of {total}"
        if self._live is not None and self._task is not None:
            self._live.update(self._task, completed=done, total=total, part=self._part)
        elif done == total:
            self._console.print(f"  {self._part}")

    def show(self, done: int, total: int) -> None:
        """The same where it may be asked often: plain lines say only the end."""
        if self._live is not None:
            self.count(done, total)

    def note(self, text: str) -> None:
        """Something to know that is no step."""
        self._console.print(f"• {escape(text)}", soft_wrap=True)

    def finish(self) -> None:
        """The last step is done."""
        self._complete()
        self.halt()

    def halt(self) -> None:
        """Take the live line away, whether its step is done or not."""
        if self._live is None:
            return
        if self._task is not None:
            self._live.remove_task(self._task)
            self._task = None
        self._live.stop()

    def _complete(self) -> None:
        if self._live is None or self._task is None:
            return
        seconds = time.monotonic() - self._began
        took = f" [dim]{seconds:.0f} s[/dim]" if seconds >= SLOW_SECONDS else ""
        part = f": {self._part}" if self._part else ""
        self._live.remove_task(self._task)
        self._task = None
        self._console.print(f"[green]✓[/green] {self._text}{part}{took}")
