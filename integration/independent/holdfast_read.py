#!/usr/bin/python3
"""Opens a Holdfast vault with the passphrase or the recovery code and restores files. Written from docs/format.md alone.

    holdfast_read.py --records DIR --passphrase-file F --list
    holdfast_read.py --records DIR --recovery-code-file F --restore SNAPSHOT-ID[:PATH] --target DIR

SNAPSHOT-ID: the record id or the journal entry's id of a snapshot in hex, or a beginning of it, or `latest`.
Exit codes: 0 done, 1 internal, 2 input, 3 format, 4 integrity, 5 limit, 6 version, 7 missing, 8 disk, 9 done with remarks,
10 denied, 11 conflict.
Needs Debian's python3-cryptography, python3-argon2 and python3-zstandard.
"""
import argparse
import datetime
import json
import os
import sys

import form
from form import CODES, Fault
from journal import Journal, check_receipts
from records import FolderOfRecords, Vault
from restoring import Restorer, allow_deep_trees
from sealing import EPOCHS, PASSPHRASE, RECOVERY, container_public_key, normal_passphrase, parse_slot, recovery_entropy, unlock
from trees import FILE, FOLDER, Reader, check_needs, is_missing, open_config, open_snapshot

EXIT_REMARKS = 9
SECRET_BYTES_MAX = 65536


def main(arguments):
    options = parse_arguments(arguments)
    try:
        return run(options)
    except Fault as fault:
        print(f"{fault.code}: {fault}", file=sys.stderr)
        return CODES[fault.code]
    except OSError as error:
        print(f"disk: {error}", file=sys.stderr)
        return CODES["disk"]


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description="Read a Holdfast vault without Holdfast.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--records", metavar="DIR", help="folder with one file a frame, named by the record id in hex")
    source.add_argument("--data", metavar="DIR", help="data folder of a stopped storage node")
    parser.add_argument("--vault", metavar="ID", help="with --data: vault id in hex, when there are several")
    secret = parser.add_mutually_exclusive_group(required=True)
    secret.add_argument("--passphrase-file", metavar="F")
    secret.add_argument("--recovery-code-file", metavar="F")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--list", action="store_true", help="list the snapshots")
    action.add_argument("--restore", metavar="ID[:PATH]")
    action.add_argument("--verify", action="store_true", help="read all data of every snapshot, by the rules for writers too")
    parser.add_argument("--target", metavar="DIR", help="with --restore: folder that is absent or empty")
    parser.add_argument("--no-index", action="store_true", help="find objects by the packs alone")
    parser.add_argument("--node-key", metavar="HEX", help="public key of the node, to check receipts")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if bool(options.restore) != bool(options.target):
        parser.error("--restore and --target go together")
    return options


def run(options):
    vault = Vault(open_source(options), strict=options.verify)
    journal = Journal(vault.journal_frames)
    check_receipts(vault.receipt_frames, journal, bytes.fromhex(options.node_key) if options.node_key else None)
    vault.keys = open_keys(options, vault, journal)
    open_config(vault, journal.config)
    vault.locate(journal, use_indexes=not options.no_index)
    if options.list:
        return list_snapshots(vault, journal, options.json)
    if options.verify:
        return verify(vault, journal, options)
    return restore(vault, journal, options)


def open_source(options):
    if options.records:
        return FolderOfRecords(options.records)
    from node_data import NodeData  # Only this way in needs the layout of a node's files.

    return NodeData(options.data, options.vault)


def open_keys(options, vault, journal):
    """Keys from the slots that count, held against what the owner signed in the journal."""
    kind = PASSPHRASE if options.passphrase_file else RECOVERY
    candidates = [read_slot(vault, journal, record_id) for record_id, said in journal.slots.items() if said["type"] == kind]
    epochs_slot = read_slot(vault, journal, journal.epochs_slot) if journal.epochs_slot else None
    if options.passphrase_file:
        keys = unlock(candidates, epochs_slot, passphrase=normal_passphrase(read_secret(options.passphrase_file)))
    else:
        keys = unlock(candidates, epochs_slot, entropy=recovery_entropy(read_secret(options.recovery_code_file).decode("utf-8", "replace")))
    if max(journal.containers) not in keys.secrets:
        raise Fault("integrity", f"keys: the slot lacks epoch {max(journal.containers)}, which is in force")
    for epoch, public_key in journal.containers.items():
        if epoch in keys.secrets and container_public_key(keys.secrets[epoch], journal.vault_id, epoch) != public_key:
            raise Fault("integrity", f"keys: secret of epoch {epoch} is not the one that the journal names")
    return keys


def read_slot(vault, journal, record_id):
    """The slot in a record, which must be what the journal says of it. An epochs slot may be named by `epoch-added` alone."""
    slot = parse_slot(vault.frame(record_id, form.SLOT))
    said = journal.slots.get(record_id, {"type": EPOCHS, "slot_id": slot["slot_id"], "label": slot["label"]})
    if slot["vault_id"] != journal.vault_id or any(slot[name] != value for name, value in said.items()):
        raise Fault("integrity", "slot: is not what the journal says of it")
    return slot


