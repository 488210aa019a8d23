"""Commands whose window is gone and that have not answered: what they answer is told when it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hsmctl.errors import HsmctlError

from .offload import answered

if TYPE_CHECKING:
    from concurrent.futures import Future

    from hsmctl.domain.form import Answer

    from .app import HsmctlApp


class Outlasting:
    """Those commands."""

    def __init__(self, app: HsmctlApp) -> None:
        self._app = app
        self.titles: tuple[str, ...] = ()

    def add(self, title: str, answer: Future[Answer]) -> None:
        """Have what a command answers told when it comes."""
        self.titles = (*self.titles, title)
        self._app.notify(f"{title} goes on; what it answers is told when it comes", markup=False)
        self._app.run_worker(self._told(title, answer), group="operation", description="")
        self._app.tell()

    async def _told(self, title: str, future: Future[Answer]) -> None:
        app = self._app
        try:
            answer = await answered(future)
        except HsmctlError as error:
            app.notify(f"{error}: {error.hint}", title=title, severity="error", markup=False, timeout=15)
        else:
            late = "its plan came too late, and nothing was changed: open the form again"
            app.notify(late if answer.plan else "\n".join(answer.lines), title=title, markup=False, timeout=30)
        finally:
            place = self.titles.index(title)
            self.titles = self.titles[:place] + self.titles[place + 1 :]
        app.look()
