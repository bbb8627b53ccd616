"""A Slurm on one machine: munge, a host with the controller, and hosts with a slurmd each."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.hosts import Host, kill

# What each node claims to have, whatever the machine has: enough for what the profile asks for.
NODE_MEMORY_MB = 600_000
NODE_CPUS = 32
NODE_GPUS = 2

# Kept short so that the tests are; a real cluster's are minutes.
NODE_TIMEOUT = 90
"""Seconds after which the controller gives up a node that does not answer."""
KILL_WAIT = 60
"""Seconds between SIGTERM and SIGKILL for a job that is over its time limit."""

CONFIGURATION = """
ClusterName=mluke
SlurmctldHost={controller}({address})
SlurmUser=root
AuthType=auth/munge
# A requeued job starts when the credentials of its first start have expired.
AuthInfo=socket={folder}/munge.socket,cred_expire=10
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdLogFile={folder}/slurmd-%n.log
# Without cgroups, which containers seldom have: memory is sampled every second.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=5,bf_interval=5
MpiDefault=none
SwitchType=switch/none
AccountingStorageType=accounting_storage/none
OverTimeLimit=0
KillWait={kill_wait}
SlurmdTimeout={node_timeout}
InactiveLimit=0
MinJobAge=3600
MaxArraySize=1001
# A node that is down stays so until the test resumes it, as Slurm's default has it.
ReturnToService=0
SlurmdParameters=config_overrides
GresTypes=gpu
{nodes}
PartitionName=cpu Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=ALL MaxTime=INFINITE State=UP
"""


class Slurm:
    """The controller and its nodes, and Slurm's commands on the controller's host."""

    def __init__(self, folder: Path, login: Host, hosts: list[Host]) -> None:
        self.folder = folder
        self.login = login
        self.hosts = hosts
        self.daemons: list[subprocess.Popen[bytes]] = []
        self._write_configuration()

    def _write_configuration(self) -> None:
        (self.folder / "state").mkdir()
        (self.folder / "etc").mkdir()
        # munge wants to be reached by every user.
        self.folder.chmod(0o755)
        for host in self.hosts:
            (self.folder / f"spool-{host.name}").mkdir()
        nodes = "\n".join(
            f"NodeName={h.name} NodeHostname={h.name} NodeAddr={h.address} CPUs={NODE_CPUS}"
            f" RealMemory={NODE_MEMORY_MB} Gres=gpu:{NODE_GPUS}"
            for h in self.hosts
        )
        (self.folder / "etc" / "slurm.conf").write_text(
            CONFIGURATION.format(
                controller=self.login.name,
                address=self.login.address,
                folder=self.folder,
                kill_wait=KILL_WAIT,
                node_timeout=NODE_TIMEOUT,
                nodes=nodes,
            )
        )
        # Any plugin will do, none is used; left to itself slurmd looks for mounted cgroups.
        (self.folder / "etc" / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        (self.folder / "etc" / "gres.conf").write_text(
            "AutoDetect=off\nName=gpu File=/dev/null\nName=gpu File=/dev/zero\n"
        )

    def command(self, line: Sequence[str]) -> list[str]:
        """``line`` as a command on the controller's host, from where jobs are submitted."""
        return self.login.command(line, self.folder / "etc")

    def ask(self, *line: str) -> str:
        """Output of one of Slurm's commands."""
        outcome = subprocess.run(
            self.command(line), capture_output=True, text=True, check=False, timeout=60
        )
        assert outcome.returncode == 0, f"{' '.join(line)}: {outcome.stderr}"
        return outcome.stdout

    def start(self) -> None:
        """Start all daemons and wait until the nodes are idle."""
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        munge = ["munged", "--foreground", "--force", f"--key-file={key}"]
        for file in ("socket", "pid-file", "log-file", "seed-file"):
            munge.append(f"--{file}={self.folder / 'munge'}.{file.removesuffix('-file')}")
        self._daemon("munged", munge)
        wait_for((self.folder / "munge.socket").exists, 30, "munged's socket")
        self._daemon("slurmctld", self.command(["slurmctld", "-D", "-c"]))
        for host in self.hosts:
            self._start_node(host)
        wait_for(self._all_idle, 60, f"idle nodes; the daemons' logs are in {self.folder}")

    def _start_node(self, host: Host) -> None:
        line = host.command(["slurmd", "-D", "-N", host.name], self.folder / "etc")
        self._daemon(f"slurmd-{host.name}", line)

    def resume(self, host: Host) -> None:
        """Give a node that is down back, as an administrator does."""
        self.ask("scontrol", "update", f"nodename={host.name}", "state=resume")

    def reboot(self, host: Host) -> None:
        """End everything on a node, as a loss of power does, and start its slurmd again."""
        for process in host.processes():
            kill(process)
        self._start_node(host)

    def _daemon(self, name: str, line: list[str]) -> None:
        with open(self.folder / f"{name}.out", "ab") as output:
            # A session of its own, so that Ctrl-C ends the tests first and the daemons after them.
            self.daemons.append(
                subprocess.Popen(
                    line, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
                )
            )

    def _all_idle(self) -> bool:
        broken = [daemon.args for daemon in self.daemons if daemon.poll() is not None]
        assert not broken, f"{broken} ended; see {self.folder}"
        try:
            return self.states() == {host.name: "idle" for host in self.hosts}
        except AssertionError:  # the controller does not answer yet
            return False

    def states(self) -> dict[str, str]:
        """State of every node, as sinfo says it."""
        lines = self.ask("sinfo", "--noheader", "--Node", "--format=%N %T", "--partition=cpu")
        return dict(line.split() for line in lines.splitlines())  # type: ignore[misc]

    def jobs(self) -> list[dict[str, str]]:
        """All jobs that the controller remembers, oldest first."""
        fields = ("JobID", "State", "Comment", "RestartCnt", "NodeList")
        wanted = ",".join(f"{field}:;" for field in fields)
        lines = self.ask("squeue", "--all", "--states=all", "--noheader", f"--Format={wanted}")
        rows = [dict(zip(fields, line.split(";"), strict=False)) for line in lines.splitlines()]
        return sorted(
            ({key: value.strip() for key, value in row.items()} for row in rows),
            key=lambda row: int(row["JobID"]),
        )

    def stop(self) -> None:
        """End the daemons, newest first."""
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


@contextmanager
def running_slurm(folder: Path, login: Host, hosts: list[Host]) -> Iterator[Slurm]:
    """A Slurm whose nodes are ``hosts``; all its files are in ``folder``."""
    slurm = Slurm(folder, login, hosts)
    try:
        slurm.start()
        yield slurm
    finally:
        slurm.stop()


def wait_for(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Ask ``condition`` until it holds; an assertion says ``what`` did not come in ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"no {what} within {seconds} seconds"
        time.sleep(0.2)
