"""Signed notes, and keys that follow one another: the first half of verify.py, from docs/trail-format.md alone."""
import base64, collections, hashlib, re
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

OK, ALTERED, INCOMPLETE, UNTRUSTED, UNUSABLE = range(5)
NAME, NUMBER = r"[^\s+\x00-\x1f\x7f]+", "(0|[1-9][0-9]{0,19})"
NOTE, SIGNED = re.compile(rb"\n*((?:[^\n]+\n)+\n(?:\xe2\x80\x94 [^\n]*\n)+)"), b"\n\xe2\x80\x94 "
Record = collections.namedtuple("Record", "origin number size root key is_vouched")  # vouched for by the one before it
findings = []

class Unsigned(ValueError):
    """It is not signed by those who should."""

def find(code, text):
    findings.append((code, text))

def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()

def parse(pattern, text):
    match = re.fullmatch(pattern, text, re.ASCII)
    return match.groups() if match else fail("it is not of the form that it should have")

def fail(text):
    raise ValueError(text)

def unbase64(text):
    data = base64.b64decode(text)
    return data if base64.b64encode(data).decode() == text else fail("base64 that is not in the one form")

def parse_key(text):
    name, key_id, rest = text.strip().split("+", 2)
    data = unbase64(rest)
    if len(data) != 33 or data[0] != 1 or sha256(name.encode(), b"\n", data)[:4].hex() != key_id:
        fail("it is no Ed25519 key of that id")
    return name, bytes.fromhex(key_id), Ed25519PublicKey.from_public_bytes(data[1:]), data

def same(one, other):  # in all bytes: another key with the same name and key id takes a few hours to find
    return (one[0], one[3]) == (other[0], other[3])

def note(data, key=None):
    """The text of a signed note, and why nobody vouches for it (or None)."""
    parts = data.decode().rsplit("\n\n", 1)
    if len(parts) != 2 or re.search(r"[\x00-\x09\x0b-\x1f]", parts[0]) or parts[1][-1:] != "\n":
        fail("it is no signed note")
    text, why = parts[0] + "\n", "it is not signed by this key, nor by one that follows it"
    for line in parts[1][:-1].split("\n"):
        name, signature = parse(r"\u2014 (\S+) (\S{8,})", line)
        signature = unbase64(signature) if re.fullmatch(NAME, name) else fail("a signature is not `\u2014 <name> <base64>`")
        if key and (name, signature[:4]) == key[:2]:
            try:
                key[2].verify(signature[4:], text.encode())
                why = None
            except InvalidSignature:
                return text, "the signature is wrong"
    return text, why

def in_force(records, size):
    ends = [record.size for record in records[1:]] + [size]
    return [record for record, end in zip(records, ends) if record.size <= size <= end]

def record(data, kind, before, log):
    """The next record of a key. A new name may begin anew, signed by its own key, or by those that signed the first."""
    form = rf"whodid {kind} 1\n({NAME})\n{NUMBER}\n{NUMBER}\n(.{{43}}=)\n(.+)\n"
    (origin, number, size, root, key), is_log, signers = parse(form, note(data)[0]), kind == "key", data.count(SIGNED)
    number, size, root, key, last = int(number), int(size), unbase64(root), parse_key(key), before[-1] if before else None
    if number != len(before) or size < (last.size if last else 0) or (is_log and not last and size) or \
            key[0] != (origin if is_log else f"{origin}/epoch/{number}"):
        fail("it does not follow what is before it")
    is_vouched = bool(last) and (last.origin == origin or is_log and signers > 1)
    vouching = [last] if is_vouched else [one for one in in_force(log, size) if one.origin == origin]
    signers == 2 - (is_log and not is_vouched) or fail("it has not the signatures that it should have")
    if note(data, key)[1] or (signers > 1 and all(note(data, one.key)[1] for one in vouching)):
        raise Unsigned(Unsigned.__doc__)
    return Record(origin, number, size, root, key, is_vouched)

def chain(path, kind, log=()):
    """The records of keys that follow one another; a crash may have left a part of one at the end."""
    records, least, rest = [], 0, path.read_bytes() if path.exists() else b""
    while rest.strip(b"\n"):
        found = NOTE.match(rest)
        try:
            records.append(record(found[1] if found else b"", kind, records, log))
            least, rest = len(found[1]) + (len(records) < 2 and 98 + len(records[0].origin)), rest[found.end():]
        except ValueError as error:
            code = UNTRUSTED if isinstance(error, Unsigned) else ALTERED
            if len(rest) >= least or (found and found[1].count(SIGNED) > 1):
                find(code, f"{path.name}, record {len(records)}: {error}")
            break
    if path.exists() and not path.read_bytes().strip(b"\n"):
        find(INCOMPLETE, f"{path.name}: it holds no record of a key")
    return records

def follow(records, key):
    """The keys that one key vouches for: itself, and those that were signed one by the other from there on."""
    at = next((i for i, one in enumerate(records) if key and same(one.key, key)), None)
    if at is None:
        return [Record(key[0], 0, 0, sha256(), key, False)] if key else []
    return records[at:next((i for i, one in enumerate(records) if i > at and not one.is_vouched), None)]
