// Command witness stands on either side of C2SP tlog-witness with the packages of transparency-dev: its witness
// cosigns our log, its client feeds our witness, and its verifier reads our cosignatures.
//
//	witness serve NAME LOGKEY          a witness on loopback; prints its address and its verifier key
//	witness feed URL OLD CHECKPOINT PROOF WITNESSKEY
//	                                   sends a checkpoint; PROOF holds base64 hashes, one a line; prints what came of it
//	witness check FILE LOGKEY WITNESSKEY
//	                                   FILE is a checkpoint that log and witness signed; prints the time
package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	fnote "github.com/transparency-dev/formats/note"
	client "github.com/transparency-dev/witness/client/http"
	"github.com/transparency-dev/witness/persistence/inmemory"
	"github.com/transparency-dev/witness/witness"
	"golang.org/x/mod/sumdb/note"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Println("REFUSED", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 3 && args[0] == "serve":
		return serve(args[1], args[2])
	case len(args) == 6 && args[0] == "feed":
		return feed(args[1], args[2], args[3], args[4], args[5])
	case len(args) == 4 && args[0] == "check":
		return check(args[1], args[2], args[3])
	}
	return errors.New("usage: witness serve|feed|check …")
}

func serve(name, logKey string) error {
	skey, vkey, err := note.GenerateKey(nil, name)
	if err != nil {
		return err
	}
	signer, err := fnote.NewSignerForCosignatureV1(skey)
	if err != nil {
		return err
	}
	if vkey, err = fnote.VKeyToCosignatureV1(vkey); err != nil {
		return err
	}
	log, err := note.NewVerifier(logKey)
	if err != nil {
		return err
	}
	w, err := witness.New(context.Background(), witness.Opts{
		Persistence: inmemory.New(),
		Signers:     []note.Signer{signer},
		VerifierForLog: func(_ context.Context, origin string) (note.Verifier, bool, error) {
			return log, origin == log.Name(), nil
		},
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n%s\n", listener.Addr(), vkey)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", witness.NewHTTPHandler(w).AddCheckpoint)
	return http.Serve(listener, mux)
}

func feed(address, old, checkpointFile, proofFile, witnessKey string) error {
	at, err := url.Parse(address)
	if err != nil {
		return err
	}
	oldSize, err := strconv.ParseUint(old, 10, 64)
	if err != nil {
		return err
	}
	checkpoint, err := os.ReadFile(checkpointFile)
	if err != nil {
		return err
	}
	lines, err := os.ReadFile(proofFile)
	if err != nil {
		return err
	}
	var proof [][]byte
	for _, line := range strings.Fields(string(lines)) {
		hash, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	cosignatures, size, err := client.NewWitness(at, http.DefaultClient).Update(context.Background(), oldSize, checkpoint, proof)
	if errors.Is(err, witness.ErrCheckpointStale) {
		fmt.Println("STALE", size)
		return nil
	}
	if err != nil {
		return err
	}
	verifier, err := fnote.NewVerifierForCosignatureV1(witnessKey)
	if err != nil {
		return err
	}
	if _, err := note.Open(bytes.Join([][]byte{checkpoint, cosignatures}, nil), note.VerifierList(verifier)); err != nil {
		return err
	}
	fmt.Println("COSIGNED")
	return nil
}

func check(file, logKey, witnessKey string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	log, err := note.NewVerifier(logKey)
	if err != nil {
		return err
	}
	verifier, err := fnote.NewVerifierForCosignatureV1(witnessKey)
	if err != nil {
		return err
	}
	opened, err := note.Open(data, note.VerifierList(log, verifier))
	if err != nil {
		return err
	}
	for _, signature := range opened.Sigs {
		if signature.Name == verifier.Name() && signature.Hash == verifier.KeyHash() {
			at, err := fnote.CoSigV1Timestamp(signature)
			if err != nil {
				return err
			}
			fmt.Println("COSIGNED", at.Unix())
			return nil
		}
	}
	return errors.New("it is not cosigned")
}
