"""AWS Batch for tests and for trying out: an endpoint that speaks its protocol and runs jobs as local processes.

boto3 talks to it as to AWS, over HTTP. `BatchEndpoint` starts it, and switches what goes wrong: throttling, lost
machines and answers, late news, missing and damaged objects, and more (`redun_executor_batch.testing.faults.Faults`).
"""

from redun_executor_batch.testing.endpoint import BUCKET, QUEUE, BatchEndpoint

__all__ = ["BUCKET", "QUEUE", "BatchEndpoint"]
