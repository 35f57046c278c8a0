"""What Snakemake has to be told where its jobs are pods of Kubernetes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import MigrationError

if TYPE_CHECKING:
    from snakemake.workflow import Workflow


def take_files_from_volume(workflow: Workflow, results: str) -> None:
    """Let every file of the rules be what lies under its own name, on this machine and in the pods.

    Otherwise Snakemake, for which pods share nothing, would have the rules work on copies in its default storage, where
    the markers of a batch are not. What remains for the storage are the workflow's own files. Raises MigrationError if
    results cannot be on a volume.
    """
    if not Path(results).is_absolute():
        raise MigrationError("results has to be on the volume that the pods share: --config results=/shared/results")
    workflow.modifier.path_modifier.apply_default_storage = lambda path: path


def ask_as_kubernetes_answers(workflow: Workflow) -> None:
    """Let the executor (0.5.1), which has been started, ask the cluster so that no pod costs more than its own images.

    It asks for the log of the pod before a failed one; there is none where nothing is restarted, so Kubernetes refuses
    (kubelet's validateContainerLogStatus), and that ends the whole run. And it waits for ever for a job whose status it
    could not learn once: because the job was deleted, or because the cluster was too busy to answer.
    """
    from kubernetes.client import ApiException, V1Job, V1JobStatus

    executor = workflow.scheduler._executor
    logs, jobs = type(executor.kubeapi), type(executor.batchapi)
    read_log, read_status = logs.read_namespaced_pod_log, jobs.read_namespaced_job_status

    def status_of(self: Any, name: str, namespace: str) -> Any:
        try:
            return read_status(self, name, namespace)
        except ApiException as error:
            if error.status == 404:
                return None
            if error.status == 429 or error.status >= 500:
                return V1Job(status=V1JobStatus())
            raise

    logs.read_namespaced_pod_log = lambda self, **asked: read_log(self, **{**asked, "previous": False})
    jobs.read_namespaced_job_status = status_of
