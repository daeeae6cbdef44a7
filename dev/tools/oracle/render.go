package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/engine"
	"helm.sh/helm/v4/pkg/strvals"
)

// mainTemplate is the one whose output counts; the others are there for it to use.
const mainTemplate = "templates/case.txt"

// A question is a chart named "t" and its values.
type question struct {
	Template string `json:"template"`
	// Other files of templates/, by base name.
	Templates map[string]string `json:"templates"`
	// What .Files holds.
	Files  map[string]string `json:"files"`
	Values json.RawMessage   `json:"values"`
	// Whole numbers of the values are int64, as --set makes them, rather than float64.
	Integers bool `json:"integers"`
	// What is set on top of the values, as by the flags of this name.
	Sets []struct {
		Form string `json:"form"`
		Line string `json:"line"`
	} `json:"sets"`
}

// render gives the output of a question's template, or the error as Helm prints it.
func render(q question) (string, error) {
	values, err := decode(q.Values, q.Integers)
	if err != nil {
		return "", fmt.Errorf("values: %w", err)
	}
	for _, s := range q.Sets {
		if err := set(s.Form, s.Line, values); err != nil {
			return "", err
		}
	}
	c := &chart.Chart{
		Metadata:  &chart.Metadata{Name: "t", Version: "1.0.0", APIVersion: "v2"},
		Templates: []*common.File{{Name: mainTemplate, Data: []byte(q.Template)}},
	}
	for name, text := range q.Templates {
		c.Templates = append(c.Templates, &common.File{Name: "templates/" + name, Data: []byte(text)})
	}
	for name, text := range q.Files {
		c.Files = append(c.Files, &common.File{Name: name, Data: []byte(text)})
	}
	files, err := engine.Render(c, common.Values{
		"Values":       common.Values(values),
		"Capabilities": capabilities(),
		"Release": map[string]any{
			"Name":      "demo",
			"Namespace": "space",
			"IsUpgrade": false,
			"IsInstall": true,
			"Revision":  1,
			"Service":   "Helm",
		},
	})
	return files["t/"+mainTemplate], err
}

func set(form, line string, values map[string]any) error {
	switch form {
	case "string":
		return strvals.ParseIntoString(line, values)
	case "json":
		return strvals.ParseJSON(line, values)
	case "file":
		// The path stands for the file's text.
		return strvals.ParseIntoFile(line, values, func(path []rune) (any, error) { return string(path), nil })
	case "literal":
		return strvals.ParseLiteralInto(line, values)
	default:
		return strvals.ParseInto(line, values)
	}
}

// capabilities are those of `helm template`. A released Helm's version is linked into it.
func capabilities() *common.Capabilities {
	c := common.DefaultCapabilities.Copy()
	c.HelmVersion.Version = "v4.3.1"
	c.HelmVersion.GitTreeState = "clean"
	c.HelmVersion.GoVersion = ""
	return c
}

func decode(text []byte, integers bool) (map[string]any, error) {
	values := map[string]any{}
	if len(text) == 0 {
		return values, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	if integers {
		decoder.UseNumber()
	}
	if err := decoder.Decode(&values); err != nil {
		return nil, err
	}
	if integers {
		for key, value := range values {
			values[key] = whole(value)
		}
	}
	return values, nil
}

// whole replaces each json.Number by an int64 or else a float64.
func whole(value any) any {
	switch value := value.(type) {
	case json.Number:
		if i, err := value.Int64(); err == nil {
			return i
		}
		f, _ := value.Float64()
		return f
	case []any:
		for i := range value {
			value[i] = whole(value[i])
		}
	case map[string]any:
		for key := range value {
			value[key] = whole(value[key])
		}
	}
	return value
}
