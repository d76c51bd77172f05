"""The journal (docs/format.md §14) and receipts (§16): one chain, verified from genesis with every signature and role."""
import form
from form import ID, SHORT_ID, Fault, boolean, byte_string, nullable, row, rows, shape, text, uint
from sealing import EPOCHS, PERSON_TYPES, check_signature, short_id

AGENT, MAINTAINER, AUDITOR, ADMIN = range(1, 5)
GENESIS, DEVICE_ADDED, DEVICE_REVOKED, SLOT_ADDED, SLOT_REMOVED, NEW_CONFIG, POLICY, EPOCH_ADDED = range(1, 9)
NEW_SNAPSHOT, OFFLOAD, FORGET, HOLD, RELEASE = range(9, 14)
ROLE_OF_KIND = {NEW_SNAPSHOT: AGENT, OFFLOAD: AGENT, FORGET: MAINTAINER, HOLD: MAINTAINER, RELEASE: MAINTAINER}

SIGNATURE = byte_string(64)
_entry_map = shape("journal entry", payload=(1, byte_string()), device_signature=(2, SIGNATURE), owner_signature=(3, SIGNATURE, None))
_payload = shape(
    "journal payload",
    vault_id=(1, SHORT_ID),
    account_id=(2, SHORT_ID),
    device_id=(3, SHORT_ID),
    seq=(4, uint()),
    previous=(5, nullable(ID)),
    time=(6, uint()),
    kind=(7, uint(minimum=1)),
    body=(8, lambda value, what: value),
)
_rule = shape("rule", **{name: (key, uint(minimum=1), None) for key, name in enumerate(("last", "hourly", "daily", "weekly", "monthly", "yearly"), 1)})
_needs = row(nullable(ID), uint(), ID, ID)
_snapshot_body = shape("snapshot entry", record_id=(1, ID), line=(2, ID), complete=(3, boolean), needs=(4, _needs), supersedes=(5, ID, None))
_hold_body = shape("hold", entry_id=(1, ID), reason=(2, text(form.JOURNAL_ENTRY_BYTES_MAX), None))
BODIES = {
    GENESIS: shape("genesis", owner=(1, ID), container=(2, ID), config=(3, ID), device=(4, ID)),
    DEVICE_ADDED: shape("device-added", device=(1, ID), roles=(2, rows(uint(4, 1), ascending=True)), label=(3, text())),
    DEVICE_REVOKED: shape("device-revoked", device_id=(1, SHORT_ID), bad_since=(2, uint(), None)),
    SLOT_ADDED: shape("slot-added", record_id=(1, ID), type=(2, uint(6, 1)), slot_id=(3, SHORT_ID), label=(4, text())),
    SLOT_REMOVED: shape("slot-removed", record_id=(1, ID)),
    NEW_CONFIG: shape("config entry", config=(1, ID)),
    POLICY: shape("policy", line=(1, nullable(ID)), rule=(2, _rule), minimum_age=(3, uint(minimum=form.MINIMUM_AGE_SECONDS))),
    EPOCH_ADDED: shape("epoch-added", epoch=(1, uint(2**32 - 1)), container=(2, ID), record_id=(3, ID)),
    NEW_SNAPSHOT: _snapshot_body,
    OFFLOAD: _snapshot_body,
    FORGET: shape("forget", entry_ids=(1, rows(ID, ascending=True))),
    HOLD: _hold_body,
    RELEASE: _hold_body,
}


def parse_entry(frame):
    """A journal-entry frame to a dict: the payload's fields, `entry_id`, `body` checked by kind, signatures."""
    entry = _entry_map(form.decode(frame.body))
    entry.update(_payload(form.decode(entry["payload"])))
    if entry["kind"] not in BODIES:  # Reserved, or of a later version.
        raise Fault("version", f"journal entry: kind {entry['kind']} is reserved")
    entry["body"] = BODIES[entry["kind"]](entry["body"])
    entry["entry_id"] = frame.record_id
    return entry


