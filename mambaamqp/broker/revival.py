"""Messages and entries out of records: at the start, and when what sleeps is needed again."""

from mambaamqp.broker.message import NO_LSN, Message
from mambaamqp.store.records import Publish
from mambaamqp.wire import properties


class Revival:
    """Publishers repeat themselves: properties and address like those before are read and kept once."""

    def __init__(self) -> None:
        self.last_properties = b""
        self.last_summary = properties.Summary()
        self.last_address = b""

    def message(self, record: Publish, lsn: int) -> Message:
        """The message of a record; what is kept beside the content is read from it again."""
        first = record.content[0]
        header = first[7 : 7 + int.from_bytes(first[3:7], "big")]
        props = header[12:]
        if props != self.last_properties:
            self.last_summary = properties.summarise(header)
            self.last_properties = props
        if record.address != self.last_address:
            self.last_address = record.address
        summary = self.last_summary
        message = Message(self.last_address, first, properties.body_size(header), summary.persistent)
        message.published_ms = record.published_ms
        message.lsn = NO_LSN if record.chunked or len(record.targets) > 1 else lsn
        if record.dead_lettered:
            message.dead_lettered = True
        if summary.needs_attention:
            message.priority = summary.priority
            if summary.expiration is not None:
                message.expiration_ms = int(summary.expiration)
        return message
