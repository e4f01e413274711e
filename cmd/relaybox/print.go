package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprint(n, " ", what, "s")
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return printable(text)
}

// printable is text without what a terminal would obey: anybody with the right to send, or to
// write, has written it.
func printable(text string) string {
	quoted := strings.ReplaceAll(fmt.Sprintf("%q", text), `\"`, `"`)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\\`, `\`)
}

// sheet is a table of names and values; values that are empty are left out. A tabwriter keeps
// what it gets, and fails at Flush.
func sheet(out io.Writer) (table *tabwriter.Writer, row func(name string, value any)) {
	table = tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	return table, func(name string, value any) {
		if text := printable(fmt.Sprint(value)); text != "" {
			_, _ = fmt.Fprintf(table, "%s\t%s\n", name, text)
		}
	}
}

// bodyText is JSON over many lines, other text and bytes escaped.
func bodyText(body []byte) string {
	if json.Valid(body) { // which has no control characters but white space
		var pretty bytes.Buffer
		if json.Indent(&pretty, body, "", "  ") == nil {
			var lines []string
			for line := range strings.Lines(pretty.String()) {
				lines = append(lines, printable(strings.TrimRight(line, "\r\n")))
			}
			return strings.Join(lines, "\n")
		}
	}
	return printable(string(body))
}
