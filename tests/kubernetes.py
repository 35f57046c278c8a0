"""A stand-in for a Kubernetes cluster: the calls of its API that the executor makes, and a node that runs the Jobs.

There is no container: a Job's command runs as a process of this machine, with what its manifest gives it (a working
directory of its own, the variables from the Secret) and the programs that the image would have. A volume is a folder
that lies at its mount path already.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import psutil

Json = dict[str, Any]
OBJECT = re.compile(
    r"/(?:api|apis/batch)/v1/namespaces/default/(?P<kind>secrets|jobs|pods)(?:/(?P<name>[^/]+))?(?P<part>/status|/log)?"
)


@dataclass
class Pod:
    """What a Job started."""

    job: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def manifest(self) -> Json:
        """What the API says of it."""
        code = self.process.poll()
        running = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
        state = running if code is None else {"terminated": {"exitCode": code if code >= 0 else 128 - code}}
        status = {"name": "snakemake", "image": "", "imageID": "", "ready": True, "restartCount": 0, "state": state}
        return {"metadata": {"name": f"{self.job}-pod"}, "status": {"containerStatuses": [status]}}


@dataclass
class Kubernetes:
    """The cluster; `folder` is for its node, `programs` the folder that the image has its programs in.

    `objects` are the manifests of what there is, by kind and name; `created`, of all that there ever was. Who asks for
    a job's status for the first time hears that the cluster is busy.
    """

    folder: Path
    programs: Path
    objects: dict[str, dict[str, Json]] = field(default_factory=lambda: {"jobs": {}, "secrets": {}})
    created: dict[str, list[Json]] = field(default_factory=lambda: {"jobs": [], "secrets": []})
    pods: dict[str, Pod] = field(default_factory=dict)
    _asked_for: set[str] = field(default_factory=set)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        self._lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"cluster": self}))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        access = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "clusters": [{"name": "test", "cluster": {"server": f"http://127.0.0.1:{self._server.server_port}"}}],
            "users": [{"name": "test", "user": {"token": "test"}}],
        }
        self.config.write_text(json.dumps(access))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        for pod in self.pods.values():
            _kill(pod)

    @property
    def config(self) -> Path:
        """For KUBECONFIG."""
        return self.folder / "config"

    @property
    def logs(self) -> str:
        """What all pods said."""
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))

    def delete_a_job(self) -> None:
        """Delete one that runs, as kubectl does."""
        job = next(pod.job for pod in self.pods.values() if pod.process.poll() is None)
        self.answer("DELETE", f"/apis/batch/v1/namespaces/default/jobs/{job}", {})

    def kill_a_pod(self) -> None:
        """End one that runs, as a node that is out of memory does."""
        _kill(next(pod for pod in self.pods.values() if pod.process.poll() is None))

    def answer(self, method: str, url: str, body: Json) -> tuple[int, Json | str]:
        """The status and the object, or the text of a log, that the API answers a request with."""
        address = urlsplit(url)
        match = OBJECT.fullmatch(address.path)
        if not match:
            return 404, _refusal(404, f"{address.path} is not served")
        with self._lock:
            if method == "POST" and not match["name"]:
                return self._create(match["kind"], body)
            if match["kind"] == "pods" and method == "GET" and not match["name"]:
                job = parse_qs(address.query)["labelSelector"][0].removeprefix("job-name=")
                items = [self.pods[job].manifest] if job in self.pods else []
                return 200, {"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": items}
            return self._of_one(method, match["kind"], match["name"], match["part"], parse_qs(address.query))

    def _create(self, kind: str, body: Json) -> tuple[int, Json]:
        name = body["metadata"]["name"]
        objects = self.objects[kind]
        if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name):
            return 422, _refusal(422, f"{name} is no name")
        if name in objects:
            return 409, _refusal(409, f"{name} already exists")
        objects[name] = body
        self.created[kind].append(body)
        if kind == "jobs":
            self.pods[name] = self._run(name, body["spec"]["template"]["spec"])
        return 201, body

    def _of_one(self, method: str, kind: str, name: str, part: str | None, query: Json) -> tuple[int, Json | str]:
        if kind == "pods":
            pod = self.pods.get(name.removesuffix("-pod"))
            if not pod:
                return 404, _refusal(404, f"{name} not found")
            if part == "/log":
                # A container that never restarts has no previous one.
                if query.get("previous") == ["True"]:
                    return 400, _refusal(400, f'previous terminated container "snakemake" in pod "{name}" not found')
                return 200, pod.log.read_text(errors="replace")
            _kill(self.pods.pop(pod.job))
            return 200, pod.manifest
        objects = self.objects[kind]
        if name not in objects:
            return 404, _refusal(404, f"{name} not found")
        if method == "DELETE":
            del objects[name]
            if name in self.pods:
                _kill(self.pods.pop(name))
            return 200, {"apiVersion": "v1", "kind": "Status", "status": "Success"}
        if name not in self._asked_for:
            self._asked_for.add(name)
            return 503, _refusal(503, "the cluster is busy")
        code = self.pods[name].process.poll()
        status = {} if code is None else {"failed": 1} if code else {"succeeded": 1}
        return 200, {**objects[name], "status": status}

    def _run(self, name: str, spec: Json) -> Pod:
        (container,) = spec["containers"]
        given = {each["name"]: self._from_secret(each) for each in container["env"]}
        image = {"PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}", "LANG": "C.UTF-8", "NO_GCE_CHECK": "true"}
        log = self.folder / f"{name}.log"
        with log.open("wb") as stream:
            workdir = tempfile.mkdtemp(dir=self.folder)
            process = subprocess.Popen(
                [*container["command"], *container["args"]],
                cwd=workdir,
                env={**image, "HOME": str(self.folder), **given},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        return Pod(name, process, log)

    def _from_secret(self, variable: Json) -> str:
        key = variable["valueFrom"]["secretKeyRef"]
        return base64.b64decode(self.objects["secrets"][key["name"]]["data"][key["key"]]).decode()


class _Handler(BaseHTTPRequestHandler):
    cluster: Kubernetes
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, answer = self.cluster.answer(self.command, self.path, json.loads(body) if body else {})
        data = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(answer, str) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = _answer


def _refusal(code: int, message: str) -> Json:
    return {"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "message": message}


def _kill(pod: Pod) -> None:
    """Ends all processes of the pod, as the end of a container does, also those with a session of their own."""
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pod.process.pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                process.kill()
    pod.process.wait()
