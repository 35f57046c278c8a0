"""A real Slurm cluster of one node on this machine: munged, slurmctld and slurmd, without systemd.

They are of the Debian packages munge, slurmctld and slurmd; its commands are of slurm-client.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self


@dataclass
class Slurm:
    """The cluster, below a folder of its own, with ports of its own; needs root, as slurmd does.

    `cpus` may be more than the machine has: Slurm takes the configuration's word for it.
    """

    folder: Path
    cpus: int = 2
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What leads sbatch, squeue and the others to this cluster."""
        return {
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }

    def __enter__(self) -> Self:
        try:
            self._configure()
            self._start("munged", "--foreground", "--force", *self._munge_files())
            self._wait_for((self.folder / "munge.socket").exists)
            self._start("slurmctld", "-D")
            self.start_node()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start_node(self) -> None:
        """Start slurmd, and wait until the controller has work for it."""
        self._start("slurmd", "-D", "-N", self._node)
        self._wait_for(self._takes_work)

    def kill_node(self) -> None:
        """kill -9 of slurmd; its jobs go on."""
        process = self._processes.pop("slurmd")
        process.kill()
        process.wait()

    def command(self, *words: str) -> str:
        """What one of Slurm's commands prints; "" where it fails."""
        environment = {**os.environ, **self.environment}
        return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=30).stdout.strip()

    def jobs(self, state: str = "RUNNING") -> list[str]:
        """The IDs of all jobs in a state."""
        return self.command("squeue", "--noheader", f"--states={state}", "--format=%i").split()

    def stop(self) -> None:
        """Cancel all jobs, and end what was started."""
        if "slurmd" in self._processes and self._processes["slurmd"].poll() is None:
            self.command("scancel", "--full", "--signal=KILL", f"--nodelist={self._node}")
            self.command("scancel", f"--nodelist={self._node}")
        for process in reversed(self._processes.values()):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()

    @property
    def _node(self) -> str:
        return socket.gethostname().partition(".")[0]

    def _takes_work(self) -> bool:
        state = self.command("sinfo", "--noheader", "--format=%T")
        if state.startswith("down"):
            # Otherwise it would be so until the controller looks again.
            self.command("scontrol", "update", f"nodename={self._node}", "state=resume")
        return state in ("idle", "mixed", "allocated")

    def _munge_files(self) -> list[str]:
        names = {"socket": "socket", "key-file": "key", "pid-file": "pid", "seed-file": "seed", "log-file": "log"}
        return [f"--{option}={self.folder / 'munge'}.{name}" for option, name in names.items()]

    def _configure(self) -> None:
        self.folder.mkdir(parents=True)
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        controller_port, node_port = _free_ports(2)
        values = {
            "ClusterName": "test",
            "SlurmctldHost": f"{self._node}(127.0.0.1)",
            "SlurmctldPort": controller_port,
            "SlurmdPort": node_port,
            "SlurmUser": "root",
            "SlurmdUser": "root",
            "AuthType": "auth/munge",
            "AuthInfo": f"socket={self.folder / 'munge.socket'}",
            "CredType": "cred/munge",
            "StateSaveLocation": self.folder / "state",
            "SlurmdSpoolDir": self.folder / "spool",
            "SlurmctldPidFile": self.folder / "slurmctld.pid",
            "SlurmdPidFile": self.folder / "slurmd.pid",
            "ProctrackType": "proctrack/linuxproc",
            "TaskPlugin": "task/none",
            "JobAcctGatherType": "jobacct_gather/none",
            "AccountingStorageType": "accounting_storage/none",
            "SelectType": "select/cons_tres",
            "SelectTypeParameters": "CR_CPU",
            "SlurmdParameters": "config_overrides",
            "ReturnToService": 2,
            "MinJobAge": 300,
            "KillWait": 5,
            "SlurmdTimeout": 20,
        }
        lines = [f"{name}={value}" for name, value in values.items()]
        lines += [f"NodeName={self._node} NodeAddr=127.0.0.1 CPUs={self.cpus} RealMemory=8000 State=UNKNOWN"]
        lines += [f"PartitionName=all Nodes={self._node} Default=YES MaxTime=INFINITE State=UP"]
        (self.folder / "slurm.conf").write_text("\n".join(lines) + "\n")
        for name in ("state", "spool", "bin"):
            (self.folder / name).mkdir()
        # The plugin starts srun without SLURM_CONF: on a cluster, the configuration lies where all look for it.
        srun = self.folder / "bin" / "srun"
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={self.folder / "slurm.conf"} exec /usr/bin/srun "$@"\n')
        srun.chmod(0o755)

    def _start(self, daemon: str, *arguments: str) -> None:
        with (self.folder / f"{daemon}.log").open("ab") as log:
            self._processes[daemon] = subprocess.Popen(
                [f"/usr/sbin/{daemon}", *arguments],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 30
        while not condition():
            for daemon, process in self._processes.items():
                if process.poll() is not None:
                    said = (self.folder / f"{daemon}.log").read_text(errors="replace").splitlines()[-5:]
                    raise RuntimeError(f"{daemon} ended: {' | '.join(said)}")
            if time.monotonic() > end:
                raise RuntimeError(f"Slurm did not come up: see {self.folder}")
            time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
