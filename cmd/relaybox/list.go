package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

// list prints things as they come: a queue or a store may hold more than memory does.
type list struct {
	out   io.Writer
	json  *array // nil: for people
	table *tabwriter.Writer
	thing string // what one of them is called
	head  string
	rows  int
}

// newList makes a list: of JSON with member as its name, or else a table under head.
func newList(out io.Writer, asJSON bool, member, thing, head string) *list {
	p := &list{out: out, thing: thing, head: head, table: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	if asJSON {
		p.json = &array{out: out, open: `{"` + member + `":[`}
	}
	return p
}

// rowsTogether have common columns; after them the table is printed so far.
const rowsTogether = 100

// add prints one: its value as JSON, or its row with tabs between columns.
func (p *list) add(value any, row string) (err error) {
	p.rows++
	if p.json != nil {
		return p.json.add(value)
	}
	if p.rows == 1 {
		row = p.head + "\n" + row
	}
	if _, err = fmt.Fprintln(p.table, row); err == nil && p.rows%rowsTogether == 0 {
		err = p.table.Flush()
	}
	return err
}

// flush prints what is held back to be in columns with what follows.
func (p *list) flush() error { return p.table.Flush() }

func (p *list) end() (err error) {
	switch {
	case p.json != nil:
		err = p.json.end("}")
	case p.rows == 0:
		_, err = fmt.Fprintf(p.out, "no %ss\n", p.thing)
	default:
		if err = p.table.Flush(); err == nil {
			_, err = fmt.Fprintln(p.out, plural(p.rows, p.thing))
		}
	}
	return err
}

// array writes a JSON object that has an array, one line an element, as they come.
type array struct {
	out  io.Writer
	open string // up to the array's bracket
	rows int
}

func (a *array) add(value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	before := ",\n"
	if a.rows++; a.rows == 1 {
		before = a.open
	}
	_, err = fmt.Fprintf(a.out, "%s%s", before, text)
	return err
}

// end writes the rest of the object.
func (a *array) end(rest string) error {
	before := ""
	if a.rows == 0 {
		before = a.open
	}
	_, err := fmt.Fprintf(a.out, "%s]%s\n", before, rest)
	return err
}
