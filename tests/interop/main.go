// Command interop checks a copy of a whodid trail with the packages behind Go's checksum database: signed notes
// by sumdb/note, tree, tiles and proofs by sumdb/tlog.
//
//	interop FOLDER KEYS [-anchor FILE]... [-proof FILE LINE]...
//
// KEYS are lines: the key of the log, and perhaps that of an epoch. The records in keys and epochs are followed from them.
//
// Every line of the segments must be proven by the tiles under the signed root, every anchor must be consistent
// with it, and every .tlog-proof must hold for its entry. Sealed segments are read by the command zstd. Exit 0: all of that is so; 1: it is not, and why.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: interop FOLDER KEYS [-anchor FILE]... [-proof FILE LINE]...")
		os.Exit(2)
	}
	said, err := verify(filepath.Join(os.Args[1], "trail"), os.Args[2], os.Args[3:])
	if err != nil {
		fmt.Println("REFUSED", err)
		os.Exit(1)
	}
	fmt.Println("ACCEPTED", said)
}

func verify(trail, key string, args []string) (string, error) {
	given := strings.Split(strings.TrimSpace(key), "\n")
	keys, err := readChain(trail, "key", nil)
	if err != nil {
		return "", fmt.Errorf("keys: %w", err)
	}
	verifier, err := follow(keys, given[0])
	if err != nil {
		return "", err
	}
	epochs, err := readChain(trail, "epoch", keys)
	if err != nil {
		return "", fmt.Errorf("epochs: %w", err)
	}
	tree, err := readCheckpoint(filepath.Join(trail, "checkpoint"), verifier)
	if err != nil {
		return "", fmt.Errorf("checkpoint: %w", err)
	}
	if err := checkEpochs(trail, epochs, given[1:], tree.N); err != nil {
		return "", fmt.Errorf("epochs: %w", err)
	}
	if err := checkOrigin(trail, verifier); err != nil {
		return "", fmt.Errorf("origin: %w", err)
	}
	start, lines, err := readLines(filepath.Join(trail, "segment"))
	if err != nil {
		return "", err
	}
	if start+int64(len(lines)) < tree.N || start > tree.N {
		return "", fmt.Errorf("%d entries were signed, here are %d to %d", tree.N, start, start+int64(len(lines)))
	}
	// What lies behind the signed size is not judged.
	lines = lines[:tree.N-start]
	pruned := prunedTo(start, lines)
	if pruned < start {
		return "", fmt.Errorf("entries %d to %d are missing, and no entry says that they were pruned", pruned, start-1)
	}
	// It believes a hash only after it was added up to the root.
	hashes := tlog.TileHashReader(tree, tiles{trail})
	for i, line := range lines {
		seq := start + int64(i)
		proof, err := tlog.ProveRecord(tree.N, seq, hashes)
		if err == nil {
			err = tlog.CheckRecord(proof, tree.N, tree.Hash, seq, tlog.RecordHash(line))
		}
		if err == nil {
			err = checkBlob(trail, line)
			if seq < pruned && errors.Is(err, os.ErrNotExist) {
				err = nil
			}
		}
		if err != nil {
			return "", fmt.Errorf("entry %d: %w", seq, err)
		}
	}
	for _, known := range append(keys, epochs...) {
		if err := checkTree(known.tree, tree, hashes); err != nil {
			return "", fmt.Errorf("the tree that key %d began with: %w", known.number, err)
		}
	}
	anchors, proofs := 0, 0
	for len(args) > 0 {
		switch {
		case args[0] == "-anchor" && len(args) > 1:
			if err := checkAnchor(args[1], verifier, tree, hashes); err != nil {
				return "", fmt.Errorf("%s: %w", args[1], err)
			}
			anchors, args = anchors+1, args[2:]
		case args[0] == "-proof" && len(args) > 2:
			if err := checkProof(args[1], args[2], verifier); err != nil {
				return "", fmt.Errorf("%s: %w", args[1], err)
			}
			proofs, args = proofs+1, args[3:]
		default:
			return "", fmt.Errorf("what is %s?", args[0])
		}
	}
	return fmt.Sprintf("%d of %d entries, %d anchors, %d proofs", len(lines), tree.N, anchors, proofs), nil
}

func readCheckpoint(path string, keys []record) (tlog.Tree, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return tlog.Tree{}, err
	}
	return openCheckpoint(data, keys)
}

