// Helm-bench measures Helm's template engine in process: the mean CPU time of
// engine.Render (user and system, garbage collection included) for a chart
// that is loaded and whose values are computed.
//
//	helm-bench CHART   prints {"render_us": …, "templates": …}
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"syscall"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
)

// Enough turns for a steady state of the garbage collector.
const (
	warmUp    = 2
	minMicros = 1_000_000
	minTurns  = 3
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: helm-bench CHART")
		os.Exit(2)
	}
	result, err := measure(os.Args[1])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "helm-bench:", err)
		os.Exit(1)
	}
}

type result struct {
	Micros    float64 `json:"render_us"`
	Templates int     `json:"templates"`
}

func measure(path string) (*result, error) {
	c, err := loader.Load(path)
	if err != nil {
		return nil, err
	}
	own := map[string]any{}
	if err := chartutil.ProcessDependencies(c, own); err != nil {
		return nil, err
	}
	options := common.ReleaseOptions{Name: "demo", Namespace: "default", Revision: 1, IsInstall: true}
	values, err := util.ToRenderValues(c, own, options, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	for range warmUp {
		if _, err := engine.Render(c, values); err != nil {
			return nil, err
		}
	}
	begin, turns := cpuMicros(), 0
	for turns < minTurns || cpuMicros()-begin < minMicros {
		if _, err := engine.Render(c, values); err != nil {
			return nil, err
		}
		turns++
	}
	micros := float64(cpuMicros()-begin) / float64(turns)
	return &result{Micros: micros, Templates: templates(c)}, nil
}

func templates(c *chart.Chart) int {
	count := len(c.Templates)
	for _, dependency := range c.Dependencies() {
		count += templates(dependency)
	}
	return count
}

func cpuMicros() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return usage.Utime.Nano()/1000 + usage.Stime.Nano()/1000
}
