package jetstream

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/nats-io/nats.go"
)

// Connection says where the servers are and who we are. Whoever we are stands in files, never in
// a setting: so no log, no error and no list of settings can repeat it.
type Connection struct {
	// URLs are of the servers, with commas between them: tls://HOST:4222, or nats://HOST:4222, which
	// becomes TLS where the server asks for it.
	URLs string
	// Credentials is a file with a user's JWT and its seed (.creds), as `nsc generate creds` writes it.
	Credentials string
	// Seed is a file with the seed of an nkey, for servers that know users by their public key.
	Seed string
	// CA is a file with the certificates that servers are trusted by, in place of the system's.
	CA string
	// Certificate and Key are files of the client's own certificate, for servers that ask for one.
	Certificate, Key string
}

// Validate names the first fault of the connection. It reads no file.
func (c Connection) Validate() error {
	if strings.TrimSpace(c.URLs) == "" {
		return errors.New("no server is named: write a URL like tls://HOST:4222, with commas between several")
	}
	for part := range strings.SplitSeq(c.URLs, ",") {
		if err := checkURL(strings.TrimSpace(part)); err != nil {
			return err
		}
	}
	for _, f := range c.files() {
		if isText(f.name) {
			return fmt.Errorf("the text of %s stands where the path of its file must, or the path has a line end", f.text)
		}
	}
	switch {
	case c.Credentials != "" && c.Seed != "":
		return errors.New("both a credentials file and a seed file are set: keep the one that the server knows the user by")
	case (c.Certificate == "") != (c.Key == ""):
		return errors.New("a client certificate needs its key, and the key its certificate")
	}
	return nil
}

// checkURL never repeats the URL: a password may be in it.
func checkURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "" || (u.Scheme != "nats" && u.Scheme != "tls"):
		return errors.New("a server is not a URL like tls://HOST:4222 or nats://HOST:4222")
	case u.User != nil:
		return errors.New("a server's URL has a user in it: whoever we are stands in a file")
	}
	return nil
}

// file is one that the connection names. What it holds stands in errors, its name never: somebody may
// have written the text itself in its place.
type file struct{ text, name string }

func (c Connection) files() []file {
	return []file{{"credentials", c.Credentials}, {"a seed", c.Seed}, {"a trusted certificate", c.CA}, {"a certificate", c.Certificate}, {"a certificate's key", c.Key}}
}

// seedText is a seed of an nkey, of whatever role.
var seedText = regexp.MustCompile(`S[A-Z2-7]{57}`)

// isText says whether a name is the text of a file: credentials and certificates have several lines.
func isText(name string) bool { return strings.ContainsAny(name, "\r\n") || seedText.MatchString(name) }

// options are the client's options that follow from the connection.
func (c Connection) options() ([]nats.Option, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	for _, f := range c.files() {
		if err := f.readable(); err != nil {
			return nil, err
		}
	}
	var opts []nats.Option
	if c.Credentials != "" {
		opts = append(opts, nats.UserCredentials(c.Credentials)) // read anew for each connect
	}
	if c.Seed != "" {
		seed, err := nats.NkeyOptionFromSeed(c.Seed)
		if err != nil {
			return nil, errors.New("there is no seed of a user in the file of a seed")
		}
		opts = append(opts, seed)
	}
	if c.CA != "" {
		opts = append(opts, nats.RootCAs(c.CA))
	}
	if c.Certificate != "" {
		opts = append(opts, nats.ClientCert(c.Certificate, c.Key))
	}
	return opts, nil
}

// readable opens the file. Of an error of package os it keeps the cause, without the name.
func (f file) readable() error {
	if f.name == "" {
		return nil
	}
	opened, err := os.Open(f.name)
	if err != nil {
		return fmt.Errorf("the file of %s cannot be read (%w)", f.text, errors.Unwrap(err))
	}
	return opened.Close()
}
