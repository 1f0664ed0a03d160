"""``python -m rxspark jobs``: durable jobs from another terminal, after a reboot, from cron."""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rxspark.contexts import RxForeachDoPar, RxLocalParallel, RxLocalSeq, RxSpark
from rxspark.errors import RxArgumentError, RxError, RxJobError, RxSizeWarning, RxTaskWarning
from rxspark.files.paths import FsPath, open_path
from rxspark.jobs.folder import JobFolder, job_path
from rxspark.jobs.lookup import stored_jobs
from rxspark.jobs.record import is_id
from rxspark.jobs.remote_job import RemoteJob
from rxspark.jobs.result_files import FORMATS
from rxspark.jobs.rxjob import CANCEL_TIMEOUT_S, RxJob
from rxspark.jobs.states import CANCELED, ENDED, FAILED, FINISHED, MISSING, QUEUED, RUNNING
from rxspark.jobs.table import aligned, text_table
from rxspark.jobs.watch import display, line_log, watch

__all__ = ["jobs"]

DONE, FAILURE, USAGE, ACTIVE, UNKNOWN, REFUSED, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130

_EXIT_CODES = f"""\
exit codes of show, watch, output, results and resume:
  {DONE}    the job has finished, and no task failed
  {FAILURE}    it failed, was canceled, or tasks of it failed
  {ACTIVE}    it is queued or running, or cannot be told of from here (undetermined)
of list, clean and cancel:
  {DONE}    done; for cancel: nothing of the job runs any more
  {ACTIVE}    for cancel: its program has not answered yet
of all commands:
  {USAGE}    wrong usage, or a text that is no id
  {UNKNOWN}    there is no such job: removed, as a program does when it fetches the results, or never there
  {REFUSED}    refused, or not readable: the message says why
  {INTERRUPTED}  Ctrl-C
Of several jobs the first of {REFUSED}, {UNKNOWN}, {FAILURE}, {ACTIVE} that is true of one.
If one of several is unknown, nothing is done.
"""

_CONTEXTS = {kind.alias: kind for kind in (RxLocalSeq, RxLocalParallel, RxForeachDoPar, RxSpark)}


