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
    kind=(7, uint()),
    body=(8, lambda value, what: value),
)
_rule = shape("rule", **{name: (key, uint(minimum=1), None) for key, name in enumerate(("last", "hourly", "daily", "weekly", "monthly", "yearly"), 1)})
_needs = row(nullable(ID), uint(), ID, ID)
_snapshot_body = shape("snapshot entry", record_id=(1, ID), line=(2, ID), complete=(3, boolean), needs=(4, _needs), supersedes=(5, ID, None))
_hold_body = shape("hold", entry_id=(1, ID), reason=(2, text(), None))


def _roles(value, what):
    return rows(uint(4, 1), ascending=True)(value, what) or _refuse(f"{what}: want at least one")


def _refuse(message):
    raise Fault("format", message)


def _minimum_age(value, what):
    if uint()(value, what) < form.MINIMUM_AGE_SECONDS:
        raise Fault("limit", f"{what}: under {form.MINIMUM_AGE_SECONDS} s")
    return value


BODIES = {
    GENESIS: shape("genesis", owner=(1, ID), container=(2, ID), config=(3, ID), device=(4, ID)),
    DEVICE_ADDED: shape("device-added", device=(1, ID), roles=(2, _roles), label=(3, text())),
    DEVICE_REVOKED: shape("device-revoked", device_id=(1, SHORT_ID), bad_since=(2, uint(), None)),
    SLOT_ADDED: shape("slot-added", record_id=(1, ID), type=(2, uint(255)), slot_id=(3, SHORT_ID), label=(4, text())),
    SLOT_REMOVED: shape("slot-removed", record_id=(1, ID)),
    NEW_CONFIG: shape("config entry", config=(1, ID)),
    POLICY: shape("policy", line=(1, nullable(ID)), rule=(2, _rule), minimum_age=(3, _minimum_age)),
    EPOCH_ADDED: shape("epoch-added", epoch=(1, uint(2**32 - 1)), container=(2, ID), record_id=(3, ID)),
    NEW_SNAPSHOT: _snapshot_body,
    OFFLOAD: _snapshot_body,
    FORGET: shape("forget", entry_ids=(1, rows(ID, form.FORGET_ENTRIES_MAX, ascending=True))),
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
        self.snapshots, self.held, self.policies = {}, {}, {}
        self.epochs_slot = self.config = self.vault_id = self.account_id = self.owner = None
        chain = sorted((parse_entry(frame) for frame in frames), key=lambda entry: entry["seq"])
        if not chain:
            raise Fault("missing", "journal: no entries")
        for entry in chain:
            self._take(entry)

    def _take(self, entry):
        seq, what = len(self.entries), f"journal entry {entry['seq']}"
        if seq == 0 and entry["kind"] == GENESIS:
            self._begin(entry)
        if self.owner is not None and (entry["vault_id"], entry["account_id"]) != (self.vault_id, self.account_id):
            raise Fault("integrity", f"{what}: of another vault or account")
        if entry["seq"] != seq:
            raise Fault("conflict", f"{what}: expected seq {seq}: the chain has a gap or a fork")
        if entry["previous"] != (self.entries[-1]["entry_id"] if seq else None):
            raise Fault("conflict", f"{what}: does not follow the entry before it")
        if (entry["kind"] == GENESIS) != (seq == 0):
            raise Fault("format", f"{what}: genesis stands at seq 0 and only there")
        self._check_signatures(entry, what)
        self._apply(entry, what)
        self.entries.append(entry)

    def _begin(self, entry):
        body = entry["body"]
        self.owner, self.vault_id, self.account_id = body["owner"], short_id(body["owner"]), entry["account_id"]
        self.config, self.containers = body["config"], {0: body["container"]}

    def _check_signatures(self, entry, what):
        kind, body = entry["kind"], entry["body"]
        if len(self.entries) == 1 and (kind != DEVICE_ADDED or not short_id(body["device"]) == entry["device_id"] == self.entries[0]["device_id"]):
            raise Fault("denied", f"{what}: is not the device-added of the genesis device")
        # Genesis and a device-added may be signed by the key that they bring; the owner's signature is what counts.
        brings_key = kind == GENESIS or (kind == DEVICE_ADDED and short_id(body["device"]) == entry["device_id"])
        device = {"key": body["device"]} if brings_key else self.devices.get(entry["device_id"])
        if device is None or device.get("revoked"):
            raise Fault("denied", f"{what}: by a device that is unknown or revoked")
        if short_id(device["key"]) != entry["device_id"]:
            raise Fault("integrity", f"{what}: device id is not that of its key")
        if (kind <= EPOCH_ADDED) != (entry["owner_signature"] is not None):
            raise Fault("denied", f"{what}: the owner's signature is lacking, or on a kind that has none")
        if kind in ROLE_OF_KIND and ROLE_OF_KIND[kind] not in device["roles"] and not self._releases_own_offload(entry, device):
            raise Fault("denied", f"{what}: the device has not the role for kind {kind}")
        check_signature(device["key"], "journal", entry["payload"], entry["device_signature"], what)
        if entry["owner_signature"] is not None:
            check_signature(self.owner, "owner", entry["payload"], entry["owner_signature"], what)

    def _releases_own_offload(self, entry, device):
        """What an agent may do without the role of a maintainer, while no hold lies on the offload."""
        if entry["kind"] != RELEASE or AGENT not in device["roles"]:
            return False
        target = self.snapshots.get(entry["body"]["entry_id"])
        is_own = target is not None and target["kind"] == OFFLOAD and target["device_id"] == entry["device_id"]
        return is_own and target["entry_id"] not in self.held

    def _apply(self, entry, what):
        kind, body = entry["kind"], entry["body"]
        if kind == DEVICE_ADDED:
            self.devices[short_id(body["device"])] = {"key": body["device"], "roles": body["roles"], "revoked": False, "bad_since": None}
        elif kind == DEVICE_REVOKED:
            if body["device_id"] not in self.devices:
                raise Fault("missing", f"{what}: revokes an unknown device")
            self.devices[body["device_id"]].update(revoked=True, bad_since=body["bad_since"])
        elif kind == SLOT_ADDED:
            self._add_slot(body, what)
        elif kind == SLOT_REMOVED:
            self._remove_slot(body["record_id"], what)
        elif kind == NEW_CONFIG:
            self.config = body["config"]
        elif kind == POLICY:
            self.policies[body["line"]] = body
        elif kind == EPOCH_ADDED:
            if body["epoch"] != len(self.containers):
                raise Fault("format", f"{what}: epoch {body['epoch']}, want {len(self.containers)}")
            self.containers[body["epoch"]] = body["container"]
            self.epochs_slot = body["record_id"]
        elif kind in (NEW_SNAPSHOT, OFFLOAD):
            self._add_snapshot(entry, what)
        elif kind == FORGET:
            self._forget(body["entry_ids"], what)
        elif kind in (HOLD, RELEASE):
            self._change_hold(kind, body["entry_id"], what)

    def _add_slot(self, body, what):
        if len(self.slots) >= form.SLOTS_MAX and body["record_id"] not in self.slots:
            raise Fault("limit", f"{what}: over {form.SLOTS_MAX} slots")
        self.slots[body["record_id"]] = {name: body[name] for name in ("type", "slot_id", "label")}
        if body["type"] == EPOCHS:
            self.epochs_slot = body["record_id"]

    def _remove_slot(self, record_id, what):
        if record_id == self.epochs_slot:
            raise Fault("denied", f"{what}: removes the epochs slot in force")
        if self.slots.pop(record_id, None) is None:
            raise Fault("missing", f"{what}: removes an unknown slot")
        if not any(slot["type"] in PERSON_TYPES for slot in self.slots.values()):
            raise Fault("denied", f"{what}: leaves no slot of a person")

    def _add_snapshot(self, entry, what):
        body = entry["body"]
        base, supersedes = body["needs"][0], body["supersedes"]
        if base is not None:
            if base not in self.snapshots:
                raise Fault("conflict", f"{what}: its base is no retained snapshot")
            if self.snapshots[base]["body"]["line"] != body["line"]:
                raise Fault("format", f"{what}: its base is of another line")
        if supersedes is not None:
            partial = self.snapshots.get(supersedes)
            is_own = partial is not None and (partial["device_id"], partial["body"]["line"]) == (entry["device_id"], body["line"])
            if not is_own or partial["body"]["complete"] or supersedes in self.held:
                raise Fault("denied", f"{what}: supersedes what is no partial snapshot of its device and line, or is held")
            del self.snapshots[supersedes]
        self.snapshots[entry["entry_id"]] = entry

    def _forget(self, entry_ids, what):
        for entry_id in entry_ids:
            if entry_id not in self.snapshots:
                raise Fault("missing", f"{what}: forgets what is not retained")
            if entry_id in self.held or self.snapshots[entry_id]["kind"] == OFFLOAD:
                raise Fault("denied", f"{what}: forgets a snapshot that is held, or an offload")
        for entry_id in entry_ids:
            del self.snapshots[entry_id]

    def _change_hold(self, kind, entry_id, what):
        if entry_id not in self.snapshots:
            raise Fault("missing", f"{what}: names an entry that is not retained")
        count = self.held.pop(entry_id, 0) + (1 if kind == HOLD else -1)
        if count > 0:
            self.held[entry_id] = count
        elif count < 0:
            if self.snapshots[entry_id]["kind"] != OFFLOAD:
                raise Fault("missing", f"{what}: releases where no hold lies")
            del self.snapshots[entry_id]

    def retained(self):
        """Snapshot and offload entries that were not forgotten, superseded or released, oldest first."""
        return list(self.snapshots.values())


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
