"""Frames straight from the data folder of a storage node: SQLite files, read without the node.

    DATA/vaults/<vault id hex>/vault.db          table records: record_id, frame_no, segment_no, byte_count, tier
                                                 table journal: entry_id, entry_frame, receipt_id, receipt_frame
    DATA/vaults/<vault id hex>/segment-NNNN.db   table parts: part_no = frame_no × 64 + index, bytes (up to 1 MiB)

This layout is the node's own and no part of the format: it may change with a release of the node. Stop the node first.
"""
import pathlib
import sqlite3
import urllib.parse

import form
from form import Fault

PARTS_OF_FRAME = 64


class NodeData:
    def __init__(self, data, vault_id):
        found = sorted(pathlib.Path(data).glob("**/vaults/*/vault.db"))
        if vault_id is not None:
            found = [path for path in found if path.parent.name == vault_id.lower()]
        if len(found) != 1:
            names = ", ".join(path.parent.name for path in found) or "none"
            raise Fault("input", f"data folder: want one vault, choose by --vault; found: {names}")
        self._folder, self._segments = found[0].parent, {}
        vault = connect(found[0])
        try:
            self._places = {
                record_id: (frame_no, segment_no, byte_count, tier)
                for record_id, frame_no, segment_no, byte_count, tier in vault.execute("SELECT record_id, frame_no, segment_no, byte_count, tier FROM records")
            }
            self._frames = {}
            for entry_id, entry, receipt_id, receipt in vault.execute("SELECT entry_id, entry_frame, receipt_id, receipt_frame FROM journal"):
                self._frames[entry_id] = entry
                self._frames[receipt_id] = receipt
        except sqlite3.Error as error:
            raise Fault("format", f"data folder: vault.db: {error}") from None

    def ids(self):
        return sorted({*self._places, *self._frames})

    def read(self, record_id):
        if record_id in self._frames:
            return self._frames[record_id]
        frame_no, segment_no, byte_count, tier = self._places[record_id]
        if tier != 0:
            raise Fault("missing", f"record {record_id.hex()}: archived in the cold tier")
        if byte_count > form.FRAME_BYTES_MAX:
            raise Fault("limit", f"record {record_id.hex()}: over {form.FRAME_BYTES_MAX} bytes")
        if segment_no not in self._segments:
            self._segments[segment_no] = connect(self._folder / f"segment-{segment_no:04d}.db")
        first = frame_no * PARTS_OF_FRAME
        try:
            rows = self._segments[segment_no].execute("SELECT bytes FROM parts WHERE part_no >= ? AND part_no < ? ORDER BY part_no", (first, first + PARTS_OF_FRAME))
            data = b"".join(row[0] for row in rows)
        except sqlite3.Error as error:
            raise Fault("integrity", f"record {record_id.hex()}: segment does not read: {error}") from None
        if len(data) != byte_count:
            raise Fault("integrity", f"record {record_id.hex()}: {len(data)} bytes are there, want {byte_count}")
        return data


def connect(path):
    try:
        return sqlite3.connect(f"file:{urllib.parse.quote(str(path.resolve()))}?mode=ro", uri=True)
    except sqlite3.Error as error:
        raise Fault("disk", f"{path.name}: {error}") from None
