"""HDFS and YARN that ask for Kerberos, encrypt what they send, and know users alice and bob."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from kerberos import BEGIN, FILES, SecureHadoop, secure_hadoop
from project import ROOT
from waiting import let_pass
from yarn import SETTINGS, SIZE, pack

pytestmark = [pytest.mark.kerberos, pytest.mark.timeout(1200)]

REFUSED = (
    BEGIN
    + """
try:
    with RxSpark(extraSparkConfig=config):
        rxHadoopMakeDir(folder)
except RxError as error:
    print(type(error).__name__, error)
"""
)

CONNECT = (
    BEGIN
    + """
from pyspark import SparkContext
try:
    rxSparkConnect(master="yarn", hdfsShareDir=folder or None, extraSparkConfig={"spark.yarn.jars": "none"})
except RxError as error:
    print(type(error).__name__, error)
print(SparkContext._gateway is None)
"""
)

HOME = "/user/alice"


@pytest.fixture(scope="module")
def hadoop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureHadoop]:
    """A running one, in which alice has a home."""
    try:
        with secure_hadoop(tmp_path_factory.mktemp("secure")) as found:
            found.ticket("alice")
            found.run(REFUSED, f"{HOME}/private", "", "")
            yield found
    except RuntimeError as error:
        pytest.fail(f"there is no Hadoop with Kerberos for this test: {error}", pytrace=False)


@pytest.fixture(params=["ticket", "keytab"])
def alice(hadoop: SecureHadoop, request: pytest.FixtureRequest) -> tuple[str, str]:
    """The credentials of alice: principal and keytab, or empty words where a ticket is there."""
    hadoop.no_ticket()
    if request.param == "keytab":
        return "alice@RXSPARK.TEST", hadoop.keytab("alice")
    hadoop.ticket("alice")
    return "", ""


def test_file_commands(hadoop: SecureHadoop, alice: tuple[str, str], tmp_path: Path) -> None:
    """All of them, with a ticket, and with a keytab alone; files are alice's, whoever runs the process."""
    lines = hadoop.run(FILES, f"{HOME}/files", *alice, str(tmp_path)).splitlines()
    assert lines == ["True", "[('numbers', 10240000, 'alice')]", "False", "True"]


def test_file_commands_by_the_token_of_a_container(hadoop: SecureHadoop, tmp_path: Path) -> None:
    """All of them, though HDFS is named, and the token bears an address; one that is not valid is named."""
    hadoop.ticket("alice")
    variables = hadoop.token()
    lines = hadoop.run(FILES, f"{HOME}/files", "", "", str(tmp_path), more=variables).splitlines()
    assert lines == ["True", "[('numbers', 10240000, 'alice')]", "False", "True"]
    hadoop.ticket("alice")
    hadoop.cancel_token()
    told = hadoop.run(REFUSED, f"{HOME}/private", "", "", more=variables)
    assert re.match(r"RxContextError .*Kerberos tokens of this container .* found in cache\). Start the session", told)


def refused(hadoop: SecureHadoop, principal: str = "", keytab: str = "", before: Sequence[str] = ()) -> str:
    """Run a program that wants to make a folder at alice's; what it is told, without waiting long."""
    began = time.monotonic()
    told = hadoop.run(REFUSED, f"{HOME}/private/new", principal, keytab, before=before)
    assert time.monotonic() - began < 20
    assert "\n" not in told
    assert ".java:" not in told
    return told


def test_without_a_ticket(hadoop: SecureHadoop) -> None:
    """The error says which line gets one."""
    hadoop.no_ticket()
    said = r"RxContextError hdfs://localhost:\d+/user/alice/\S+ .*no Kerberos ticket .* Run: kinit \w+@RXSPARK.TEST$"
    assert re.match(said, refused(hadoop))


@pytest.mark.parametrize("share", [f"{HOME}/share", ""])
def test_a_session_without_a_ticket(hadoop: SecureHadoop, share: str) -> None:
    """The same error, with a share folder and without, before there is a JVM."""
    hadoop.no_ticket()
    told, no_jvm = hadoop.run(CONNECT, share, "", "").splitlines()
    assert re.match(r"RxContextError hdfs://.* Kerberos ticket in FILE:\S+\. Run: kinit \w+@RXSPARK.TEST$", told)
    assert no_jvm == "True"


def test_an_expired_ticket(hadoop: SecureHadoop) -> None:
    """The error names its principal, and which line gets a new one."""
    hadoop.ticket("alice", "-l", "2s")
    let_pass(3, "a ticket of two seconds expires")
    told = refused(hadoop)
    assert told.startswith("RxContextError")
    assert told.endswith("the Kerberos ticket of alice@RXSPARK.TEST has expired. Run: kinit alice@RXSPARK.TEST")


