"""The Celery application that the worker and the tests share."""

import os
import time
from typing import Any

from celery import Celery

app = Celery("interop", broker=os.environ["INTEROP_CELERY_URL"], backend="rpc://")
app.conf.update(
    task_acks_late=True,
    worker_send_task_events=True,
    task_send_sent_event=True,
    broker_connection_retry_on_startup=True,
    worker_prefetch_multiplier=1,
)


@app.task
def add(first: int, second: int) -> int:
    return first + second


@app.task(bind=True, max_retries=2)
def fail_once(self: Any, number: int) -> int:
    if self.request.retries == 0:
        raise self.retry(countdown=0.2)
    return number


@app.task
def later(text: str) -> str:
    return text


@app.task
def doze(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


@app.task
def total(numbers: list[int]) -> int:
    return sum(numbers)
