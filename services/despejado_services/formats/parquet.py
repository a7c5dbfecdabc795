"""Parquet with the VOTable's metadata beside the data (VOParquet convention, IVOA note 2025)."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
from pyarrow import parquet

from despejado_services.formats.cells import arrow_type, pieces
from despejado_services.formats.votable import metadata_document
from despejado_services.models import Column, ResultStream

_ROW_GROUP = 122_880


def _field(column: Column) -> pa.Field:
    described = {
        "unit": column.unit,
        "ucd": column.ucd,
        "utype": column.utype,
        "xtype": column.xtype,
        "description": column.description,
    }
    metadata = {key: value for key, value in described.items() if value}
    return pa.field(column.name, arrow_type(column), metadata=metadata)


class _Outbox:
    """A file whose content is taken away as it is written, so nothing piles up in memory."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._position = 0
        self.closed = False

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        self._position += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self.closed = True

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def write(stream: ResultStream, query: str) -> Iterator[bytes]:
    """Row groups as they fill, zstd. The footer comes last: a file that broke off cannot be read.

    The VOTable document without data is in the key-value metadata, and says OVERFLOW there.
    """
    schema = pa.schema([_field(column) for column in stream.columns])
    batches = pieces(stream.batches, max_bytes=64 << 20)
    waiting: list[pa.RecordBatch] = [batch for batch in [next(batches, None)] if batch is not None]
    outbox = _Outbox()
    sink = pa.PythonFile(outbox, mode="w")
    with parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        for batch in batches:
            if sum(part.num_rows for part in waiting) >= _ROW_GROUP:
                writer.write_table(_table(waiting, schema))
                waiting = []
                yield outbox.take()
            waiting.append(batch)
        if waiting:
            writer.write_table(_table(waiting, schema))
        writer.add_key_value_metadata(
            {
                "IVOA.VOTable-Parquet.version": "1.0",
                "IVOA.VOTable-Parquet.content": metadata_document(
                    stream.columns, query, overflow=stream.overflow
                ),
            }
        )
    yield outbox.take()


def _table(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_batches([batch.cast(schema) for batch in batches], schema=schema)