def test_a_ticket_of_somebody_else(hadoop: SecureHadoop) -> None:
    """HDFS' own refusal, with the user that the ticket makes of this process."""
    hadoop.ticket("bob")
    assert re.match(r"RxFileError \S+ \(user 'bob'\): Permission denied: user=bob, access=WRITE", refused(hadoop))


@pytest.mark.parametrize("known", ["to nobody", "to the NameNode"])
def test_a_wrong_clock(hadoop: SecureHadoop, known: str) -> None:
    """Ten minutes ahead: the KDC says so, the NameNode does not; the error does in either case."""
    hadoop.ticket("alice")
    if known == "to the NameNode":  # then the KDC is not asked again
        hadoop.run(REFUSED, f"{HOME}/private", "", "")
    told = refused(hadoop, before=("faketime", "-f", "+10m"))
    assert told.startswith("RxContextError")
    end = r"ticket of alice@RXSPARK.TEST does not serve \(.*\). See .* clock is right. Run: kinit alice@RXSPARK.TEST$"
    assert re.search(end, told)


def test_a_keytab_that_does_not_fit(hadoop: SecureHadoop) -> None:
    """Of another principal, or not there: the error names principal and file, though a ticket would serve."""
    hadoop.ticket("alice")
    for user, file, reason in [("bob", "alice", "holds no key of that"), ("alice", "nobody", "cannot be read")]:
        principal, keytab = f"{user}@RXSPARK.TEST", hadoop.keytab(file)
        told = refused(hadoop, principal, keytab)
        assert told.startswith("RxContextError")
        assert f"{principal} log in by the keytab {keytab}: it {reason}" in told
        assert told.endswith(f"kinit -k -t {keytab} {principal}")


CLUSTER = (
    BEGIN
    + """
import json, os
import numpy as np
size, settings = eval(sys.argv[4]), eval(sys.argv[5])
show = lambda name, value: print(json.dumps([name, value]), flush=True)
context = rxSparkConnect(master="yarn", hdfsShareDir=folder, extraSparkConfig=settings | config, **size)
show("call", list(rxExec(pow, rxElemArg(range(4)), 2)))

def where():
    import getpass, os
    return os.path.basename(os.environ["HADOOP_TOKEN_FILE_LOCATION"]), "KRB5CCNAME" in os.environ, getpass.getuser()
show("containers", rxExec(where))

numbers = np.arange(400_000.0)
def total(x, number):
    return float(x[number::8].sum())
shared = rxShare(numbers)
for x in (shared, numbers):
    show("sum", sum(rxExec(total, x, rxElemArg(range(8)))))
shared.remove()
show("large", [float(array.sum()) for array in rxExec(np.full, rxElemArg([400_000] * 3), 1.0)])

def writes(number):
    from rxspark import rxHadoopCopyFromLocal, rxHadoopListFiles
    with open("out", "wb") as file:
        file.write(b"x" * number)
    rxHadoopCopyFromLocal("out", f"{folder}/out-{number}")
    return [(file.size, file.owner) for file in rxHadoopListFiles(f"{folder}/out-{number}")]
show("written", list(rxExec(writes, rxElemArg([1, 2]))))

rxSetComputeContext(context, wait=False)
job = rxExec(pow, rxElemArg(range(6)), 3)
show("wait", rxWaitForJob(job, timeout=120))
show("listed", [found.id for found in rxGetJobs()] == [job.id])
show("job", list(rxGetJobResults(job)))
show("left", [file.name for file in rxHadoopListFiles(folder, recursive=True) if file.size and "out" not in file.name])
rxSparkDisconnect()
"""
)


@pytest.mark.parametrize("alice", ["ticket", pytest.param("keytab", marks=pytest.mark.slow)], indirect=True)
def test_calls_share_folder_and_jobs_on_yarn(hadoop: SecureHadoop, alice: tuple[str, str]) -> None:
    """In client mode; the executors reach the share folder by the token of their container, without a ticket."""
    folder = f"{HOME}/share-{'keytab' if alice[1] else 'ticket'}"
    python = {"PYSPARK_PYTHON": sys.executable}
    told = hadoop.run(CLUSTER, folder, *alice, repr(SIZE), repr(SETTINGS), more=python)
    seen = [json.loads(line) for line in told.splitlines()]
    assert seen == [
        ["call", [0, 1, 4, 9]],
        ["containers", [["container_tokens", False, "alice"]]],
        ["sum", 79_999_800_000.0],
        ["sum", 79_999_800_000.0],
        ["large", [400_000.0] * 3],
        ["written", [[[1, "alice"]], [[2, "alice"]]]],
        ["wait", "finished"],
        ["listed", True],
        ["job", [0, 1, 8, 27, 64, 125]],
        ["left", []],
    ]


