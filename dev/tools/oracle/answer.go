package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
	"time"
)

// Bytes of address space.
const mostMemory = 2 << 30

// No template may take longer: Go cannot end a function, so the process ends.
const patience = time.Minute

// An answer holds the output or the error. Both are bytes, since neither need be UTF-8.
type answer struct {
	Output []byte `json:"output,omitempty"`
	Error  []byte `json:"error,omitempty"`
	Failed bool   `json:"failed"`
}

type job struct {
	line []byte
	done chan []byte
}

// answerAll works on several questions at once and answers them in their order.
func answerAll(in io.Reader, out io.Writer) error {
	// A template that explodes ends this process, not the machine.
	limit := syscall.Rlimit{Cur: mostMemory, Max: mostMemory}
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &limit); err != nil {
		return fmt.Errorf("limit the memory: %w", err)
	}
	workers := runtime.GOMAXPROCS(0)
	todo := make(chan job, 64*workers)
	order := make(chan job, 64*workers)
	for range workers {
		go func() {
			for j := range todo {
				j.done <- reply(j.line)
			}
		}()
	}
	written := make(chan error)
	go func() {
		writer := bufio.NewWriter(out)
		for j := range order {
			writer.Write(<-j.done)
			writer.WriteByte('\n')
			if len(order) == 0 {
				writer.Flush()
			}
		}
		written <- writer.Flush()
	}()
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		j := job{append([]byte(nil), lines.Bytes()...), make(chan []byte, 1)}
		todo <- j
		order <- j
	}
	close(todo)
	close(order)
	if err := <-written; err != nil {
		return err
	}
	return lines.Err()
}

func reply(line []byte) []byte {
	late := time.AfterFunc(patience, func() { os.Exit(3) })
	defer late.Stop()
	var q question
	var a answer
	err := json.Unmarshal(line, &q)
	if err != nil {
		err = fmt.Errorf("question: %w", err)
	} else {
		var text string
		text, err = render(q)
		a.Output = []byte(text)
	}
	if err != nil {
		a = answer{Error: []byte(err.Error()), Failed: true}
	}
	encoded, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	return encoded
}
