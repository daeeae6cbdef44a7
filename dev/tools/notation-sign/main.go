// Notation-sign signs an image as `notation sign` does, with the library that notation is made of, and writes the
// signature to the image's registry, over HTTP. The certificates are made up for the run and kept nowhere.
//
//	notation-sign ec|rsa IMAGE@DIGEST SECONDS   prints the authority's certificate, in PEM
//
// The signature itself expires after SECONDS; 0 is never.
package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"strconv"
	"time"

	"github.com/notaryproject/notation-core-go/signature/jws"
	"github.com/notaryproject/notation-go"
	"github.com/notaryproject/notation-go/registry"
	"github.com/notaryproject/notation-go/signer"
	"oras.land/oras-go/v2/registry/remote"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: notation-sign ec|rsa IMAGE@DIGEST SECONDS")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "notation-sign:", err)
		os.Exit(1)
	}
}

func run(kind, image, seconds string) error {
	expiry, err := strconv.Atoi(seconds)
	if err != nil {
		return err
	}
	authority, err := newKey("ec")
	if err != nil {
		return err
	}
	key, err := newKey(kind)
	if err != nil {
		return err
	}
	top := template("authority", 1)
	top.IsCA = true
	top.KeyUsage = x509.KeyUsageCertSign
	anchor, err := issue(top, top, authority.Public(), authority)
	if err != nil {
		return err
	}
	// Notation asks for no extended use; many authorities give none.
	leaf, err := issue(template("build", 2), anchor, key.Public(), authority)
	if err != nil {
		return err
	}
	made, err := signer.NewGenericSigner(key, []*x509.Certificate{leaf, anchor})
	if err != nil {
		return err
	}
	at, err := remote.NewRepository(image)
	if err != nil {
		return err
	}
	at.PlainHTTP = true
	_, err = notation.Sign(context.Background(), made, registry.NewRepository(at), notation.SignOptions{
		SignerSignOptions: notation.SignerSignOptions{
			SignatureMediaType: jws.MediaTypeEnvelope,
			ExpiryDuration:     time.Duration(expiry) * time.Second,
		},
		ArtifactReference: image,
	})
	if err != nil {
		return err
	}
	return pem.Encode(os.Stdout, &pem.Block{Type: "CERTIFICATE", Bytes: anchor.Raw})
}

func newKey(kind string) (crypto.Signer, error) {
	switch kind {
	case "ec":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "rsa":
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return nil, fmt.Errorf("a key is ec or rsa, not %q", kind)
}

func template(name string, serial int64) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          big.NewInt(serial),
		Subject:               pkix.Name{Country: []string{"US"}, Organization: []string{"Example"}, CommonName: name},
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
}

func issue(of, by *x509.Certificate, key crypto.PublicKey, with crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, of, by, key, with)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
