"""What a strict compatibility profile refuses, in RabbitMQ's words, and that the log has been told.

The log has one line for each thing refused and each name, not one for each attempt: a client that tries again
for ever is not to fill it. Source: RabbitMQ's deprecated features.
"""

import logging
from typing import Final

from mambaamqp.config import Compatibility
from mambaamqp.errors import CommandInvalid, InternalFault, PreconditionFailed
from mambaamqp.wire.table import Table

log = logging.getLogger("mambaamqp.broker")

TOLD_MAX: Final = 10_000
"""Names that are remembered as told; beyond, nothing more is told."""

VERSION: Final = "x-queue-version"
LOCATOR: Final = "x-queue-master-locator"


class Strictness:
    """One broker's: what its profile asks for, and what the log knows."""

    def __init__(self, compatibility: Compatibility) -> None:
        self.compatibility = compatibility
        self._told: set[tuple[str, str]] = set()

    def told(self, feature: str, name: str, why: str) -> None:
        """Have it in the log, once; `name` is whose it was, if anybody's."""
        if (feature, name) in self._told or len(self._told) >= TOLD_MAX:
            return
        self._told.add((feature, name))
        where = f" of {name}" if name else ""
        log.warning("profile %s: %s%s: %s", self.compatibility.profile, feature, where, why)

    def check_values(self, where: str, table: Table) -> None:
        """406 for a value of a new queue's arguments that only an earlier RabbitMQ took."""
        if self.compatibility.refuses_version_1 and VERSION in table and table.get(VERSION) == 1:
            self.told(f"{VERSION} = 1", where, "refused with 406")
            raise PreconditionFailed(
                f"invalid arg '{VERSION}' for {where}: \"unsupported queue version '1'\""
            )

    def check_features(
        self, where: str, durable: bool, exclusive: bool, table: Table, queue_type: str
    ) -> None:
        """541 for a new queue that needs what RabbitMQ has deprecated."""
        if self.compatibility.refuses_transient_queues and not durable and not exclusive:
            self._deny("transient_nonexcl_queues", where)
        if self.compatibility.refuses_master_locator and queue_type == "classic" and LOCATOR in table:
            self._deny("queue_master_locator", where)

    def _deny(self, feature: str, where: str) -> None:
        self.told(feature, where, "refused with 541")
        raise InternalFault(
            f"Feature `{feature}` is deprecated.\nBy default, this feature is not permitted anymore.\nThe "
            "feature will be removed from a future major RabbitMQ version, regardless of the configuration; "
            "actual version to be determined.\nTo continue using this feature when it is not permitted by "
            "default, set the following parameter in your configuration:\n    "
            f'"deprecated_features.permit.{feature} = true"'
        )

    def unknown_type(self, refusal: PreconditionFailed) -> Exception:
        """For a type of exchange that does not exist: 406, or 503 as in earlier versions."""
        code = self.compatibility.unknown_exchange_type_code
        return CommandInvalid(str(refusal)) if code == CommandInvalid.code else refusal