class _End(Exception):  # noqa: N818 - no error of rxspark's, but a way out
    """Ends the command with an exit code and a message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class _Stored:
    """A job as its folder tells of it, also while this process resumes it; and the handle for what is done with it."""

    source: RemoteJob
    job: RxJob[Any]

    @property
    def id(self) -> str:
        return self.source.folder.id

    def report(self, **more: Any) -> dict[str, Any]:
        """Tell of the job, and how many tasks have failed, where it has finished."""
        info = self.job.info()
        return {**info, "failed": len(self.source.failed()) if info["state"] == FINISHED else None, **more}


def jobs(arguments: list[str]) -> int:
    """List, watch, fetch, cancel, resume and remove the jobs in a share folder."""
    given = _parser(jobs.__doc__).parse_args(arguments)
    try:
        return int(given.run(given))
    except _End as end:
        print(end, file=sys.stderr)
        return end.code
    except RxError as problem:
        print(f"{type(problem).__name__}: {problem}", file=sys.stderr)
        return USAGE if isinstance(problem, RxArgumentError) else REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser(description: str | None) -> argparse.ArgumentParser:
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m rxspark jobs", description=description, epilog=_EXIT_CODES, formatter_class=as_written
    )
    every = argparse.ArgumentParser(add_help=False)
    every.add_argument("--share", required=True, help="shareDir or hdfsShareDir of the jobs: a folder, or a URL")
    every.add_argument(
        "--json",
        action="store_true",
        help="print a list of objects, one for each job; watch: one a line, as jobs change",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(run: Callable[[Any], int], ids: str | int | None) -> argparse.ArgumentParser:
        name = run.__name__.removeprefix("_")
        one = commands.add_parser(
            name,
            parents=[every],
            help=run.__doc__,
            description=run.__doc__,
            epilog=_EXIT_CODES,
            formatter_class=as_written,
        )
        one.set_defaults(run=run)
        if ids is not None:
            one.add_argument("ids", nargs=ids, metavar="ID", help="such as rxJob_20260131_120000_000000_0a1b2c3d")
        return one

    add(_list, None).add_argument("--all-users", action="store_true", help="also the jobs of other users")
    add(_show, "+")
    add(_watch, "*").add_argument("--timeout", type=_seconds, metavar="SECONDS", help="after which the watching ends")
    add(_output, "+")
    results = add(_results, 1)
    results.add_argument("--to", required=True, metavar="FILE", help=f"on this machine: {', '.join(FORMATS)}")
    results.add_argument("--force", action="store_true", help="write over a file that is there")
    results.add_argument("--partial", action="store_true", help="write what there is of a job that has not finished")
    add(_cancel, "+")
    resume = add(_resume, "+")
    resume.add_argument("--context", required=True, choices=_CONTEXTS, help="compute context in which the rest runs")
    resume.add_argument("--master", help="of Spark, such as yarn or local[2]")
    resume.add_argument("--failed", action="store_true", help="run failed tasks again, too")
    clean = add(_clean, "*")
    clean.add_argument(
        "--force", action="store_true", help="also jobs whose results nobody has read, or that still run"
    )
    return parser


def _list(given: Any) -> int:
    """List the jobs in the share folder."""
    found = [RxJob(one).info() for one in stored_jobs(_share(given.share), own=not given.all_users)]
    _tell(given, found, text_table(found) if found else f"no jobs in {given.share}")
    return DONE


def _show(given: Any) -> int:
    """Tell all that is known of jobs."""
    reports = [one.report() for one in _asked(given)]
    known = [[[name, _text(value)] for name, value in report.items() if value is not None] for report in reports]
    tables = [aligned(rows) for rows in known]
    _tell(given, reports, "\n\n".join("\n".join(lines) for lines in tables))
    return _code(reports)


def _watch(given: Any) -> int:
    """Show how far jobs are until they have ended; without IDs all that are queued or running now."""
    asked = _asked(given) if given.ids else _own(given, QUEUED, RUNNING)
    if not asked:
        _tell(given, [], f"no job is queued or running in {given.share}")
        return DONE
    watch([one.job for one in asked], line_log(_json) if given.json else display(), given.timeout)
    reports = [one.report() for one in asked]
    _explain(reports)
    return _code(reports)


def _output(given: Any) -> int:
    """Print what the finished tasks of jobs wrote, each line behind the number of its task."""
    reports = [one.report(output=one.job.output()) for one in _asked(given)]
    _tell(given, reports, "\n".join(report["output"] for report in reports if report["output"]))
    return _code(reports)


def _results(given: Any) -> int:
    """Write the results of a job to a file, as a pickle of the RxResults or as a table; the job stays."""
    pack = FORMATS.get(os.path.splitext(given.to)[1].lower())
    if pack is None:
        raise RxArgumentError(f"--to {given.to}: the name of the file ends with one of {', '.join(FORMATS)}")
    if os.path.lexists(given.to) and not given.force:
        raise _End(REFUSED, f"{given.to} is there already: name another file, or add --force")
    (one,) = _asked(given)
    report = one.job.info()
    if report["state"] != FINISHED and not given.partial:
        why = f"{one.id} is {report['state']}; {report['done']}{_of(report)} tasks have finished"
        raise _End(_code([report]), f"{why}. --partial writes what is there")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RxTaskWarning)  # the exit code and the last line tell
        warnings.simplefilter("ignore", RxSizeWarning)  # meant for who wrote the call
        found = one.job.results(partial=True, consoleOutput=False)
    _write(given.to, pack(found), given.force)
    if report["state"] == FINISHED:
        one.source.mark_fetched(False)
    report = {**report, "failed": len(found.errors), "file": os.path.abspath(given.to)}
    _tell(given, [report], f"{report['done']} results, {len(found.errors)} of them errors, are in {given.to}")
    return _code([report])


def _cancel(given: Any) -> int:
    """End jobs; what their tasks have given stays."""
    asked = _asked(given)
    for one in asked:  # all at once, as their programs take seconds to hear of it
        one.source.cancel("")
    for one in asked:
        one.source.wait(CANCEL_TIMEOUT_S)
    reports = [one.job.info() for one in asked]
    _tell(given, reports, "\n".join(f"{report['id']} is {report['state']}" for report in reports))
    return DONE if all(report["state"] in ENDED for report in reports) else ACTIVE


def _resume(given: Any) -> int:
    """Run here what is missing of jobs that failed, were canceled, or whose program has ended, and wait for it."""
    if given.master is not None and given.context != RxSpark.alias:
        raise RxArgumentError(f"--master {given.master}: only --context {RxSpark.alias} has a master")
    context = RxSpark(master=given.master) if given.context == RxSpark.alias else _CONTEXTS[given.context]()
    resumed, refused = [], False
    for one in _asked(given):
        try:
            one.job.resume("failed" if given.failed else None, context)
            resumed.append(one)
        except RxJobError as problem:  # the others can go on all the same
            print(problem, file=sys.stderr)
            refused = True
    try:
        watch([one.job for one in resumed], (lambda infos: None) if given.json else display())
    except KeyboardInterrupt:
        print(
            "interrupted: what ran here ends, and what has finished stays; resume goes on from there", file=sys.stderr
        )
        raise
    reports = [one.report() for one in resumed]
    if given.json:
        print(_json(reports))
    _explain(reports)
    return REFUSED if refused else _code(reports)


def _clean(given: Any) -> int:
    """Remove jobs; without IDs those that have finished and whose results were read, with --force all finished ones."""
    asked = _asked(given) if given.ids else [one for one in _own(given, FINISHED) if given.force or one.source.fetched]
    reports = []
    for one in asked:
        report = {**one.job.info(), "removed": True}
        try:
            one.job.cleanup(given.force)
        except RxJobError:
            why = "nobody has read its results" if report["state"] == FINISHED else f"it is {report['state']}"
            print(f"{one.id} stays, as {why}; --force removes it all the same", file=sys.stderr)
            report["removed"] = False
        reports.append(report)
    _tell(given, reports, "\n".join(f"{report['id']} is removed" for report in reports if report["removed"]))
    return DONE if all(report["removed"] for report in reports) else REFUSED


def _share(url: str) -> FsPath:
    """Open the share folder; one that is not there is an error where a folder can be there, empty: not in a bucket."""
    if not url:
        raise RxArgumentError("--share is empty: give the shareDir or hdfsShareDir of the jobs")
    share = open_path(url)
    if share.can_rename and not share.is_folder():
        raise share.error("no such folder. A path is one of this machine; other places are URLs, as hdfs:///share/rx")
    return share


def _asked(given: Any) -> list[_Stored]:
    """Find the jobs of the ids that were given."""
    for text in given.ids:
        if not is_id(text):
            raise RxArgumentError(f"{text!r} is no id of a job: ids begin with rxJob_, and `jobs list` shows them")
    share = _share(given.share)
    folders = [JobFolder(job_path(share, text)) for text in dict.fromkeys(given.ids)]
    unknown = [folder.id for folder in folders if not folder.exists()]
    if unknown:
        raise _End(UNKNOWN, f"there is no job {', '.join(unknown)} in {share}: it was removed, or never there")
    asked = [_Stored(source, RxJob(source)) for source in map(RemoteJob, folders)]
    for one in asked:
        if one.source.is_unreadable and given.run is not _clean:
            raise _End(REFUSED, f"{one.id} cannot be read: {one.source.error}")
    return asked


def _own(given: Any, *states: str) -> list[_Stored]:
    """Find the user's own jobs in these states."""
    found = stored_jobs(_share(given.share), own=True)
    return [_Stored(source, RxJob(source)) for source in found if source.state in states]


