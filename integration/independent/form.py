"""Form: faults, limits, strict CBOR (docs/format.md §1), shapes of maps, frames and record ids (§4).

Written from docs/format.md alone, so that it checks the page as much as the other programs.
"""
import hashlib

CODES = {"internal": 1, "input": 2, "format": 3, "integrity": 4, "limit": 5, "version": 6, "missing": 7, "disk": 8, "denied": 10, "conflict": 11}


class Fault(Exception):
    """An expected failure. `code` is one of CODES, whose number is the exit code of the program."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


FRAME_BYTES_MAX = 33554432
OBJECT_BYTES_MAX = 8388608
PACK_PLAIN_BYTES_MIN = 65536
PACK_OBJECTS_MAX = 16384
INDEX_PACKS_MAX = 4096
INDEX_ENTRIES_MAX = 524288
INDEX_FENCE_ENTRIES = 256
SEGMENT_BYTES = 16384
CHUNK_BYTES_MIN = 262144
CHUNK_BYTES_MEAN = 1048576
CHUNK_BYTES_MAX = 4194304
CONTENT_ITEMS_INLINE_MAX = 128
SPLIT_ITEMS_MIN = 256
SPLIT_ITEMS_MAX = 4096
SPLIT_MASK = (1 << 10) - 1
TREE_NODE_BYTES_MAX = 524288
TREE_LEVELS_MAX = 8
NAME_BYTES_MAX = 255
PATH_DEPTH_MAX = 4096
LINK_TARGET_BYTES_MAX = 4096
XATTRS_BYTES_MAX = 262144
CBOR_DEPTH_MAX = 16
LABEL_BYTES_MAX = 256
TEXT_BYTES_MAX = 4096
SLOT_BYTES_MAX = 65536
SLOTS_MAX = 256
JOURNAL_ENTRY_BYTES_MAX = 65536
FORGET_ENTRIES_MAX = 1000
ARGON2_KIB = (65536, 1048576)
ARGON2_PASSES = (3, 16)
FAILURES_LISTED_MAX = 10000
MINIMUM_AGE_SECONDS = 2592000
INTEGER_MAX = 2**53 - 1

# ---------------------------------------------------------------------------------------------- CBOR


def _head(major, number):
    for additional, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 24:
            return bytes([major << 5 | number])
        if number < 1 << 8 * width:
            return bytes([major << 5 | additional]) + number.to_bytes(width, "big")
    raise Fault("limit", "cbor: integer too large")


def encode(value):
    """The one canonical encoding of None, bool, int, bytes, str, list and dict with unsigned keys."""
    if value is None:
        return b"\xf6"
    if value is False or value is True:
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        raw = value.encode("utf-8")
        return _head(3, len(raw)) + raw
    if isinstance(value, (list, tuple)):
        return _head(4, len(value)) + b"".join(encode(item) for item in value)
    if isinstance(value, dict):
        pairs = sorted((encode(key), encode(item)) for key, item in value.items())
        return _head(5, len(pairs)) + b"".join(key + item for key, item in pairs)
    raise TypeError(type(value))


def _item(data, at, depth):
    """Decodes one item at `at`; returns (value, next position). Lengths are checked before use."""
    if at >= len(data):
        raise Fault("format", "cbor: ends early")
    major, number = data[at] >> 5, data[at] & 31
    at += 1
    if major == 7:
        if number not in (20, 21, 22):
            raise Fault("format", "cbor: only false, true and null are simple values here")
        return (False, True, None)[number - 20], at
    if number > 27 or major == 6:
        raise Fault("format", "cbor: indefinite length, reserved head or tag")
    if number > 23:
        width = 1 << (number - 24)
        if at + width > len(data):
            raise Fault("format", "cbor: ends early")
        number = int.from_bytes(data[at : at + width], "big")
        at += width
        if number < (24 if width == 1 else 1 << 4 * width):
            raise Fault("format", "cbor: not the shortest form")
    if major < 2:
        value = number if major == 0 else -1 - number
        if abs(value) > INTEGER_MAX:
            raise Fault("format", "cbor: integer beyond 2^53 - 1")
        return value, at
    if major < 4:
        if number > len(data) - at:
            raise Fault("format", "cbor: ends early")
        raw = bytes(data[at : at + number])
        if major == 2:
            return raw, at + number
        try:
            return raw.decode("utf-8"), at + number
        except UnicodeDecodeError:
            raise Fault("format", "cbor: text is not UTF-8") from None
    if depth >= CBOR_DEPTH_MAX:
        raise Fault("limit", "cbor: nested too deeply")
    if number * (major - 3) > len(data) - at:  # Every item has at least one byte.
        raise Fault("format", "cbor: ends early")
    if major == 4:
        items = []
        for _ in range(number):
            item, at = _item(data, at, depth + 1)
            items.append(item)
        return items, at
    result, before = {}, b""
    for _ in range(number):
        key_at = at
        if data[at : at + 1] and data[at] >> 5 != 0:
            raise Fault("format", "cbor: map key is not an unsigned integer")
        key, at = _item(data, at, depth + 1)
        raw_key = bytes(data[key_at:at])
        if raw_key <= before:
            raise Fault("format", "cbor: map keys out of order or twice")
        before = raw_key
        result[key], at = _item(data, at, depth + 1)
    return result, at


def decode(data):
    """Decodes exactly one canonical item. The depth counts arrays and maps around a value."""
    value, end = _item(data, 0, 0)
    if end != len(data):
        raise Fault("format", "cbor: trailing bytes")
    if encode(value) != bytes(data):
        raise Fault("format", "cbor: not canonical")
    return value


# --------------------------------------------------------------------------------------------- shapes


def uint(maximum=INTEGER_MAX, minimum=0):
    def check(value, what):
        if type(value) is not int or not minimum <= value <= maximum:
            raise Fault("format", f"{what}: not an integer of {minimum} to {maximum}")
        return value

    return check


def byte_string(length=None, maximum=FRAME_BYTES_MAX):
    def check(value, what):
        if not isinstance(value, bytes) or length not in (None, len(value)):
            raise Fault("format", f"{what}: not a byte string of {length if length is not None else 'any'} bytes")
        if len(value) > maximum:
            raise Fault("limit", f"{what}: over {maximum} bytes")
        return value

    return check


def text(maximum=LABEL_BYTES_MAX):
    def check(value, what):
        if not isinstance(value, str):
            raise Fault("format", f"{what}: not text")
        if len(value.encode("utf-8")) > maximum:
            raise Fault("limit", f"{what}: over {maximum} bytes")
        return value

    return check


def level(value, what):
    """Level of a tree node or a list: the limit counts levels, so the topmost is one less."""
    if uint()(value, what) >= TREE_LEVELS_MAX:
        raise Fault("limit", f"{what}: over {TREE_LEVELS_MAX} levels")
    return value


def given(check):
    """For integers, arrays and `false` that may be absent: a default that is written out is refused."""

    def refuse_default(value, what):
        if value in (0, False, []):
            raise Fault("format", f"{what}: a default is written out")
        return check(value, what)

    return refuse_default


def boolean(value, what):
    if not isinstance(value, bool):
        raise Fault("format", f"{what}: not a boolean")
    return value


def nullable(check):
    return lambda value, what: None if value is None else check(value, what)


def row(*checks):
    """An array of exactly these items."""

    def check(value, what):
        if not isinstance(value, list) or len(value) != len(checks):
            raise Fault("format", f"{what}: not an array of {len(checks)}")
        return [one(item, what) for one, item in zip(checks, value)]

    return check


def rows(one, maximum=None, ascending=False):
    """An array of such items; `ascending`: strictly, so that none occurs twice."""

    def check(value, what):
        if not isinstance(value, list):
            raise Fault("format", f"{what}: not an array")
        if maximum is not None and len(value) > maximum:
            raise Fault("limit", f"{what}: over {maximum} items")
        items = [one(item, what) for item in value]
        if ascending and any(a >= b for a, b in zip(items, items[1:])):
            raise Fault("format", f"{what}: not ascending")
        return items

    return check


def shape(what, **by_name):
    """A map: name=(key, check) is demanded, name=(key, check, None) may be absent. Gives a dict by name."""
    by_key = {spec[0]: (name, spec[1], len(spec) > 2) for name, spec in by_name.items()}

    def check(value, _what=None):
        if not isinstance(value, dict):
            raise Fault("format", f"{what}: not a map")
        unknown = [key for key in value if key not in by_key]
        if unknown:
            raise Fault("format", f"{what}: unknown key {unknown[0]}")
        result = {}
        for key, (name, one, optional) in by_key.items():
            if key in value:
                result[name] = one(value[key], f"{what}, {name}")
            elif optional:
                result[name] = None
            else:
                raise Fault("format", f"{what}: {name} is absent")
        return result

    return check


ID = byte_string(32)
SHORT_ID = byte_string(16)


def moment(value, what):
    return row(uint(minimum=-INTEGER_MAX), uint(10**9 - 1))(value, what)


# --------------------------------------------------------------------------------------------- frames

CONFIG, SLOT, CONTENT_PACK, STRUCTURE_PACK, CONTENT_INDEX, STRUCTURE_INDEX, SNAPSHOT, JOURNAL_ENTRY, RECEIPT = range(1, 10)
SUITE_0_KINDS = (SLOT, JOURNAL_ENTRY, RECEIPT)
KIND_BYTES_MAX = {SLOT: SLOT_BYTES_MAX, JOURNAL_ENTRY: JOURNAL_ENTRY_BYTES_MAX, RECEIPT: JOURNAL_ENTRY_BYTES_MAX}
RESERVED_SUITE = 2


class Frame:
    """A parsed frame: `record_id`, `kind`, `suite`, `epoch`, `body`, `frame_bytes` (a count)."""

    def __init__(self, data):
        if len(data) > FRAME_BYTES_MAX:
            raise Fault("limit", f"frame: over {FRAME_BYTES_MAX} bytes")
        value = decode(data)
        if not isinstance(value, list) or not value or value[0] != 1 or isinstance(value[0], bool):
            version = isinstance(value, list) and value and type(value[0]) is int
            raise Fault("version" if version else "format", "frame: not of format version 1")
        _, self.kind, self.suite, self.epoch, self.body = row(uint(), uint(), uint(), uint(), byte_string())(value, "frame")
        if self.epoch >= 2**32:
            raise Fault("limit", "frame: epoch is longer than 32 bits")
        if not CONFIG <= self.kind <= RECEIPT:
            raise Fault("version", f"frame: kind {self.kind} is not of this version")
        suites = (0,) if self.kind in SUITE_0_KINDS else (1, RESERVED_SUITE) if self.kind == CONTENT_PACK else (1,)
        if self.suite not in suites:
            raise Fault("format", f"frame: suite {self.suite} is not for kind {self.kind}")
        if self.suite == 0 and self.epoch != 0:
            raise Fault("format", f"frame: kind {self.kind} has epoch {self.epoch}, want 0")
        if len(data) > KIND_BYTES_MAX.get(self.kind, FRAME_BYTES_MAX):
            raise Fault("limit", f"frame: kind {self.kind} over {KIND_BYTES_MAX[self.kind]} bytes")
        self.record_id = hashlib.sha256(data).digest()
        self.frame_bytes = len(data)
