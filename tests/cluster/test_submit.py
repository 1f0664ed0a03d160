"""Programs that scripts/submit sends to a real YARN, in client and in cluster mode."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from project import EXAMPLES, ROOT
from yarn import SETTINGS, around, pack, wins

pytestmark = pytest.mark.timeout(1200)  # Hadoop, the archive and a program come first


@pytest.fixture(scope="session")
def submitted(
    cluster: Path, share: str, environment: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[str, str]]:
    """Output and log of the dice example by scripts/submit, in client and in cluster mode side by side."""
    folder = tmp_path_factory.mktemp("submitted")
    modes = ("client", "cluster")
    running = [submit(mode, folder, cluster, share) for mode in modes]
    try:
        ends = [process.wait(800) for process in running]
    finally:
        for process in running:
            process.kill()
    said = {mode: ((folder / f"{mode}.out").read_text(), (folder / f"{mode}.err").read_text()) for mode in modes}
    assert ends == [0, 0], "\n".join(text[-4000:] for texts in said.values() for text in texts)
    return said


def submit(mode: str, folder: Path, cluster: Path, share: str) -> subprocess.Popen[bytes]:
    """Begin to play the dice example by scripts/submit."""
    command = [str(ROOT / "scripts" / "submit"), "--deploy-mode", mode, "--num-executors", "1"]
    command += ["--executor-memory", "600m", "--driver-memory", "512m"]
    for name, value in SETTINGS.items():
        command += ["--conf", f"{name}={value}"]
    command += ["--py-files", str(EXAMPLES / "common.py"), str(EXAMPLES / "dice.py"), "--context", "spark"]
    variables = around(cluster, VIRTUAL_ENV=sys.prefix, RXSPARK_SHARE=share, RXSPARK_PACK=" ".join(pack()))
    if mode == "cluster":
        del variables["PYTHONPATH"]  # it would go into the container, where rxspark shall come with the environment
    with (folder / f"{mode}.out").open("wb") as output, (folder / f"{mode}.err").open("wb") as log:
        return subprocess.Popen(command, env=variables, stdout=output, stderr=log)


def table(text: str) -> tuple[int, int]:
    """Losses and wins that the dice example prints."""
    found = re.search(r"^ *Loss +Win\n *(\d+) +(\d+)$", text, re.MULTILINE)
    assert found, text
    return int(found[1]), int(found[2])


def test_the_dice_example_in_client_mode(submitted: dict[str, tuple[str, str]]) -> None:
    """The driver runs here, the games in containers; they are those of RxLocalSeq."""
    won = wins(10_000, 2_000)
    output, _ = submitted["client"]
    assert table(output) == (10_000 - won, won)
    assert "the same result of every game: True" in output


def test_the_dice_example_in_cluster_mode(submitted: dict[str, tuple[str, str]], cluster: Path) -> None:
    """The driver runs in a container, in the packed environment; the games are those of RxLocalSeq."""
    won = wins(10_000, 2_000)
    _, log = submitted["cluster"]
    application = re.search(r"application_\d+_\d+", log)
    assert application, log[-2000:]
    (output,) = cluster.parent.glob(f"nodemanager*/logs/{application[0]}/container_*_01_000001/stdout")
    assert table(output.read_text()) == (10_000 - won, won)
