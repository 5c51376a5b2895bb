// Keys that follow one another: trail/keys and trail/epochs.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A record says with which tree a key began.
type record struct {
	number   int
	origin   string
	tree     tlog.Tree
	verifier note.Verifier
	key      string
}

// readChain gives the records of a file, each signed by the one before it. Trails of one name only: nothing is adopted here.
func readChain(trail, kind string, log []record) (records []record, err error) {
	data, err := os.ReadFile(filepath.Join(trail, kind+"s"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	dash := []byte("\n— ")
	for len(data) > 0 && err == nil {
		end := bytes.Index(data, dash) + 1
		for end > 0 && bytes.HasPrefix(data[end:], dash[1:]) {
			line := bytes.IndexByte(data[end:], '\n')
			if line < 0 {
				return nil, errors.New("it ends within a line")
			}
			end += line + 1
		}
		if end <= 0 {
			return nil, errors.New("what follows is no signed note")
		}
		var next record
		next, err = readRecord(data[:end], kind, records, log)
		records, data = append(records, next), data[end:]
	}
	return records, err
}

func readRecord(data []byte, kind string, before, log []record) (next record, err error) {
	text, _, _ := strings.Cut(string(data), "\n\n")
	lines := strings.Split(text, "\n")
	if len(lines) != 6 || lines[0] != "whodid "+kind+" 1" || lines[2] != strconv.Itoa(len(before)) {
		return next, fmt.Errorf("record %d should follow", len(before))
	}
	next.number, next.origin, next.key = len(before), lines[1], lines[5]
	if next.tree.N, err = strconv.ParseInt(lines[3], 10, 64); err != nil {
		return next, err
	}
	if next.tree.Hash, err = tlog.ParseHash(lines[4]); err != nil {
		return next, err
	}
	if next.verifier, err = note.NewVerifier(next.key); err != nil {
		return next, err
	}
	name, signers := next.origin, inForce(log, next.tree.N)
	if kind == "epoch" {
		name += "/epoch/" + lines[2]
	}
	if len(before) > 0 {
		last := before[len(before)-1]
		if last.origin != next.origin || last.tree.N > next.tree.N {
			return next, errors.New("it does not follow the one before it")
		}
		signers = []record{last}
	}
	if next.verifier.Name() != name {
		return next, errors.New("its key has the name of another")
	}
	wanted := 1
	if len(before) > 0 || kind == "epoch" {
		wanted = 2
	}
	if bytes.Count(data, []byte("\n— ")) != wanted {
		return next, errors.New("it has not the signatures that it should have")
	}
	if wanted == 2 {
		err = errors.New("nobody vouches for it")
		for _, signer := range signers {
			if _, err = note.Open(data, note.VerifierList(signer.verifier)); err == nil {
				break
			}
		}
	}
	if err == nil {
		_, err = note.Open(data, note.VerifierList(next.verifier))
	}
	return next, err
}

// inForce gives the keys that may sign a tree of this size: where one follows another, both.
func inForce(records []record, size int64) (keys []record) {
	for i, record := range records {
		if record.tree.N <= size && (i+1 == len(records) || size <= records[i+1].tree.N) {
			keys = append(keys, record)
		}
	}
	return keys
}

// follow gives the keys that one key vouches for, itself first.
func follow(records []record, key string) ([]record, error) {
	for i, record := range records {
		if record.key == key {
			return records[i:], nil
		}
	}
	verifier, err := note.NewVerifier(key)
	if err != nil || len(records) > 0 {
		return nil, errors.Join(err, errors.New("the key is none of this trail's"))
	}
	return []record{{key: key, verifier: verifier, origin: verifier.Name()}}, nil
}

// checkEpochs asks for the signature of the epoch that was open, and for the epoch whose key was given.
func checkEpochs(trail string, epochs []record, given []string, size int64) error {
	data, err := os.ReadFile(filepath.Join(trail, "checkpoint"))
	if err != nil {
		return err
	}
	if len(epochs) == 0 && (len(given) > 0 || bytes.Contains(data, []byte("/epoch/"))) {
		return errors.New("they are missing")
	}
	if len(given) > 0 {
		if _, err := follow(epochs, given[0]); err != nil {
			return err
		}
	}
	open := inForce(epochs, size)
	for _, epoch := range open {
		if _, err = note.Open(data, note.VerifierList(epoch.verifier)); err == nil || (epoch.number == 0 && epoch.tree.N == size) {
			return nil
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("the checkpoint is not signed by the open one: %w", err)
	}
	return nil
}
