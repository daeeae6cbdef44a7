package main

import (
	"os"
	"path/filepath"
	"strings"
)

// refresh rewrites a case file: "> " starts and continues a template, "= " before it gives its
// values in place of data.json, "| " is a line of output, "! " a line of the error, anything else
// a comment.
func refresh(path string) error {
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(filepath.Dir(path), "data.json"))
	if err != nil {
		return err
	}
	var out strings.Builder
	var template []string
	values := data
	flush := func() {
		if len(template) == 0 {
			return
		}
		mark := "| "
		text, err := render(question{Template: strings.Join(template, "\n"), Values: values})
		if err != nil {
			mark, text = "! ", err.Error()
		}
		for _, line := range strings.Split(text, "\n") {
			out.WriteString(mark + line + "\n")
		}
		template, values = nil, data
	}
	for _, line := range strings.Split(strings.TrimSuffix(string(source), "\n"), "\n") {
		if text, ok := strings.CutPrefix(line, ">"); ok {
			template = append(template, strings.TrimPrefix(text, " "))
			out.WriteString(line + "\n")
			continue
		}
		flush()
		if text, ok := strings.CutPrefix(line, "= "); ok {
			values = []byte(text)
		}
		if !strings.HasPrefix(line, "|") && !strings.HasPrefix(line, "!") {
			out.WriteString(line + "\n")
		}
	}
	flush()
	return os.WriteFile(path, []byte(out.String()), 0o644)
}