class Journal:
    """What the verified chain says. Everything in it is signed by keys that genesis leads to."""

    def __init__(self, frames):
        """`frames`: all journal-entry frames of one account, in any order. Refuses gaps and forks."""
        self.entries, self.devices, self.slots, self.containers = [], {}, {}, {}
        self.snapshots, self.forgotten, self.held = {}, set(), {}
        self.config = self.vault_id = self.account_id = self.owner = None
        chain = sorted((parse_entry(frame) for frame in frames), key=lambda entry: entry["seq"])
        if not chain:
            raise Fault("missing", "journal: no entries")
        for entry in chain:
            self._take(entry)

    def _take(self, entry):
        seq, what = len(self.entries), f"journal entry {entry['seq']}"
        if entry["seq"] != seq:
            raise Fault("conflict", f"{what}: expected seq {seq}: the chain has a gap or a fork")
        if entry["previous"] != (self.entries[-1]["entry_id"] if seq else None):
            raise Fault("conflict", f"{what}: does not follow the entry before it")
        if (entry["kind"] == GENESIS) != (seq == 0):
            raise Fault("format", f"{what}: genesis stands at seq 0 and only there")
        if seq == 0:
            self._begin(entry)
        if (entry["vault_id"], entry["account_id"]) != (self.vault_id, self.account_id):
            raise Fault("integrity", f"{what}: of another vault or account")
        self._check_signatures(entry, what)
        self._apply(entry, what)
        self.entries.append(entry)

    def _begin(self, entry):
        body = entry["body"]
        self.owner, self.vault_id, self.account_id = body["owner"], short_id(body["owner"]), entry["account_id"]
        self.config, self.containers = body["config"], {0: body["container"]}
        # The device of genesis signs seq 0 and seq 1 before any entry gave it a role.
        self.devices[short_id(body["device"])] = {"key": body["device"], "roles": [], "revoked": False, "bad_since": None}

    def _check_signatures(self, entry, what):
        kind, device = entry["kind"], self.devices.get(entry["device_id"])
        if device is None or device["revoked"]:
            raise Fault("denied", f"{what}: by a device that is unknown or revoked")
        check_signature(device["key"], "journal", entry["payload"], entry["device_signature"], what)
        if kind <= EPOCH_ADDED:
            if entry["owner_signature"] is None:
                raise Fault("denied", f"{what}: lacks the signature of the owner")
            check_signature(self.owner, "owner", entry["payload"], entry["owner_signature"], what)
            return
        if entry["owner_signature"] is not None:
            raise Fault("denied", f"{what}: an owner signature on kind {kind}")
        role = ROLE_OF_KIND[kind]
        if kind == RELEASE and self._is_own_offload(entry):
            role = AGENT if AGENT in device["roles"] else MAINTAINER
        if role not in device["roles"]:
            raise Fault("denied", f"{what}: the device has not the role for kind {kind}")

    def _is_own_offload(self, entry):
        target = self.snapshots.get(entry["body"]["entry_id"])
        is_own = target is not None and target["kind"] == OFFLOAD and target["device_id"] == entry["device_id"]
        return is_own and target["entry_id"] not in self.held  # What a maintainer holds, a maintainer releases.

    def _apply(self, entry, what):
        kind, body = entry["kind"], entry["body"]
        if len(self.entries) == 1 and (kind != DEVICE_ADDED or body["device"] != self.entries[0]["body"]["device"]):
            raise Fault("denied", f"{what}: is not the device-added of the genesis device")
        if kind == DEVICE_ADDED:
            self.devices[short_id(body["device"])] = {"key": body["device"], "roles": body["roles"], "revoked": False, "bad_since": None}
        elif kind == DEVICE_REVOKED:
            device = self.devices.get(body["device_id"])
            if device is None:
                raise Fault("integrity", f"{what}: revokes an unknown device")
            device.update(revoked=True, bad_since=body["bad_since"])
        elif kind == SLOT_ADDED:
            self._add_slot(body, what)
        elif kind == SLOT_REMOVED:
            self._remove_slot(body["record_id"], what)
        elif kind == NEW_CONFIG:
            self.config = body["config"]
        elif kind == EPOCH_ADDED:
            if body["epoch"] != len(self.containers):
                raise Fault("format", f"{what}: epoch {body['epoch']}, want {len(self.containers)}")
            self.containers[body["epoch"]] = body["container"]
            self.slots.setdefault(body["record_id"], {"type": EPOCHS, "slot_id": None, "label": None})
        elif kind in (NEW_SNAPSHOT, OFFLOAD):
            self._add_snapshot(entry, what)
        elif kind == FORGET:
            self._known(body["entry_ids"], what)
            if any(entry_id in self.held for entry_id in body["entry_ids"]):
                raise Fault("denied", f"{what}: forgets a snapshot that is held")
            self.forgotten.update(body["entry_ids"])
        elif kind == HOLD:
            self._known([body["entry_id"]], what)
            self.held[body["entry_id"]] = self.held.get(body["entry_id"], 0) + 1
        elif kind == RELEASE:
            self._known([body["entry_id"]], what)
            self._release(body["entry_id"])

    def _release(self, entry_id):
        """Takes one hold away; the release of an offload by its agent has none to take."""
        self.held[entry_id] = self.held.get(entry_id, 0) - 1
        if self.held[entry_id] <= 0:
            del self.held[entry_id]

    def _add_slot(self, body, what):
        if body["type"] == 4:
            raise Fault("integrity", f"{what}: a device slot is never a record on a node")
        if len(self.slots) >= form.SLOTS_MAX:
            raise Fault("limit", f"{what}: over {form.SLOTS_MAX} slots")
        self.slots[body["record_id"]] = {name: body[name] for name in ("type", "slot_id", "label")}

    def _remove_slot(self, record_id, what):
        removed = self.slots.pop(record_id, None)
        if removed is None:
            raise Fault("integrity", f"{what}: removes an unknown slot")
        if removed["type"] in PERSON_TYPES and not any(slot["type"] in PERSON_TYPES for slot in self.slots.values()):
            raise Fault("denied", f"{what}: removes the last slot of a person")

    def _add_snapshot(self, entry, what):
        base, supersedes = entry["body"]["needs"][0], entry["body"]["supersedes"]
        if base is not None:
            if base not in self.snapshots or base in self.forgotten:
                raise Fault("conflict", f"{what}: its base is no retained snapshot")
            if self.snapshots[base]["body"]["line"] != entry["body"]["line"]:
                raise Fault("format", f"{what}: its base is of another line")
        if supersedes is not None:
            partial = self.snapshots.get(supersedes)
            if partial is None or partial["body"]["complete"] or partial["device_id"] != entry["device_id"]:
                raise Fault("denied", f"{what}: supersedes what is no partial snapshot of its device")
            self.forgotten.add(supersedes)
        self.snapshots[entry["entry_id"]] = entry

    def _known(self, entry_ids, what):
        if any(entry_id not in self.snapshots for entry_id in entry_ids):
            raise Fault("integrity", f"{what}: names an entry that is no snapshot")

    def retained(self):
        """Snapshot and offload entries that no `forget` named and none superseded, oldest first."""
        return [entry for entry_id, entry in self.snapshots.items() if entry_id not in self.forgotten]