func openCheckpoint(data []byte, keys []record) (tree tlog.Tree, err error) {
	text, _, _ := strings.Cut(string(data), "\n\n")
	lines := strings.Split(text, "\n")
	if len(lines) != 3 {
		return tree, errors.New("it is no checkpoint")
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	if tree.Hash, err = tlog.ParseHash(lines[2]); err != nil {
		return tree, err
	}
	err = errors.New("no key of this trail was in force at its size")
	for _, key := range inForce(keys, tree.N) {
		if lines[0] != key.verifier.Name() {
			continue
		}
		if _, err = note.Open(data, note.VerifierList(key.verifier)); err == nil {
			return tree, nil
		}
	}
	return tree, err
}

func checkOrigin(trail string, keys []record) error {
	verifier := keys[0].verifier
	data, err := os.ReadFile(filepath.Join(trail, "origin"))
	if err != nil {
		return err
	}
	opened, err := note.Open(data, note.VerifierList(verifier))
	for _, key := range keys[1:] {
		if err == nil {
			_, err = note.Open(data, note.VerifierList(key.verifier))
		}
	}
	if _, missing := os.Stat(filepath.Join(trail, "keys")); err == nil && missing != nil &&
		strings.Count(string(data), "\n— "+verifier.Name()+" ") > 1 {
		err = errors.New("more than one key signed it, and there are no records of them")
	}
	if err == nil && !strings.HasPrefix(opened.Text, verifier.Name()+"\nwhodid trail 1\n") {
		err = errors.New("it names another trail")
	}
	return err
}

// readLines gives every whole line of the segments, which must follow each other, and the number of the first.
func readLines(folder string) (start int64, lines [][]byte, err error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.jsonl*"))
	if err != nil {
		return 0, nil, err
	}
	before := ""
	for _, path := range paths {
		first, ending, _ := strings.Cut(filepath.Base(path), ".")
		// Where a segment is there twice, the plain one comes first and is read.
		if ending != "jsonl" && (ending != "jsonl.zst" || first == before) {
			continue
		}
		if before == "" {
			if start, err = strconv.ParseInt(first, 10, 64); err != nil {
				return 0, nil, err
			}
		}
		before = first
		if want := fmt.Sprintf("%020d", start+int64(len(lines))); first != want {
			return 0, nil, fmt.Errorf("segment %s should follow, not %s", want, first)
		}
		data, err := os.ReadFile(path)
		if err == nil && ending == "jsonl.zst" {
			data, err = exec.Command("zstd", "-dcq", path).Output()
		}
		if err != nil {
			return 0, nil, err
		}
		for len(data) > 0 {
			end := bytes.IndexByte(data, '\n')
			if end < 0 || end > 65535 {
				break
			}
			lines, data = append(lines, data[:end]), data[end+1:]
		}
	}
	return start, lines, nil
}

// prunedTo gives the first entry that is kept, as the entries say.
func prunedTo(start int64, lines [][]byte) (to int64) {
	for i, line := range lines {
		var event struct {
			What   struct{ Action string }
			Source struct{ Kind string }
			Detail struct{ Whodid struct{ To int64 } }
		}
		if !bytes.Contains(line, []byte("trail.pruned")) || json.Unmarshal(line, &event) != nil {
			continue
		}
		if event.Source.Kind == "whodid" && event.What.Action == "trail.pruned" &&
			event.Detail.Whodid.To > to && event.Detail.Whodid.To <= start+int64(i) {
			to = event.Detail.Whodid.To
		}
	}
	return to
}

func checkBlob(trail string, line []byte) error {
	var event struct {
		Blob *struct{ Sha256 string } `json:"raw_blob"`
	}
	if !bytes.Contains(line, []byte(`"raw_blob":`)) || json.Unmarshal(line, &event) != nil || event.Blob == nil {
		return nil
	}
	data, err := os.ReadFile(filepath.Join(trail, "blob", filepath.Base(event.Blob.Sha256)))
	if err == nil && fmt.Sprintf("%x", sha256.Sum256(data)) != event.Blob.Sha256 {
		err = errors.New("its record was changed")
	}
	return err
}

// checkAnchor asks for the proof that the older of two trees is the beginning of the newer one.
func checkAnchor(path string, keys []record, tree tlog.Tree, hashes tlog.HashReader) error {
	anchor, err := readCheckpoint(path, keys)
	if err != nil {
		return err
	}
	return checkTree(anchor, tree, hashes)
}

func checkTree(anchor, tree tlog.Tree, hashes tlog.HashReader) error {
	if anchor.N > tree.N {
		return fmt.Errorf("it knows %d entries, here are %d", anchor.N, tree.N)
	}
	if anchor.N == 0 {
		return nil
	}
	proof, err := tlog.ProveTree(tree.N, anchor.N, hashes)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, tree.N, tree.Hash, anchor.N, anchor.Hash)
}

// checkProof reads a .tlog-proof and the entry that it is about.
func checkProof(path, linePath string, keys []record) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	line, err := os.ReadFile(linePath)
	if err != nil {
		return err
	}
	head, signed, found := strings.Cut(string(data), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" || !strings.HasPrefix(lines[1], "index ") {
		return errors.New("it is no tlog-proof")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, text := range lines[2:] {
		data, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || len(data) != tlog.HashSize {
			return errors.New("it holds what is no hash")
		}
		proof = append(proof, *(*tlog.Hash)(data))
	}
	tree, err := openCheckpoint([]byte(signed), keys)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(line))
}

// tiles reads tile/<L>/<N>; sumdb puts the height before these.
type tiles struct{ trail string }

func (tiles) Height() int { return 8 }

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range wanted {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		data, err := os.ReadFile(filepath.Join(t.trail, path))
		if err != nil {
			return nil, err
		}
		if len(data) != tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s has the length of another tile", path)
		}
		all = append(all, data)
	}
	return all, nil
}

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}
