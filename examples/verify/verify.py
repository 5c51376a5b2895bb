#!/usr/bin/env python3
"""Verifies a copy of a whodid trail with nothing but docs/trail-format.md, to check the checker.
usage: verify.py FOLDER KEY [ANCHOR...]     FOLDER: a copy of a data folder. KEY: the public key (any of the log's), or a
file with it and perhaps that of an epoch in a second line. ANCHOR: a file with a checkpoint that was kept elsewhere.
Needs the package `cryptography`, the command `zstd` for sealed segments, and memory for each entry's hash and id.
Exit: 0 as signed, 1 altered, 2 incomplete, 3 untrusted, 4 unusable."""
import hashlib, json, pathlib, subprocess, sys
from keys import *

WORDS, WEIGHT = "COMPLETE ALTERED INCOMPLETE UNTRUSTED UNUSABLE".split(), [UNUSABLE, ALTERED, INCOMPLETE, UNTRUSTED]  # most telling first
DAY, HOUR = r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])", r"(?:[01]\d|2[0-3])(?::[0-5]\d){2}(?:\.\d{1,9})?"
PART, LATER = r"[\w.-]{1,255}", "; what came later cannot be checked without an anchor\n"
ORIGIN = rf"({PART}(?:/{PART})*)\nwhodid trail 1\n(?:live|replay)\n{DAY}T{HOUR}Z\n"

def checkpoint(read, keys):
    name, size, root = parse(rf"({NAME})\n{NUMBER}\n(.{{43}}=)\n", note(data := read())[0])
    int(size) < 1 << 64 or fail("a size has 64 bits")
    whys = [note(data, one.key)[1] for one in in_force(keys, int(size)) if one.origin == name]
    pairs = [(one, next.size) for one, next in zip(keys, keys[1:]) if one.origin == name != next.origin]
    left = [end for one, end in pairs if int(size) > end and not note(data, one.key)[1]]  # for another name, at this size
    why = None if left or None in whys else "it is not signed by a key that was in force"
    return name, int(size), unbase64(root), why, left