_receipt_map = shape("receipt", payload=(1, byte_string()), signature=(2, SIGNATURE))
_receipt_payload = shape("receipt payload", vault_id=(1, SHORT_ID), seq=(2, uint()), entry_id=(3, ID), received=(4, uint()), previous=(5, nullable(ID)))


def check_receipts(frames, journal, node_key):
    """Receipts that are at hand must agree with the journal and be chained; signed too, when `node_key` is given."""
    by_seq = {}
    for frame in frames:
        outer = _receipt_map(form.decode(frame.body))
        receipt = _receipt_payload(form.decode(outer["payload"]))
        what = f"receipt {receipt['seq']}"
        if node_key is not None:
            check_signature(node_key, "receipt", outer["payload"], outer["signature"], what)
        if receipt["vault_id"] != journal.vault_id or receipt["seq"] >= len(journal.entries):
            raise Fault("integrity", f"{what}: of another vault or of an entry that is not there")
        if journal.entries[receipt["seq"]]["entry_id"] != receipt["entry_id"] or receipt["seq"] in by_seq:
            raise Fault("integrity", f"{what}: names another entry, or there are two: the journal was forked")
        by_seq[receipt["seq"]] = (frame.record_id, receipt["previous"])
    for seq, (_, previous) in by_seq.items():
        if (seq == 0 and previous is not None) or (seq - 1 in by_seq and by_seq[seq - 1][0] != previous):
            raise Fault("integrity", f"receipt {seq}: does not follow the receipt before it")
