// Command oracle answers what genuine Helm makes of a template.
//
//	oracle answer < questions > answers   one JSON answer per line of JSON, in order
//	oracle refresh FILE…                  writes the expected output into case files
package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	time.Local = time.UTC
	var err error
	switch {
	case len(os.Args) == 2 && os.Args[1] == "answer":
		err = answerAll(os.Stdin, os.Stdout)
	case len(os.Args) > 2 && os.Args[1] == "refresh":
		for _, path := range os.Args[2:] {
			if err = refresh(path); err != nil {
				break
			}
		}
	default:
		fmt.Fprintln(os.Stderr, "usage: oracle answer | oracle refresh FILE…")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(1)
	}
}
