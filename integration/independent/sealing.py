"""Keys (docs/format.md §2), suite 1 (§3), slots (§5): from a passphrase or a recovery code to the epoch secrets."""
import hashlib
import hmac
import pathlib
import unicodedata

import argon2.low_level
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import form
from form import ID, SHORT_ID, Fault, byte_string, nullable, row, rows, shape, text, uint

SALT_BYTES, COMMITMENT_BYTES, TAG_BYTES = 24, 32, 16
HEADER_BYTES = SALT_BYTES + COMMITMENT_BYTES
STORED_SEGMENT_BYTES = form.SEGMENT_BYTES + TAG_BYTES
SUITE_INFO = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00"
PASSPHRASE, RECOVERY, RECIPIENT, DEVICE, HYBRID, EPOCHS = range(1, 7)
PERSON_TYPES = (PASSPHRASE, RECOVERY, RECIPIENT)
WORDS_FILE = pathlib.Path(__file__).with_name("bip39-english.txt")


def short_id(public_key):
    """Vault id or device id: the first 16 bytes of the hash of a public key."""
    return hashlib.sha256(public_key).digest()[:16]


def derive(ikm, vault_id, purpose, epoch=0):
    info = b"holdfast/v1/" + purpose.encode("ascii") + b"\x00" + epoch.to_bytes(4, "big")
    return HKDF(hashes.SHA512(), 32, vault_id, info).derive(ikm)


def check_signature(public_key, use, body, signature, what):
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, b"holdfast/v1/" + use.encode("ascii") + b"\x00" + body)
    except (InvalidSignature, ValueError):
        raise Fault("integrity", f"{what}: signature does not verify") from None


def owner_public_key(seed):
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def container_public_key(secret, vault_id, epoch):
    private = X25519PrivateKey.from_private_bytes(derive(secret, vault_id, "container", epoch))
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def open_sealed(key, context, sealed):
    """Opens suite 1. Every failure is the same fault."""
    refusal = Fault("integrity", "sealed: does not authenticate")
    segments = memoryview(sealed)[HEADER_BYTES:]
    if len(sealed) < HEADER_BYTES or len(segments) % STORED_SEGMENT_BYTES < TAG_BYTES:
        raise refusal
    salt, commitment = sealed[:SALT_BYTES], sealed[SALT_BYTES:HEADER_BYTES]
    output = HKDFExpand(hashes.SHA512(), 76, SUITE_INFO + salt + context).derive(key)
    if not hmac.compare_digest(output[44:], commitment):
        raise refusal
    aead, base_nonce, parts = AESGCM(output[:32]), int.from_bytes(output[32:44], "big"), []
    try:
        for number, at in enumerate(range(0, len(segments), STORED_SEGMENT_BYTES)):
            parts.append(aead.decrypt((base_nonce ^ number).to_bytes(12, "big"), bytes(segments[at : at + STORED_SEGMENT_BYTES]), None))
    except InvalidTag:
        raise refusal from None
    return b"".join(parts)


def record_context(vault_id, frame):
    return form.encode([1, frame.suite, vault_id, frame.kind, frame.epoch])


# ------------------------------------------------------------------------------------ what a person has


def normal_passphrase(raw):
    """Bytes as read from a file or a prompt to the bytes that are hashed."""
    if raw.endswith(b"\n"):
        raw = raw[:-2] if raw.endswith(b"\r\n") else raw[:-1]
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Fault("input", "passphrase: not UTF-8") from None
    if not text:
        raise Fault("input", "passphrase: empty")
    return unicodedata.normalize("NFKC", text).encode("utf-8")


def passphrase_key(passphrase, salt, memory_kib, passes):
    if not form.ARGON2_KIB[0] <= memory_kib <= form.ARGON2_KIB[1] or not form.ARGON2_PASSES[0] <= passes <= form.ARGON2_PASSES[1]:
        raise Fault("limit", "slot: memory or passes of Argon2id out of bounds")
    return argon2.low_level.hash_secret_raw(passphrase, salt, passes, memory_kib, 1, 32, argon2.low_level.Type.ID, 0x13)


def recovery_entropy(code):
    """24 words of BIP-39 English to 32 bytes. Words may be in capitals and apart by any white space."""
    words = WORDS_FILE.read_text("ascii").split()
    numbers = {word: number for number, word in enumerate(words)}
    given = unicodedata.normalize("NFKD", code).lower().split()
    if len(given) != 24 or any(word not in numbers for word in given):
        raise Fault("input", "recovery code: not 24 words of the list")
    bits = 0
    for word in given:
        bits = bits << 11 | numbers[word]
    entropy = (bits >> 8).to_bytes(32, "big")
    if hashlib.sha256(entropy).digest()[0] != bits & 0xFF:
        raise Fault("input", "recovery code: a word is wrong, the checksum does not agree")
    return entropy


