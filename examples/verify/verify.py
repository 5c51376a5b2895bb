#!/usr/bin/env python3
"""Verifies a copy of a whodid trail with nothing but docs/trail-format.md, to check the checker.
usage: verify.py FOLDER KEY [ANCHOR...]
FOLDER is a copy of a data folder, KEY the public key (or a file with it), each ANCHOR a file with a
checkpoint that was kept elsewhere. Needs the package `cryptography`, the command `zstd` for sealed segments,
and memory for each entry's hash and id. Exit: 0 as signed, 1 altered, 2 incomplete, 3 untrusted, 4 unusable.
"""
import base64, hashlib, json, pathlib, re, subprocess, sys
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

WORDS, (OK, ALTERED, INCOMPLETE, UNTRUSTED, UNUSABLE) = "COMPLETE ALTERED INCOMPLETE UNTRUSTED UNUSABLE".split(), range(5)
WEIGHT = [UNUSABLE, ALTERED, INCOMPLETE, UNTRUSTED]  # the most telling first
NAME, DAY = r"[^\s+\x00-\x1f\x7f]+", r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
PART, HOUR = r"[\w.-]{1,255}", r"([01]\d|2[0-3])(:[0-5]\d){2}(\.\d{1,9})?"
ORIGIN = rf"({PART}(/{PART})*)\nwhodid trail 1\n(live|replay)\n{DAY}T{HOUR}Z\n"
findings, LATER = [], "; what came later cannot be checked without an anchor\n"
def find(code, text):
    findings.append((code, text))
def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()

def unbase64(text):
    data = base64.b64decode(text)
    if base64.b64encode(data).decode() != text:
        raise ValueError("base64 that is not in the one form")
    return data

def parse_key(text):
    name, key_id, rest = text.strip().split("+", 2)
    data = unbase64(rest)
    if len(data) != 33 or data[0] != 1 or sha256(name.encode(), b"\n", data)[:4].hex() != key_id:
        raise ValueError("it is no Ed25519 key of that id")
    return name, bytes.fromhex(key_id), Ed25519PublicKey.from_public_bytes(data[1:])

def note(data, key):
    """The text of a signed note, and why nobody vouches for it (or None)."""
    parts = data.decode().rsplit("\n\n", 1)
    if len(parts) != 2 or re.search(r"[\x00-\x09\x0b-\x1f]", parts[0]) or parts[1][-1:] != "\n":
        raise ValueError("it is no signed note")
    text, why = parts[0] + "\n", "it is not signed by this key"
    for line in parts[1][:-1].split("\n"):
        match = re.fullmatch(rf"\u2014 ({NAME}) (\S+)", line)
        signature = unbase64(match[2]) if match else b""
        if len(signature) < 5:
            raise ValueError("a signature line is not `\u2014 <name> <base64>`")
        if key and (match[1], signature[:4]) == key[:2]:
            try:
                key[2].verify(signature[4:], text.encode())
                why = None
            except InvalidSignature:
                return text, "the signature is wrong"
    return text, why

def checkpoint(read, key):
    text, why = note(read(), key)
    match = re.fullmatch(rf"({NAME})\n(0|[1-9][0-9]{{0,19}})\n(.+)\n", text)
    root = unbase64(match[3]) if match else b""
    if len(root) != 32:
        raise ValueError("a checkpoint has three lines: origin, size and root")
    return match[1], int(match[2]), root, why or ("it has another name" if key and match[1] != key[0] else None)

def tree(hashes):
    if len(hashes) < 2:
        return b"".join(hashes) or sha256()
    half = 1 << (len(hashes) - 1).bit_length() - 1
    return sha256(b"\1", tree(hashes[:half]), tree(hashes[half:]))

def tile(trail, level, index, width):
    elements = f"{index % 1000:03}"
    while index := index // 1000:
        elements = f"x{index % 1000:03}/{elements}"
    full = trail / f"tile/{level}/{elements}"
    path = full if width == 256 else full.with_name(f"{full.name}.p") / str(width)
    if path.exists():
        data = path.read_bytes()
        return [data[i:i + 32] for i in range(0, len(data), 32)]
    # A copy that was made while the writer signed a longer tree has it in a longer form.
    longer = [f for f in path.parent.glob("*") if width < 256 and f.name.isdigit() and int(f.name) > width]
    return "outgrown" if longer or full.exists() else None