def _code(reports: Sequence[dict[str, Any]]) -> int:
    """Return the exit code that tells of jobs."""
    codes = {_code_of(report) for report in reports}
    return next((code for code in (UNKNOWN, FAILURE, ACTIVE) if code in codes), DONE)


def _code_of(report: dict[str, Any]) -> int:
    if report["state"] == FINISHED:
        return FAILURE if report["failed"] else DONE
    return {FAILED: FAILURE, CANCELED: FAILURE, MISSING: UNKNOWN}.get(report["state"], ACTIVE)


def _explain(reports: Sequence[dict[str, Any]]) -> None:
    """Tell on stderr why the exit code will not be 0."""
    for report in reports:
        if report["failed"]:
            print(f"{report['id']}: {report['failed']}{_of(report)} tasks failed", file=sys.stderr)
        elif report["error"] is not None:
            print(f"{report['id']} is {report['state']}: {report['error']}", file=sys.stderr)


def _of(report: dict[str, Any]) -> str:
    """Say of how many tasks, where that is known: an iterator does not tell."""
    return "" if report["tasks"] is None else f" of {report['tasks']}"


def _tell(given: Any, reports: Sequence[dict[str, Any]], text: str) -> None:
    if given.json:
        print(_json(reports))
    elif text:
        print(text)


def _json(value: Any) -> str:
    return json.dumps(value, default=datetime.isoformat)


def _text(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)


def _seconds(text: str) -> float:
    """Read a number of seconds; ValueError for what is none."""
    value = float(text)
    if not value >= 0:  # which NaN is not
        raise ValueError(text)
    return value


def _write(name: str, body: bytes, force: bool) -> None:
    """Write a file, over one that is there only with `force`; what could not be written whole is removed."""
    try:
        with open(name, "wb" if force else "xb") as file:
            try:
                file.write(body)
                file.flush()
            except BaseException:
                os.unlink(name)
                raise
    except OSError as error:
        raise _End(REFUSED, f"{name} cannot be written: {error.strerror}") from error
