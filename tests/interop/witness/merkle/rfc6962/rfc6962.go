// Package rfc6962 names the hashes of RFC 6962.
package rfc6962

import "crypto/sha256"

// Hasher is the one kind of hash that there is here.
type Hasher struct{}

var DefaultHasher = &Hasher{}

// EmptyRoot is the root of a tree without leaves.
func (*Hasher) EmptyRoot() []byte {
	root := sha256.Sum256(nil)
	return root[:]
}