def check_tiles(trail, leaves, size, is_sound):
    level, hashes = 0, leaves[:size]
    while hashes:
        for index in range((len(hashes) + 255) // 256):
            computed = hashes[index * 256:][:256]
            stored = tile(trail, level, index, len(computed))
            if stored is None and (len(computed) == 256 or is_sound):
                find(INCOMPLETE, f"tile {level}/{index} is missing")
            elif is_sound and stored not in (computed, "outgrown"):
                find(ALTERED, f"tile {level}/{index} does not hold the hashes of its entries")
        level, hashes = level + 1, [tree(hashes[i:i + 256]) for i in range(0, len(hashes) // 256 * 256, 256)]

def tile_leaves(trail, size):
    tiles = [tile(trail, 0, i, min(256, size - i * 256)) for i in range((size + 255) // 256)]
    return [leaf for hashes in tiles if isinstance(hashes, list) for leaf in hashes]

def first_bad(trail, leaves, size, root):
    """The first entry that is not what the tiles say, where these add up to the signed root."""
    stored = tile_leaves(trail, size)
    if len(stored) == size and tree(stored) == root:
        return next((i for i, (a, b) in enumerate(zip(stored, leaves)) if a != b), None)

def lines(paths, seq, signed):
    """Every whole line of the segments; a sealed one has a digest before its table."""
    for path in paths:
        if (first := int(path.name[:20])) != seq:
            return find(INCOMPLETE if first > seq else ALTERED, f"{path.name}: entry {seq} should follow")
        file = path.open("rb")
        if path.suffix == ".zst":
            data = file.read()
            end = len(data) - 17 - 8 * int.from_bytes(data[-9:-5], "little")
            if end < 32 or sha256(data[:end - 32], data[end:]) != data[end - 32:end]:
                find(ALTERED, f"{path.name}: some of its bytes are not what was written")
            file = subprocess.Popen(["zstd", "-dcq", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        while line := file.readline(65536):
            if not line.endswith(b"\n"):
                seq < signed and find(ALTERED, f"{path.name}: what stands for entry {seq} is no entry")
                break
            seq += 1
            yield line[:-1]

def check_entry(trail, seq, line, ids, twice, blobs):
    """Looks at the record and the id of an entry; gives up to where it says that others were pruned."""
    try:
        event = json.loads(line)
        first, blob = ids.setdefault(event["id"], seq), event.get("raw_blob", {}).get("sha256")
        is_pruned = event["source"]["kind"] == "whodid" and event["what"]["action"] == "trail.pruned"
        pruned = event["detail"]["whodid"]["to"] if is_pruned else 0
    except (ValueError, KeyError, TypeError, AttributeError):
        return 0
    first == seq or twice.append((ALTERED, f"entry {seq} has the id of entry {first}"))
    path = blob and trail / "blob" / blob
    if path and not (path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == blob):
        blobs.append((seq, ALTERED if path.exists() else INCOMPLETE, f"entry {seq}: its record is not there as it was"))
    return pruned

def check_origin(path, key, name):
    text, why = note(path.read_bytes(), key)
    named = re.fullmatch(ORIGIN, text, re.ASCII)
    if not named or named[1] != (name or named[1]):
        raise ValueError("it does not name the trail that was signed")
    why and find(UNTRUSTED, f"origin: {why}")

def attempt(what, bad, read, *args):
    try:
        return read(*args)
    except FileNotFoundError:
        find(INCOMPLETE, f"{what} is missing")
    except ValueError as error:
        find(bad, f"{what}: {error}")

def verify(trail, key, anchors):
    known, name, newest = [], None, -1
    any((trail / part).exists() for part in ("origin", "checkpoint", "segment")) or find(UNUSABLE, "there is no trail")
    for path, is_anchor in [(trail / "checkpoint", False)] + [(path, True) for path in anchors]:
        found = attempt(path.name, UNTRUSTED if is_anchor else ALTERED, checkpoint, path.read_bytes, key)
        named, size, root, why = found or (None, 0, b"", None)
        why and find(UNTRUSTED, f"{path.name}: {why}")
        if found and not (why and is_anchor):
            known.append((size, root, is_anchor))
            name, newest = name or named, max(newest, size) if is_anchor else newest
    attempt("origin", ALTERED, check_origin, trail / "origin", key, name)
    signed = max((size for size, _, is_anchor in known if not is_anchor), default=0)
    paths = sorted((trail / "segment").glob("[0-9]" * 20 + ".jsonl*"), reverse=True)  # of two alike the plain one
    paths = sorted({path.name[:20]: path for path in paths if path.suffix in (".jsonl", ".zst")}.values())
    start, complete_to, pruned, ids, twice, blobs = int(paths[0].name[:20]) if paths else 0, 0, 0, {}, [], []
    leaves = tile_leaves(trail, signed)[:start] if start <= signed else []
    start = len(leaves)
    for line in lines(paths, start, signed):
        if len(leaves) < signed:
            pruned = max(pruned, check_entry(trail, len(leaves), line, ids, twice, blobs))
        leaves.append(sha256(b"\0", line))
    for size, root, is_anchor in sorted(known):
        if size <= len(leaves) and tree(leaves[:size]) == root:
            complete_to = size
            continue
        bad = None if is_anchor else first_bad(trail, leaves, size, root)
        size > len(leaves) and find(INCOMPLETE, f"{size} entries were signed, here are {len(leaves)}")
        (size > len(leaves) and bad is None) or find(ALTERED, f"an entry is not what was signed; the first: {bad}")
    if start > pruned:
        complete_to = find(INCOMPLETE, f"entries {pruned} to {start - 1} are missing, not pruned") or 0
    check_tiles(trail, leaves, signed, complete_to >= signed)
    findings.extend(twice if complete_to >= signed else [])
    findings.extend(found[1:] for found in blobs if found[0] >= pruned)
    return complete_to, newest

def main(folder, key, *anchors):
    folder, anchors, complete_to, newest = pathlib.Path(folder), [pathlib.Path(anchor) for anchor in anchors], 0, -1
    key = attempt("key", UNTRUSTED, parse_key, pathlib.Path(key).read_text() if pathlib.Path(key).is_file() else key)
    try:
        complete_to, newest = verify(folder / "trail" if (folder / "trail").is_dir() else folder, key, anchors)
    except OSError as error:
        find(UNUSABLE, str(error))
    code = next((code for code in WEIGHT if code in dict(findings)), OK)
    whole = code == OK and anchors and newest >= complete_to
    print(f"{'WHOLE' if whole else WORDS[code]} to {complete_to}", end="\n" if code or whole else LATER)
    print("".join(f"{text}\n" for _, text in sorted(findings, key=lambda found: WEIGHT.index(found[0]))), end="")
    return code
sys.exit(main(*sys.argv[1:]) if len(sys.argv) > 2 else print(__doc__) or UNUSABLE)
