package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	sigstore "github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"google.golang.org/protobuf/encoding/protojson"
)

// Who signs, and who vouches for the name.
const (
	identity = "build@example.com"
	issuer   = "https://issuer.example.com"
)

// Keyless is a signature by a certificate of an authority that is made up for it, and the root by which it counts.
type Keyless struct {
	Bundle      json.RawMessage `json:"bundle"`
	TrustedRoot json.RawMessage `json:"trustedRoot"`
}

// newKeyless signs a statement. The log is one of the first version, which signs the time (rekor1), or of the
// second, beside which an authority for timestamps does (rekor2). The genuine verifier has the last word.
func newKeyless(form string, statement []byte, hash string) (*Keyless, error) {
	authorities, err := ca.NewVirtualSigstore()
	if err != nil {
		return nil, err
	}
	var entity *ca.TestEntity
	if form == "rekor1" {
		entity, err = authorities.AttestAtTime(identity, issuer, statement, time.Now().Add(5*time.Minute), true)
	} else {
		// Such a log tells no time.
		entity, err = authorities.AttestAtTimeHashedRekordV2(identity, issuer, statement, time.Unix(0, 0))
	}
	if err != nil {
		return nil, err
	}
	made, err := assemble(form, authorities, entity)
	if err != nil {
		return nil, err
	}
	logs := authorities.RekorLogs()
	for id, log := range logs {
		// A real root has the bytes, not their digits.
		if log.ID, err = hex.DecodeString(id); err != nil {
			return nil, err
		}
	}
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01, authorities.FulcioCertificateAuthorities(),
		authorities.CTLogs(), authorities.TimestampingAuthorities(), logs)
	if err != nil {
		return nil, err
	}
	keyless := &Keyless{}
	if keyless.TrustedRoot, err = trusted.MarshalJSON(); err != nil {
		return nil, err
	}
	if keyless.Bundle, err = protojson.Marshal(made); err != nil {
		return nil, err
	}
	return keyless, keyless.check(form, hash)
}

func assemble(form string, authorities *ca.VirtualSigstore, entity *ca.TestEntity) (*protobundle.Bundle, error) {
	verification, err := entity.VerificationContent()
	if err != nil {
		return nil, err
	}
	signature, err := entity.SignatureContent()
	if err != nil {
		return nil, err
	}
	entries, err := entity.TlogEntries()
	if err != nil {
		return nil, err
	}
	timestamps, err := entity.Timestamps()
	if err != nil {
		return nil, err
	}
	envelope := signature.EnvelopeContent().RawEnvelope()
	payload, err := base64.StdEncoding.DecodeString(envelope.Payload)
	if err != nil {
		return nil, err
	}
	entry := entries[0].TransparencyLogEntry()
	material := &protobundle.VerificationMaterial{
		Content: &protobundle.VerificationMaterial_Certificate{
			Certificate: &protocommon.X509Certificate{RawBytes: verification.Certificate().Raw},
		},
		TlogEntries: []*protorekor.TransparencyLogEntry{entry},
	}
	if form == "rekor1" {
		// The library keeps the log's promise to itself, and does not name the entry's kind; a real bundle has both.
		promise, err := authorities.RekorSignPayload(tlog.RekorPayload{
			Body:           base64.StdEncoding.EncodeToString(entry.CanonicalizedBody),
			IntegratedTime: entry.IntegratedTime,
			LogIndex:       entry.LogIndex,
			LogID:          hex.EncodeToString(entry.LogId.KeyId),
		})
		if err != nil {
			return nil, err
		}
		entry.KindVersion = &protorekor.KindVersion{Kind: "dsse", Version: "0.0.1"}
		entry.InclusionPromise = &protorekor.InclusionPromise{SignedEntryTimestamp: promise}
	} else {
		material.TimestampVerificationData = &protobundle.TimestampVerificationData{
			Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: timestamps[0]}},
		}
	}
	content := &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
		Payload:     payload,
		PayloadType: envelope.PayloadType,
		Signatures:  []*protodsse.Signature{{Sig: signature.Signature()}},
	}}
	return &protobundle.Bundle{
		MediaType:            "application/vnd.dev.sigstore.bundle.v0.3+json",
		VerificationMaterial: material,
		Content:              content,
	}, nil
}

// check holds what was made against its root, as cosign would.
func (k *Keyless) check(form, hash string) error {
	trusted, err := root.NewTrustedRootFromJSON(k.TrustedRoot)
	if err != nil {
		return err
	}
	made := &sigstore.Bundle{}
	if err := made.UnmarshalJSON(k.Bundle); err != nil {
		return err
	}
	time := verify.WithIntegratedTimestamps(1)
	if form == "rekor2" {
		time = verify.WithSignedTimestamps(1)
	}
	verifier, err := verify.NewVerifier(trusted, verify.WithTransparencyLog(1), time)
	if err != nil {
		return err
	}
	by, err := verify.NewShortCertificateIdentity(issuer, "", identity, "")
	if err != nil {
		return err
	}
	digest, err := hex.DecodeString(hash)
	if err != nil {
		return err
	}
	artifact := verify.WithArtifactDigest("sha256", digest)
	if _, err = verifier.Verify(made, verify.NewPolicy(artifact, verify.WithCertificateIdentity(by))); err != nil {
		return errors.Join(errors.New("the genuine verifier refuses it"), err)
	}
	return nil
}
