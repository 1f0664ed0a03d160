"""Keep the folder of a job up to date, from which other processes learn of it."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator

from rxspark.errors import RxError
from rxspark.jobs.folder import JobFolder
from rxspark.jobs.states import FINISHED

__all__ = ["FolderUpdates"]

logger = logging.getLogger("rxspark")


class FolderUpdates:
    """Writes to a job's folder, if it has one; when that fails, the job goes on and one warning tells of it."""

    def __init__(self, job_id: str, folder: JobFolder | None) -> None:
        self._job_id = job_id
        self._folder = folder
        self.goes_when_finished = False
        """Whether the folder is removed as soon as the job has finished, so that nobody needs to read of it."""
        self._warned = False
        self._lock = threading.Lock()
        self._using = threading.Lock()  # or a heartbeat would meet a folder that is being removed

    def write_state(self, state: str, error: BaseException | None, ended: float) -> None:
        """Write the state for other processes."""
        if self._folder is not None and not (state == FINISHED and self.goes_when_finished):
            with self._warning("cannot be kept up to date"):
                self._folder.write_state(state, "" if error is None else str(error), ended)

    def write_heartbeat(self) -> str:
        """Write a heartbeat; return why other processes want the job ended, if they do."""
        with self._using:
            if self._folder is not None:
                with self._warning("cannot be kept up to date"):
                    return self._folder.write_heartbeat()
        return ""

    def leave_what_can_be_resumed(self, done: int) -> None:
        """After a call that was waited for and has no result: remove the folder if no task is `done`."""
        if self._folder is None:
            return
        if done:
            logger.warning(
                "%s: what %s tasks gave is kept; rxResumeJob(%r) runs the rest", self._job_id, done, self._job_id
            )
        else:
            with self._warning("cannot be removed"):
                self._folder.remove()

    def remove(self) -> None:
        """Remove the folder: whoever has just fetched the results shall get them even where that fails."""
        with self._using:
            folder, self._folder = self._folder, None
            if folder is not None:
                try:
                    folder.remove()
                except RxError as problem:
                    logger.warning("the folder of %s cannot be removed: %s", self._job_id, problem)

    def warn(self, what: str, why: str) -> None:
        """Tell, once a job, that its folder does not have all: results still come to this process."""
        with self._lock:
            first, self._warned = not self._warned, True
        if first:
            logger.warning(
                "%s %s: %s. It goes on, but may not be resumed if this process ends", self._job_id, what, why
            )

    @contextlib.contextmanager
    def _warning(self, what: str) -> Iterator[None]:
        try:
            yield
        except RxError as problem:
            self.warn(what, str(problem))