PROGRAM = """
import sys
import numpy as np
from rxspark import *
folder = sys.argv[1]
rxSetComputeContext(RxSpark(hdfsShareDir=folder))
numbers = np.arange(400_000.0)
def total(x, number):
    return float(x[number::8].sum())
print("sum", sum(rxExec(total, numbers, rxElemArg(range(8)))))
print("owners", {file.owner for file in rxHadoopListFiles("/user/alice")})
print("left", [file.name for file in rxHadoopListFiles(folder, recursive=True) if file.size])
"""


@pytest.mark.slow
@pytest.mark.parametrize("login", ["ticket", "keytab"])
def test_a_program_in_cluster_mode(hadoop: SecureHadoop, login: str, tmp_path: Path) -> None:
    """Environment and program are put on HDFS by a ticket; the driver runs in a container, by token or keytab."""
    hadoop.ticket("alice")
    (tmp_path / "program.py").write_text(PROGRAM)
    settings = SETTINGS | {"spark.executor.memory": "600m", "spark.driver.memory": "512m"}
    if login == "keytab":
        settings |= {"spark.kerberos.principal": "alice", "spark.kerberos.keytab": hadoop.keytab("alice")}
    command = [str(ROOT / "scripts" / "submit"), "--deploy-mode", "cluster", "--num-executors", "1"]
    command += [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    variables = hadoop.around(VIRTUAL_ENV=sys.prefix, RXSPARK_PACK=" ".join(pack()))
    del variables["PYTHONPATH"]  # it would go into the container, where rxspark shall come with the environment
    command += [str(tmp_path / "program.py"), f"{HOME}/program"]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-4000:]
    application = re.search(r"application_\d+_\d+", done.stderr)
    assert application, done.stderr[-2000:]
    (output,) = hadoop.folder.glob(f"nodemanager*/logs/{application[0]}/container_*_01_000001/stdout")
    assert output.read_text().splitlines() == ["sum 79999800000.0", "owners {'alice'}", "left []"]


# Begins while ticket or token are valid, and goes on until they are not.
OUTLASTS = (
    BEGIN
    + """
import subprocess, time
from rxspark.files.paths import open_path
with RxSpark(extraSparkConfig=config):
    rxHadoopMakeDir(folder)
    began, seconds = time.monotonic(), float(sys.argv[4])
    open_all_along = open_path(f"hdfs://{folder}/open")
    with open_all_along.create(None) as file:
        try:
            while time.monotonic() < began + seconds:
                file.write(b"x")
                rxHadoopListFiles(folder)
                time.sleep(1)
            print("all along")
        except RxError as error:
            print(type(error).__name__, error)
            if sys.argv[5:]:
                subprocess.run(["kinit", "-k", "-t", sys.argv[5], "alice"], check=True)
                rxHadoopListFiles(folder)
        file.write(b"y")
    print(open_all_along.info()["size"] > 1)
"""
)


@pytest.mark.slow
def test_a_ticket_that_expires_meanwhile(hadoop: SecureHadoop) -> None:
    """Files that are open go on; those opened then are refused by name, until there is a new ticket."""
    hadoop.ticket("alice", "-l", "15s")
    told, goes_on = hadoop.run(OUTLASTS, f"{HOME}/outlasts", "", "", "60", hadoop.keytab("alice")).splitlines()
    assert told.startswith("RxContextError")
    assert told.endswith("the Kerberos ticket of alice@RXSPARK.TEST has expired. Run: kinit alice@RXSPARK.TEST")
    assert goes_on == "True"


@pytest.mark.slow
def test_a_token_that_ends_meanwhile(hadoop: SecureHadoop) -> None:
    """As with a ticket, from a minute before its end on; the error says what to do, which kinit is not."""
    hadoop.ticket("alice")
    names = [f"dfs.namenode.delegation.token.{name}" for name in ("max-lifetime", "renew-interval")]
    with hadoop.namenode_with(dict.fromkeys(names, "100000")):  # milliseconds
        began = time.monotonic()
        told, goes_on = hadoop.run(OUTLASTS, f"{HOME}/outlasts", "", "", "90", more=hadoop.token()).splitlines()
        assert 20 < time.monotonic() - began < 70
    assert told.startswith("RxContextError")
    assert re.search("Kerberos tokens of this container .* do not serve, or no longer .* Start the session anew$", told)
    assert goes_on == "True"