def read_secret(path):
    with open(path, "rb") as file:
        raw = file.read(SECRET_BYTES_MAX + 1)
    if len(raw) > SECRET_BYTES_MAX:
        raise Fault("limit", "secret file: too long")
    return raw


def list_snapshots(vault, journal, as_json):
    for entry in journal.retained():
        snapshot, epoch = open_snapshot(vault, entry)
        seconds = snapshot["start"][0]
        about = {
            "id": entry["body"]["record_id"].hex(),
            "entry": entry["entry_id"].hex(),
            "start": datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat(),
            "host": snapshot["host"],
            "paths": [os.fsdecode(path) for path in snapshot["paths"]],
            "set": snapshot["set_name"],
            "tags": snapshot["tags"] or [],
            "totals": dict(zip(("files", "folders", "others", "bytes"), snapshot["totals"])),
            "failures": snapshot["failure_count"] or len(snapshot["failures"] or ()),
            "complete": entry["body"]["complete"],
            "epoch": epoch,
        }
        if as_json:
            print(json.dumps(about))
        else:
            state = "" if about["complete"] else "  partial"
            print(f"{about['id'][:16]}  {about['start']}  {about['host']}  {' '.join(about['paths'])}  {about['totals']['files']} files  {about['totals']['bytes']} bytes{state}")
    return 0


def choose(journal, wanted):
    """The journal entry of the snapshot that `wanted` names."""
    retained = journal.retained()
    if wanted == "latest":
        found = retained[-1:]
    else:
        found = [entry for entry in retained if entry["entry_id"].hex().startswith(wanted) or entry["body"]["record_id"].hex().startswith(wanted)]
    if len(found) != 1:
        raise Fault("missing" if not found else "input", f"snapshot {wanted}: {len(found)} are so named")
    return found[0]


def find(reader, root, path):
    """The entry at an absolute path in a snapshot, given as bytes; None for the root."""
    entry, tree = None, root
    for step in (one for one in path.split(b"/") if one):
        entry = next((one for one in reader.entries(tree) if one["name"] == step), None) if tree is not None else None
        if entry is None:
            raise Fault("missing", f"path {os.fsdecode(path)}: not in the snapshot")
        tree = entry["subtree"]
    return entry


def restore(vault, journal, options):
    wanted, _, path = options.restore.partition(":")
    snapshot, epoch = open_snapshot(vault, choose(journal, wanted))
    reader = Reader(vault, epoch)
    entry = find(reader, snapshot["root"], os.fsencode(path))
    restorer = Restorer(reader, options.target)
    if entry is None:
        restorer.restore_root(snapshot["root"])
    else:
        restorer.restore(entry)
    for name, why in restorer.remarks:
        print(f"remark: {os.fsdecode(b'/'.join(name))}: {why}", file=sys.stderr)
    print(f"restored {restorer.files} files, {restorer.plain_bytes} bytes")
    return EXIT_REMARKS if restorer.remarks else 0


def verify(vault, journal, options):
    """Reads everything that retained snapshots reach and compares totals and needs with what was found."""
    allow_deep_trees()
    sets, remarks = {}, list(vault.remarks)
    for entry in journal.retained():
        snapshot, epoch = open_snapshot(vault, entry, strict=True)
        reader = Reader(vault, epoch, strict=True)
        counts = [0, 0, 0, 0]
        walk(reader, snapshot["root"], counts)
        short = entry["body"]["record_id"].hex()[:16]
        if counts[:3] != snapshot["totals"][:3]:
            remarks.append(f"{short}: totals are {snapshot['totals'][:3]}, the walk found {counts[:3]}")
        if counts[3] != snapshot["totals"][3]:
            remarks.append(f"{short}: plain bytes are {snapshot['totals'][3]}, the walk found {counts[3]}")
        if not options.no_index:
            needs = check_needs(entry, entry["body"]["record_id"], vault, reader.used, sets)
            if needs:
                remarks.append(f"{short}: {needs}")
        print(f"{short}  sound: {counts[0]} files, {counts[1]} folders, {counts[2]} others, {counts[3]} bytes")
    for remark in remarks:
        print(f"remark: {remark}", file=sys.stderr)
    return EXIT_REMARKS if remarks else 0


def walk(reader, tree, counts):
    """Reads everything below a tree and counts [files, folders, others, plain bytes] as §13 does."""
    for entry in reader.entries(tree):
        kind = 0 if entry["kind"] == FILE else 1 if entry["kind"] == FOLDER else 2
        counts[kind] += 1
        if kind == 1:
            walk(reader, entry["subtree"], counts)
        elif kind == 0:
            counts[3] += entry["size"] or 0
            if not is_missing(entry):
                for _ in reader.pieces(entry):
                    pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
