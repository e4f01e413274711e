package doctor

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// platform is what a program was built for, "linux/amd64" for instance, told by its first
// bytes; "" if they do not tell. The architecture is left out where it takes more reading.
func platform(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }() // only read
	head := make([]byte, 20)
	if _, err := io.ReadFull(f, head); err != nil {
		return ""
	}
	switch {
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		machine := binary.LittleEndian.Uint16(head[18:])
		if name, ok := elfMachines[machine]; ok {
			return "linux/" + name
		}
		return "linux"
	case bytes.HasPrefix(head, []byte("MZ")):
		return "windows"
	case bytes.HasPrefix(head, []byte{0xcf, 0xfa, 0xed, 0xfe}), bytes.HasPrefix(head, []byte{0xca, 0xfe, 0xba, 0xbe}):
		return "darwin"
	}
	return ""
}

var elfMachines = map[uint16]string{62: "amd64", 183: "arm64"}

// runsHere says whether a program for p runs on this machine, as far as p tells.
func runsHere(p string) bool {
	return p == "" || p == runtime.GOOS || p == runtime.GOOS+"/"+runtime.GOARCH
}

// checkHandler is about the program itself. azure says that it is meant for a plan there.
func checkHandler(root, path string, azure bool) Finding {
	const subject = "handler"
	p := platform(path)
	if rel, err := filepath.Rel(root, path); err == nil && filepath.IsLocal(rel) {
		path = rel
	}
	switch {
	case p == "":
		return ok(subject, "%s", path)
	case azure && p != "linux/amd64" && p != "linux/arm64":
		return finding(Warning, subject, "built for "+p+", and Azure runs linux", "build the package with relaybox assemble --os linux --arch amd64")
	case !azure && !runsHere(p):
		return finding(Warning, subject, "built for "+p+": it does not run on this machine", "run relaybox assemble for a local run")
	}
	return ok(subject, "%s, %s", path, p)
}
