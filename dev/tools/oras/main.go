// Oras does a few things as the command of that name does, with the library that it is made of, over HTTP and
// with Docker's logins.
//
//	oras push REPOSITORY:TAG FILE TYPE       a file as an artifact; prints its digest
//	oras attach REPOSITORY@DIGEST FILE TYPE  a file attached to a manifest; prints its digest
//	oras discover REPOSITORY@DIGEST          a line for each referrer: type and digest
//	oras pull REPOSITORY:TAG                 a file that was pushed or attached so, to standard output
//	oras copy FROM:TAG TO:TAG                with everything that is attached
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "oras:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) < 2 {
		return errors.New("give push, attach, discover, pull or copy, and what")
	}
	at, err := repository(arguments[1])
	if err != nil {
		return err
	}
	switch verb, rest := arguments[0], arguments[2:]; {
	case verb == "push" && len(rest) == 2:
		return pack(ctx, at, nil, rest[0], rest[1])
	case verb == "attach" && len(rest) == 2:
		subject, err := at.Resolve(ctx, at.Reference.Reference)
		if err != nil {
			return err
		}
		return pack(ctx, at, &subject, rest[0], rest[1])
	case verb == "discover" && len(rest) == 0:
		return discover(ctx, at)
	case verb == "pull" && len(rest) == 0:
		return pull(ctx, at)
	case verb == "copy" && len(rest) == 1:
		to, err := repository(rest[0])
		if err != nil {
			return err
		}
		options := oras.DefaultExtendedCopyOptions
		_, err = oras.ExtendedCopy(ctx, at, at.Reference.Reference, to, to.Reference.Reference, options)
		return err
	}
	return fmt.Errorf("%s does not take these arguments", arguments[0])
}

func repository(name string) (*remote.Repository, error) {
	logins, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if err != nil {
		return nil, err
	}
	at, err := remote.NewRepository(name)
	if err != nil {
		return nil, err
	}
	at.PlainHTTP = true
	at.Client = &auth.Client{Credential: credentials.Credential(logins)}
	return at, nil
}

func pack(ctx context.Context, at *remote.Repository, subject *ocispec.Descriptor, file, kind string) error {
	bytes, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	layer, err := oras.PushBytes(ctx, at, kind, bytes)
	if err != nil {
		return err
	}
	options := oras.PackManifestOptions{Layers: []ocispec.Descriptor{layer}, Subject: subject}
	made, err := oras.PackManifest(ctx, at, oras.PackManifestVersion1_1, kind, options)
	if err == nil && subject == nil {
		err = at.Tag(ctx, made, at.Reference.Reference)
	}
	fmt.Println(made.Digest)
	return err
}

func discover(ctx context.Context, at *remote.Repository) error {
	subject, err := at.Resolve(ctx, at.Reference.Reference)
	if err != nil {
		return err
	}
	return at.Referrers(ctx, subject, "", func(page []ocispec.Descriptor) error {
		for _, referrer := range page {
			fmt.Println(referrer.ArtifactType, referrer.Digest)
		}
		return nil
	})
}

func pull(ctx context.Context, at *remote.Repository) error {
	root, err := at.Resolve(ctx, at.Reference.Reference)
	if err != nil {
		return err
	}
	below, err := content.Successors(ctx, at, root)
	if err != nil {
		return err
	}
	reader, err := at.Fetch(ctx, below[len(below)-1])
	if err != nil {
		return err
	}
	defer reader.Close()
	_, err = io.Copy(os.Stdout, reader)
	return err
}
