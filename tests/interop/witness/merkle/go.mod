// What the witness of transparency-dev needs of its Merkle package, on the tree of Go's checksum database: the version
// that it names cannot be had everywhere.
module github.com/transparency-dev/merkle

go 1.25.0

require golang.org/x/mod v0.37.0