CALLS = (
    BEGIN
    + """
import time
import numpy as np
size, settings, seconds = (eval(text) for text in sys.argv[4:7])
rxSparkConnect(master="yarn", hdfsShareDir=folder, extraSparkConfig=settings | config, **size)
numbers = np.arange(400_000.0)
began = time.monotonic()
while time.monotonic() < began + seconds:
    values = rxExec(lambda x, number: x[number:] + 1, numbers, rxElemArg([0, 1]), taskChunkSize=1)
    assert [float(value.sum()) for value in values] == [80_000_200_000.0, 80_000_199_999.0]
    time.sleep(10)
print("all along")
rxSparkDisconnect()
"""
)


@pytest.mark.slow
def test_calls_of_a_session_with_a_keytab_outlast_its_first_tokens(hadoop: SecureHadoop) -> None:
    """Tokens end after a minute, and Spark gets new ones: tasks read and write the share folder by those as well."""
    hadoop.no_ticket()
    lifetimes = {"max-lifetime": "120000", "renew-interval": "60000"}  # milliseconds
    with hadoop.namenode_with({f"dfs.namenode.delegation.token.{name}": lasts for name, lasts in lifetimes.items()}):
        arguments = (f"{HOME}/outlasts", "alice@RXSPARK.TEST", hadoop.keytab("alice"), repr(SIZE), repr(SETTINGS))
        told = hadoop.run(CALLS, *arguments, "100", more={"PYSPARK_PYTHON": sys.executable})
    assert told == "all along"


@pytest.mark.slow
def test_a_keytab_gets_new_tickets(hadoop: SecureHadoop, tmp_path: Path) -> None:
    """With tickets of ten seconds, files are opened for half a minute."""
    short = tmp_path / "krb5.conf"
    short.write_text(Path(hadoop.environment["KRB5_CONFIG"]).read_text().replace("= 10h", "= 10s"))
    hadoop.no_ticket()
    arguments = (f"{HOME}/outlasts", "alice", hadoop.keytab("alice"), "30")
    assert hadoop.run(OUTLASTS, *arguments, more={"KRB5_CONFIG": str(short)}).splitlines() == ["all along", "True"]


@pytest.mark.slow
def test_a_silent_kdc(hadoop: SecureHadoop) -> None:
    """It takes connections and answers nothing: an error within a minute, which says so."""
    hadoop.ticket("alice")
    kdc = json.loads((hadoop.folder / "pids.json").read_text())["kdc"]
    os.kill(kdc, signal.SIGSTOP)
    began = time.monotonic()
    try:
        told = hadoop.run(REFUSED, f"{HOME}/private", "", "")
    finally:
        os.kill(kdc, signal.SIGCONT)
    assert "Cannot contact any KDC" in told
    assert time.monotonic() - began < 60


IN_A_CALL = (
    BEGIN
    + """
import subprocess
size, settings, alices = eval(sys.argv[4]), eval(sys.argv[5]), sys.argv[6]
def kinit(*options):
    subprocess.run(["kinit", *options, "-k", "-t", alices, "alice"], check=True)
def slow(number):
    import time, numpy
    time.sleep(12)
    return numpy.full(400_000, float(number))
rxSparkConnect(master="yarn", hdfsShareDir=folder, extraSparkConfig=settings, **size)
kinit("-l", "8s")
try:
    rxExec(slow, rxElemArg(range(2)), taskChunkSize=1)
except RxError as error:
    print(type(error).__name__, error)
kinit()
print([float(array.sum()) for array in rxExec(slow, rxElemArg(range(2)), taskChunkSize=1)])
rxSparkDisconnect()
"""
)


@pytest.mark.slow
def test_a_ticket_that_expires_in_a_call(hadoop: SecureHadoop) -> None:
    """Large results cannot be fetched: the call ends at once with that error, and the session serves after kinit."""
    hadoop.ticket("alice")
    arguments = (f"{HOME}/call", "", "", repr(SIZE), repr(SETTINGS), hadoop.keytab("alice"))
    told, again = hadoop.run(IN_A_CALL, *arguments, more={"PYSPARK_PYTHON": sys.executable}).splitlines()
    assert told.startswith("RxContextError")
    assert told.endswith("the Kerberos ticket of alice@RXSPARK.TEST has expired. Run: kinit alice@RXSPARK.TEST")
    assert again == "[0.0, 400000.0]"
