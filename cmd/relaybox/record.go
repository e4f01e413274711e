package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/user"
	"time"
)

// record is what an operator did to one thing.
type record struct {
	At     time.Time `json:"at"`
	Author string    `json:"author"`
	Reason string    `json:"reason,omitempty"` // the operator's
	Act    string    `json:"act"`
	On     string    `json:"on"` // the entity that holds the thing
	What   any       `json:"what"`
}

// recorder keeps records. It is told after the act: what cannot be recorded was done all the same.
type recorder func(record) error

// recordLines writes each as a line of JSON.
func recordLines(out io.Writer) recorder {
	return func(r record) error {
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s\n", text)
		return err
	}
}

// person is who runs the program, as far as the machine knows.
func person() string {
	name := os.Getenv("USER")
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}