def check_epochs(path, epochs, given, signed, name, size):
    """The checkpoint must be signed by the epoch that was open; where epochs begin there was none before."""
    if not path.exists():
        return (given or f"\n\u2014 {name}/epoch/".encode() in signed) and find(INCOMPLETE, "epochs is missing")
    at = next((i for i, one in enumerate(epochs) if given and same(one.key, given)), None)
    if given and at is None:
        find(UNTRUSTED, "epochs: the key that was given is of none of them")
    if given and at is not None and not all(one.is_vouched for one in epochs[at + 1:]):
        find(UNTRUSTED, "epochs: they begin anew after the one whose key was given")
    opened = in_force(epochs, size)
    if opened and all(note(signed, one.key)[1] and (one.is_vouched or one.size < size) for one in opened):
        find(UNTRUSTED, "checkpoint: it is not signed by the epoch that was open")

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
        return [path.read_bytes()[i:i + 32] for i in range(0, path.stat().st_size, 32)]
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
    leaves = []
    while len(leaves) < size and len(leaves) % 256 == 0:
        found = tile(trail, 0, len(leaves) // 256, min(256, size - len(leaves)))
        if not isinstance(found, list) or not found:
            break
        leaves += found
    return leaves

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
        pruned = pruned if pruned <= seq else 0  # no entry can say that it is gone itself
    except (ValueError, KeyError, TypeError, AttributeError):
        return 0
    first == seq or twice.append((ALTERED, f"entry {seq} has the id of entry {first}"))
    path = blob and trail / "blob" / blob
    if path and not (path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == blob):
        blobs.append((seq, ALTERED if path.exists() else INCOMPLETE, f"entry {seq}: its record is not there as it was"))
    return pruned

def check_origin(path, keys, name):
    named = parse(ORIGIN, note(path.read_bytes())[0])[0]
    whys = [note(path.read_bytes(), one.key)[1] for one in keys if one.origin == named]
    named == (name or named) or fail("it does not name the trail that was signed")
    any(whys) and find(UNTRUSTED, "origin: it is not signed by all keys of the log")
    if path.read_text().count(f"\n\u2014 {named} ") > 1 and not path.with_name("keys").exists():
        find(INCOMPLETE, "keys is missing")

def attempt(what, bad, read, *args):
    try:
        return read(*args)
    except FileNotFoundError:
        find(INCOMPLETE, f"{what} is missing")
    except ValueError as error:
        find(bad, f"{what}: {error}")

def verify(trail, key, epoch, anchors):
    known, name, newest, log = [], None, -1, chain(trail / "keys", "key")
    any((trail / part).exists() for part in ("origin", "checkpoint", "segment")) or find(UNUSABLE, "there is no trail")
    keys = follow(log, key)
    epochs = chain(trail / "epochs", "epoch", log or keys)
    for path, is_anchor in [(trail / "checkpoint", False)] + [(path, True) for path in anchors]:
        found = attempt(path.name, UNTRUSTED if is_anchor else ALTERED, checkpoint, path.read_bytes, keys)
        named, size, root, why, left = found or (None, 0, b"", None, None)
        why and find(UNTRUSTED, f"{path.name}: {why}")
        left and find(INCOMPLETE if is_anchor else UNTRUSTED, f"{path.name}: the trail left this name at {left[0]}")
        if found and not ((why or left) and is_anchor):
            known.append((size, root, is_anchor))
            name, newest = name or named, max(newest, size) if is_anchor else newest
            is_anchor or check_epochs(trail / "epochs", epochs, epoch, path.read_bytes(), named, size)
    attempt("origin", ALTERED, check_origin, trail / "origin", keys, name)
    signed = max((size for size, _, is_anchor in known if not is_anchor), default=0)
    known += [(one.size, one.root, True) for one in log + epochs]  # what was signed when a key began
    paths = sorted((trail / "segment").glob("[0-9]" * 20 + ".jsonl*"), reverse=True)  # of two alike the plain one
    paths = sorted({path.name[:20]: path for path in paths if path.suffix in (".jsonl", ".zst")}.values())
    start, complete_to, pruned, ids, twice, blobs = int(paths[0].name[:20]) if paths else 0, 0, 0, {}, [], []
    leaves = tile_leaves(trail, signed)[:start] if start <= signed else []
    start = len(leaves)
    for line in lines(paths, start, signed):
        if len(leaves) < signed:
            pruned = max(pruned, check_entry(trail, len(leaves), line, ids, twice, blobs))
        leaves.append(sha256(b"\0", line))
    for size, root, is_anchor in sorted(set(known)):
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
    findings.extend(found[1:] for found in blobs if found[0] >= pruned or found[1] == ALTERED)
    return complete_to, newest

def main(folder, key, *anchors):
    folder, anchors, complete_to, newest = pathlib.Path(folder), [pathlib.Path(anchor) for anchor in anchors], 0, -1
    texts = (pathlib.Path(key).read_text() if pathlib.Path(key).is_file() else key).split("\n") + [""]
    key, epoch = [text and attempt("key", UNTRUSTED, parse_key, text) for text in texts[:2]]
    try:
        complete_to, newest = verify(folder / "trail" if (folder / "trail").is_dir() else folder, key, epoch, anchors)
    except OSError as error:
        find(UNUSABLE, str(error))
    code = next((code for code in WEIGHT if code in dict(findings)), OK)
    whole = code == OK and anchors and newest >= complete_to
    print(f"{'WHOLE' if whole else WORDS[code]} to {complete_to}", end="\n" if code or whole else LATER)
    print("".join(f"{text}\n" for _, text in sorted(findings, key=lambda found: WEIGHT.index(found[0]))), end="")
    return code

sys.exit(main(*sys.argv[1:]) if len(sys.argv) > 2 else print(__doc__) or UNUSABLE)
