package tutorial_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// block is one fenced block of a page.
type block struct {
	line int
	// language and mark are the words behind the fence: "go", "file=booking/booking.go".
	language, mark string
	text           string
}

func (b block) String() string { return fmt.Sprintf("the %s block at line %d", b.language, b.line) }

// file is the file that the block is about, "" if it is about none.
func (b block) file() string {
	name, ok := strings.CutPrefix(b.mark, "file=")
	if !ok {
		return ""
	}
	return name
}

// blocks takes a page apart.
func blocks(page string) []block {
	var all []block
	var open *block
	for i, line := range strings.Split(page, "\n") {
		info, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open == nil:
			language, mark, _ := strings.Cut(info, " ")
			open = &block{line: i + 1, language: language, mark: mark}
		case fence:
			all, open = append(all, *open), nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	return all
}

// typed counts what a reader types: lines into new files, and into those that are there.
func typed(all []block) (lines int, files map[string]bool, added int, edited map[string]bool) {
	files, edited = map[string]bool{}, map[string]bool{}
	for _, b := range all {
		switch {
		case b.file() == "":
		case b.language == "diff":
			edited[b.file()] = true
			added += len(regexp.MustCompile(`(?m)^\+`).FindAllString(b.text, -1))
		default:
			files[b.file()] = true
			lines += strings.Count(b.text, "\n")
		}
	}
	return lines, files, added, edited
}

// checkCounts compares what the page says about itself with what it is.
func checkCounts(t *testing.T, page string, all []block) {
	t.Helper()
	stated := regexp.MustCompile(`(\d+) lines in\s+(\d+) new files, and (\d+) lines in (\d+) file`).FindStringSubmatch(page)
	require.NotNil(t, stated, "the page does not say how much there is to type")
	lines, files, added, edited := typed(all)
	for i, n := range []int{lines, len(files), added, len(edited)} {
		require.Equal(t, strconv.Itoa(n), stated[i+1], "%q", stated[0])
	}
	require.LessOrEqual(t, lines+added, 150)
	require.LessOrEqual(t, len(files), 4)
	require.LessOrEqual(t, len(edited), 2)
}

// apply makes the edits of a diff block. Its hunks have no line numbers, which would be
// wrong soon; each must fit one place of the file.
func apply(t *testing.T, dir string, b block) {
	t.Helper()
	file := filepath.Join(dir, b.file())
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for hunk := range strings.SplitSeq(b.text, "@@\n") {
		var before, after strings.Builder
		for line := range strings.Lines(hunk) {
			if line[0] != '+' {
				before.WriteString(line[1:])
			}
			if line[0] != '-' {
				after.WriteString(line[1:])
			}
		}
		require.Equal(t, 1, strings.Count(string(text), before.String()), "%s: these lines are not once in %s:\n%s", b, b.file(), before.String())
		text = []byte(strings.Replace(string(text), before.String(), after.String(), 1))
	}
	require.NoError(t, os.WriteFile(file, text, 0o600))
}

// prints says whether printed is what the page shows, where … stands for anything.
func prints(shown, printed string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(shown)), "…", ".*")
	return regexp.MustCompile(`(?s)^\s*` + pattern + `\s*$`).MatchString(strings.ReplaceAll(printed, "\r", ""))
}

// mistake is a row of the table "What goes wrong".
type mistake struct{ name, command, says string }

func mistakes(page string) []mistake {
	var all []mistake
	_, table, _ := strings.Cut(page, "\n## What goes wrong\n")
	for _, row := range regexp.MustCompile("(?m)^\\| (.+?) \\| `(.+?)` \\| `(.+?)` \\|$").FindAllStringSubmatch(table, -1) {
		all = append(all, mistake{row[1], row[2], row[3]})
	}
	return all
}