# ----------------------------------------------------------------------------------------------- slots

_slot_map = shape(
    "slot",
    type=(1, uint(6, 1)),
    vault_id=(2, SHORT_ID),
    slot_id=(3, SHORT_ID),
    created=(4, uint()),
    label=(5, text()),
    parameters=(6, lambda value, what: value),
    sealed=(7, byte_string(maximum=form.SLOT_BYTES_MAX)),
)
_parameters = {
    PASSPHRASE: shape("passphrase slot", salt=(1, SHORT_ID), memory_kib=(2, uint()), passes=(3, uint())),
    RECOVERY: shape("recovery slot"),
    RECIPIENT: shape("recipient slot", public_key=(1, ID), enc=(2, ID), wrapped=(3, byte_string(48))),
    DEVICE: shape("device slot", device_id=(1, SHORT_ID)),
    EPOCHS: shape("epochs slot", generation=(1, uint())),
}
_secrets = shape("slot secrets", owner_seed=(1, nullable(ID)), epochs=(2, rows(row(uint(2**32 - 1), ID), ascending=True)))


def parse_slot(frame):
    if frame.kind != form.SLOT:
        raise Fault("integrity", f"slot: record is of kind {frame.kind}")
    value = form.decode(frame.body)
    slot = _slot_map(value)
    if slot["type"] == HYBRID:
        raise Fault("version", "slot: type 5 is reserved")
    slot["parameters"] = _parameters[slot["type"]](slot["parameters"])
    slot["head"] = form.encode({key: item for key, item in value.items() if key != 7})
    return slot


def open_slot(slot, key):
    """(owner seed or None, {epoch: secret}). A person slot must hold the owner key of its own vault."""
    context = form.encode([1, 1, slot["vault_id"], form.SLOT, 0, slot["head"]])
    secrets = _secrets(form.decode(open_sealed(key, context, slot["sealed"])))
    seed, numbers = secrets["owner_seed"], [number for number, _ in secrets["epochs"]]
    if len(set(numbers)) != len(numbers):
        raise Fault("format", "slot secrets: an epoch occurs twice")
    is_person = slot["type"] in PERSON_TYPES
    if seed is not None and not is_person:
        raise Fault("format", "slot: owner seed where none belongs")
    if is_person and (seed is None or short_id(owner_public_key(seed)) != slot["vault_id"]):
        raise Fault("integrity", "slot: owner key is not of this vault")
    return seed, dict(secrets["epochs"])


class Keys:
    """The secrets of one vault, and the keys of each purpose."""

    def __init__(self, vault_id, secrets):
        self.vault_id = vault_id
        self.secrets = secrets
        self._derived = {}

    def of(self, purpose, epoch):
        if epoch not in self.secrets:
            raise Fault("missing", f"keys: no slot holds the secret of epoch {epoch}")
        if (purpose, epoch) not in self._derived:
            self._derived[purpose, epoch] = derive(self.secrets[epoch], self.vault_id, purpose, epoch)
        return self._derived[purpose, epoch]

    def open(self, frame):
        if frame.suite == form.RESERVED_SUITE:
            raise Fault("version", "record: suite 2 is reserved")
        purpose = "seal-content" if frame.kind in (form.CONTENT_PACK, form.CONTENT_INDEX) else "seal-structure"
        return open_sealed(self.of(purpose, frame.epoch), record_context(self.vault_id, frame), frame.body)

    def object_id(self, epoch, kind, plain):
        return hmac.new(self.of("object-id", epoch), bytes([kind]) + plain, hashlib.sha256).digest()


def unlock(candidates, epochs_slot, passphrase=None, entropy=None):
    """Keys from the first of `candidates`, parsed slots of one type, that takes the passphrase or the entropy of the recovery code.

    `epochs_slot`: the one in force, or None; it then holds every epoch secret.
    """
    if not candidates:
        raise Fault("missing", "slots: none of that type in the journal")
    for slot in candidates:
        vault_id = slot["vault_id"]
        if passphrase is not None:
            key = passphrase_key(passphrase, **slot["parameters"])
        else:
            key = derive(entropy, vault_id, "recovery")
        try:
            seed, secrets = open_slot(slot, key)
            break
        except Fault as fault:
            if fault.code != "integrity" or slot is candidates[-1]:
                raise
    if epochs_slot is not None:
        _, secrets = open_slot(epochs_slot, derive(seed, vault_id, "epochs"))
    return Keys(vault_id, secrets)
