// Oracle answers what genuine Helm makes of a template.
//
//	go run . refresh cases/*.txt   writes the expected output into the case files
//	go run . lines < cases.jsonl   one JSON answer per JSON line {"template", "data"}
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/engine"
)

func main() {
	time.Local = time.UTC
	if len(os.Args) > 1 && os.Args[1] == "lines" {
		lines()
		return
	}
	if len(os.Args) > 2 && os.Args[1] == "refresh" {
		for _, path := range os.Args[2:] {
			refresh(path)
		}
		return
	}
	fmt.Fprintln(os.Stderr, "usage: oracle refresh FILE... | oracle lines")
	os.Exit(2)
}

// render gives the output of a template, or the error as Helm prints it.
func render(text string, data map[string]any) (output string, failure error) {
	c := &chart.Chart{
		Metadata:  &chart.Metadata{Name: "t", Version: "1.0.0", APIVersion: "v2"},
		Templates: []*common.File{{Name: "templates/case.txt", Data: []byte(text)}},
	}
	values := common.Values{
		"Values":  common.Values(data),
		"Release": map[string]any{"Name": "demo", "Namespace": "space", "Revision": 1},
	}
	files, err := engine.Render(c, values)
	return files["t/templates/case.txt"], err
}

func lines() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 16<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for in.Scan() {
		var question struct {
			Template string         `json:"template"`
			Data     map[string]any `json:"data"`
		}
		if err := json.Unmarshal(in.Bytes(), &question); err != nil {
			fail(err)
		}
		answer := map[string]string{}
		if text, err := render(question.Template, question.Data); err != nil {
			answer["error"] = err.Error()
		} else {
			answer["output"] = text
		}
		line, err := json.Marshal(answer)
		if err != nil {
			fail(err)
		}
		out.Write(append(line, '\n'))
	}
}

// refresh rewrites a case file: "> " starts and continues a template, "| " is a line of output,
// "! " a line of the error, anything else a comment.
func refresh(path string) {
	source, err := os.ReadFile(path)
	if err != nil {
		fail(err)
	}
	dataText, err := os.ReadFile(filepath.Join(filepath.Dir(path), "data.json"))
	if err != nil {
		fail(err)
	}
	var out strings.Builder
	var template []string
	flush := func() {
		if len(template) == 0 {
			return
		}
		var data map[string]any
		if err := json.Unmarshal(dataText, &data); err != nil {
			fail(err)
		}
		mark := "| "
		text, err := render(strings.Join(template, "\n"), data)
		if err != nil {
			mark, text = "! ", err.Error()
		}
		for _, line := range strings.Split(text, "\n") {
			out.WriteString(mark + line + "\n")
		}
		template = nil
	}
	open := false
	for _, line := range strings.Split(strings.TrimSuffix(string(source), "\n"), "\n") {
		if strings.HasPrefix(line, ">") {
			if !open {
				flush()
			}
			open = true
			template = append(template, strings.TrimPrefix(strings.TrimPrefix(line, ">"), " "))
			out.WriteString(line + "\n")
			continue
		}
		if open {
			flush()
			open = false
		}
		if !strings.HasPrefix(line, "|") && !strings.HasPrefix(line, "!") {
			out.WriteString(line + "\n")
		}
	}
	flush()
	if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
		fail(err)
	}
}


func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
