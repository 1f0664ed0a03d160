"""The command line of scripts/lab."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from lab_hosts.lab import CHECKOUT, MOST_HOSTS, Lab, LabError, missing
from lab_hosts.services import KINDS

__all__ = ["main"]


def _parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/lab", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--dir",
        type=Path,
        default=Path(tempfile.gettempdir(), "rxspark-lab"),
        help="the lab's folder (%(default)s); labs of two folders do not see each other",
    )
    parser.add_argument(
        "--environment", type=Path, default=CHECKOUT / ".venv", help="the Python of the hosts (%(default)s)"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="bring up host0 and workers host1, host2, ...; again: what is missing")
    up.add_argument("workers", type=int, nargs="?", default=3, help="number of workers (3)")
    up.add_argument("--services", choices=KINDS, default="spark", help="what they run from their boot on (spark)")
    up.add_argument("--timeout", type=float, default=120, help="seconds to wait for the services (120)")
    on = commands.add_parser("on", help="run a command on a host, in its /tmp")
    on.add_argument("host")
    on.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND ...")
    net = commands.add_parser("net", help="set the delay and the loss of a host's cable, each way")
    net.add_argument("host")
    net.add_argument("--delay", type=float, default=0.0, metavar="MS", help="milliseconds (0)")
    net.add_argument("--loss", type=float, default=0.0, metavar="PERCENT", help="of the frames (0)")
    for name, text in {
        "cut": "cut a host's cable",
        "mend": "mend it",
        "kill": "take a host's power: nothing is said to anybody",
        "boot": "switch it on again, with its services; /var/tmp is as it was",
    }.items():
        commands.add_parser(name, help=text).add_argument("host")
    commands.add_parser("status", help="what runs, and whether the services are at work")
    commands.add_parser("down", help="end it all, after a crash too")
    return parser


def _act(lab: Lab, given: argparse.Namespace) -> int:
    match given.command:
        case "up":
            if not 1 <= given.workers < MOST_HOSTS:
                raise LabError(f"workers: {given.workers} is not between 1 and {MOST_HOSTS - 1}")
            lab.up(given.workers, given.services, given.timeout)
        case "on":
            words = lab.command_on(given.host, given.words or ["bash"])
            os.execvp(words[0], words)
        case "net":
            if given.delay < 0 or not 0 <= given.loss <= 100:
                raise LabError(f"--delay {given.delay:g} --loss {given.loss:g}: want 0 or more, and 0 to 100")
            lab.set_cable(given.host, delay=given.delay, loss=given.loss)
        case "cut" | "mend":
            lab.set_cable(given.host, cut=given.command == "cut")
        case "kill":
            lab.kill(given.host)
        case "boot":
            lab.boot(given.host)
        case "status":
            print("\n".join(lab.status()))
        case "down":
            lab.down()
    return 0


def main(description: str) -> int:
    """Run one command; its exit code."""
    given = _parser(description).parse_args()
    lacking = missing()
    if lacking:
        print(f"scripts/lab: {lacking}", file=sys.stderr)
        return 2
    try:
        return _act(Lab(given.dir.resolve(), given.environment.absolute()), given)
    except LabError as error:
        print(f"scripts/lab: {error}", file=sys.stderr)
        return 1
