// Package proof checks consistency by sumdb/tlog.
package proof

import (
	"errors"

	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
)

func VerifyConsistency(_ *rfc6962.Hasher, oldSize, newSize uint64, proof [][]byte, oldRoot, newRoot []byte) error {
	if oldSize == 0 {
		if len(proof) > 0 {
			return errors.New("a proof from nothing is empty")
		}
		return nil
	}
	path := make(tlog.TreeProof, 0, len(proof))
	for _, hash := range append(proof, oldRoot, newRoot) {
		if len(hash) != tlog.HashSize {
			return errors.New("this is no hash")
		}
		path = append(path, *(*tlog.Hash)(hash))
	}
	oldHash, newHash := path[len(proof)], path[len(proof)+1]
	return tlog.CheckTree(path[:len(proof)], int64(newSize), newHash, int64(oldSize), oldHash)
}

// VerifySubtreeConsistency is asked for by a part of the protocol that nobody uses here.
func VerifySubtreeConsistency(*rfc6962.Hasher, uint64, uint64, uint64, [][]byte, []byte, []byte) error {
	return errors.New("subtrees are not signed here")
}
