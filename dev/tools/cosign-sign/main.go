// Cosign-sign signs an image as `cosign sign` does, with the packages that cosign is made of and a new key, and
// writes the signature to the image's registry, over HTTP. Cosign as a whole brings 1.5 GB of modules for clouds
// and hardware keys.
//
//	cosign-sign tag|referrer|bundle IMAGE@DIGEST   by key; prints the public key, in PEM
//	cosign-sign rekor1|rekor2 IMAGE@DIGEST         keyless; prints the bundle and its trusted root, in JSON
//	cosign-sign rekor1|rekor2 DIGEST               the same, written nowhere
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	intoto "github.com/in-toto/attestation/go/v1"
	"github.com/sigstore/cosign/v3/pkg/oci/mutate"
	ociremote "github.com/sigstore/cosign/v3/pkg/oci/remote"
	"github.com/sigstore/cosign/v3/pkg/oci/static"
	"github.com/sigstore/cosign/v3/pkg/types"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore/pkg/signature/payload"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: cosign-sign tag|referrer|bundle|rekor1|rekor2 IMAGE@DIGEST")
		os.Exit(2)
	}
	printed, err := run(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "cosign-sign:", err)
		os.Exit(1)
	}
	fmt.Print(printed)
}

func run(form, image string) (string, error) {
	if form == "rekor1" || form == "rekor2" {
		return keyless(form, image)
	}
	digest, err := name.NewDigest(image, name.Insecure)
	if err != nil {
		return "", err
	}
	key, err := sign.NewEphemeralKeypair(nil)
	if err != nil {
		return "", err
	}
	switch form {
	case "tag", "referrer":
		err = simple(form, digest, key)
	case "bundle":
		err = bundle(digest, key)
	default:
		err = errors.New("the form is tag, referrer, bundle, rekor1 or rekor2")
	}
	if err != nil {
		return "", err
	}
	return key.GetPublicKeyPem()
}

// simple makes the form that cosign wrote before version 3: a payload and its signature, under a tag or, with
// --registry-referrers-mode=oci-1-1, as a referrer.
func simple(form string, digest name.Digest, key sign.Keypair) error {
	text, err := payload.Cosign{Image: digest}.MarshalJSON()
	if err != nil {
		return err
	}
	signed, _, err := key.SignData(context.Background(), text)
	if err != nil {
		return err
	}
	signature, err := static.NewSignature(text, base64.StdEncoding.EncodeToString(signed))
	if err != nil {
		return err
	}
	entity, err := ociremote.SignedEntity(digest)
	if err != nil {
		return err
	}
	if entity, err = mutate.AttachSignatureToEntity(entity, signature); err != nil {
		return err
	}
	if form == "referrer" {
		return ociremote.WriteSignaturesExperimentalOCI(digest, entity)
	}
	return ociremote.WriteSignatures(digest.Repository, entity)
}

// bundle makes the form of cosign 3: a statement about the image in a sigstore bundle, as a referrer.
func bundle(digest name.Digest, key sign.Keypair) error {
	statement, err := statement(digest.DigestStr())
	if err != nil {
		return err
	}
	content := &sign.DSSEData{Data: statement, PayloadType: "application/vnd.in-toto+json"}
	made, err := sign.Bundle(content, key, sign.BundleOptions{})
	if err != nil {
		return err
	}
	text, err := protojson.Marshal(made)
	if err != nil {
		return err
	}
	return ociremote.WriteAttestationNewBundleFormat(digest, text, types.CosignSignPredicateType)
}

// keyless makes the same, signed by a certificate that names the signer.
func keyless(form, image string) (string, error) {
	_, hash, found := strings.Cut(image, "sha256:")
	if !found {
		return "", errors.New("give a digest")
	}
	statement, err := statement("sha256:" + hash)
	if err != nil {
		return "", err
	}
	made, err := newKeyless(form, statement, hash)
	if err != nil {
		return "", err
	}
	if digest, err := name.NewDigest(image, name.Insecure); err == nil {
		err = ociremote.WriteAttestationNewBundleFormat(digest, made.Bundle, types.CosignSignPredicateType)
		if err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(made)
	return string(text), err
}

func statement(digest string) ([]byte, error) {
	hash := strings.TrimPrefix(digest, "sha256:")
	return protojson.Marshal(&intoto.Statement{
		Type:          intoto.StatementTypeUri,
		Subject:       []*intoto.ResourceDescriptor{{Digest: map[string]string{"sha256": hash}}},
		PredicateType: types.CosignSignPredicateType,
		Predicate:     &structpb.Struct{},
	})
}
