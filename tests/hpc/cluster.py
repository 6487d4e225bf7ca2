"""A real Slurm of four nodes on this machine: munged, slurmctld and four slurmd with ports and folders of their own.

It touches no installed configuration, no system service and no fixed port, so several may run beside each other, and it
runs as any user. All its daemons are children of the test process and are ended by it.
"""

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
PACKAGES = "slurmctld slurmd slurm-client munge libpmix-dev"
NODES = ("n1", "n2", "n3", "n4")
# Debian puts daemons where only root looks for programs.
PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
# Without TmpFS per node the PMIx servers of several nodes meet in one folder; without ReturnToService a node that was
# once away stays out; a requeued job waits for cred_expire (120 s unless said, 5 s at least); memory and CPUs are
# declared small and believed (config_overrides), so that any machine has them. Arrays are small, so that a short list
# of tasks exceeds them; a job of the partition "urgent" ends those of "batch" that are in its way, and puts those of
# "spare" back into the queue.
CONFIGURATION = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/log/slurmctld
SlurmdLogFile={folder}/log/%n
TmpFS={folder}/tmp/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=1,sched_interval=2
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=3
MaxArraySize=4
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
{nodes}
PartitionName=batch Nodes=n[1-4] Default=YES MaxTime=1440 State=UP PriorityTier=1
PartitionName=spare Nodes=n[1-4] MaxTime=1440 State=UP PriorityTier=1 PreemptMode=REQUEUE
PartitionName=urgent Nodes=n[1-4] MaxTime=1440 State=UP PriorityTier=2
"""


def missing() -> str:
    """Which daemons are not installed, and how to get them; "" if all are."""
    absent = [name for name in DAEMONS if shutil.which(name, path=PATH) is None]
    return f"{', '.join(absent)} not installed: apt-get install {PACKAGES}" if absent else ""


class Cluster:
    """A running cluster; use it as a context. ``environment`` makes sbatch and the others speak to it."""

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))  # short: a socket's path has 107 characters at most
        self.daemons: dict[str, subprocess.Popen] = {}  # the daemons by the node's name, or by their own
        self.environment = {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": PATH}
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.daemons:
            self.call("scancel", f"--user={getpass.getuser()}")
            until(lambda: not self.call("squeue", "--noheader").strip(), seconds=10)
        for process in reversed(self.daemons.values()):
            process.terminate()
        for process in self.daemons.values():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, *command: str) -> str:
        """Run one of Slurm's commands against this cluster; its standard output."""
        done = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, **self.environment}, timeout=60
        )
        return done.stdout

    def kill_node(self, node: str) -> None:
        """Kill a node's slurmd and all that runs there, as a failure of its power does; Slurm learns it by itself."""
        self.daemons[node].kill()
        self.daemons[node].wait()
        while processes := self.processes("", f"SLURMD_NODENAME={node}"):
            for process in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)

    def boot_node(self, node: str) -> None:
        """Start the slurmd of a node that was killed; what ran there and its sockets are gone."""
        # In the spool folder, too: Slurm's PMIx does not start a step whose socket is there from before.
        for path in (*(self.folder / "tmp" / node).iterdir(), *(self.folder / "spool" / node).glob("*pmix*")):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self._daemon(node, "slurmd", "-D", "-b", "-N", node)

    def stop_controller(self) -> None:
        """End slurmctld as its service does before an update: it saves which jobs there are."""
        self.daemons["slurmctld"].terminate()
        self.daemons["slurmctld"].wait(timeout=60)

    def start_controller(self) -> None:
        """Start a slurmctld that goes on from the state which the last one saved."""
        self._daemon("slurmctld", "slurmctld", "-D")

    def processes(self, arguments: str, *variables: str) -> list[int]:
        """Processes of this cluster by what follows their programs' names, and by environment variables.

        Args:
            arguments: the first ones, with NUL between; "" are those of any process: slurmstepd, batch scripts, ranks.
            variables: NAME=VALUE that all of them have; slurmstepd has those of its slurmd.
        """
        ours = {text.encode() for text in (f"SLURM_CONF={self.folder}/slurm.conf", *variables)}
        numbers = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has ended, or is another user's
                if ours <= set((folder / "environ").read_bytes().split(b"\0")):
                    line = (folder / "cmdline").read_bytes().partition(b"\0")[2]
                    numbers += [int(folder.name)] * line.startswith(arguments.encode())
        return numbers

    def _start(self):
        host = socket.gethostname().split(".")[0]
        for name in ("state", "log", *(f"{kind}/{node}" for kind in ("spool", "tmp") for node in NODES)):
            (self.folder / name).mkdir(parents=True)
        ports = _free_ports(1 + len(NODES))
        nodes = "\n".join(
            f"NodeName={node} NodeAddr=127.0.0.1 NodeHostname={host} Port={port} CPUs=1 RealMemory=500 State=UNKNOWN"
            for node, port in zip(NODES, ports[1:], strict=True)
        )
        text = CONFIGURATION.format(host=host, port=ports[0], user=getpass.getuser(), folder=self.folder, nodes=nodes)
        (self.folder / "slurm.conf").write_text(text)
        self._start_munge()
        self._daemon("slurmctld", "slurmctld", "-D", "-i")
        for node in NODES:
            self._daemon(node, "slurmd", "-D", "-N", node)
        listing = ("sinfo", "--noheader", "--Node", "--partition=batch", "--format=%t")
        idle = until(lambda: self.call(*listing).split() == ["idle"] * len(NODES), seconds=40)
        if not idle:
            logs = "\n".join(path.read_text(errors="replace")[-1500:] for path in (self.folder / "log").iterdir())
            raise RuntimeError(f"four idle nodes within 40 s expected, got\n{self.call('sinfo', '--Node')}\n{logs}")

    def _start_munge(self):
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(256))
        key.chmod(0o600)
        own = {
            "key-file": key,
            "socket": self.folder / "munge.socket",
            "pid-file": self.folder / "munged.pid",
            "log-file": self.folder / "munged.log",
            "seed-file": self.folder / "munged.seed",
        }
        self._daemon(
            "munged", "munged", "--foreground", "--force", *(f"--{option}={path}" for option, path in own.items())
        )
        if not until(own["socket"].exists, seconds=10):
            raise RuntimeError(f"munged made no socket within 10 s: {(self.folder / 'log' / 'munged.out').read_text()}")

    def _daemon(self, name: str, program: str, *arguments: str):
        out = self.folder / "log" / f"{name}.out"
        path = shutil.which(program, path=PATH)
        own = {"SLURMD_NODENAME": name} if name in NODES else {}  # by which slurmstepd is found, too
        with out.open("a") as file:
            self.daemons[name] = subprocess.Popen(
                [path, *arguments],
                stdout=file,
                stderr=file,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **self.environment, **own},
            )


def until(true: Callable[..., object], *arguments, seconds: float = 90.0) -> object:
    """Wait until a function of these arguments says so; what it said last."""
    end = time.monotonic() + seconds
    while not (outcome := true(*arguments)) and time.monotonic() < end:
        time.sleep(0.1)
    return outcome


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
