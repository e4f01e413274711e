package jetstream

import (
	"errors"
	"fmt"
	"net/url"
	"os"
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

// options are the client's options that follow from the connection.
func (c Connection) options() ([]nats.Option, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	for _, file := range []string{c.Credentials, c.Seed, c.CA, c.Certificate, c.Key} {
		if err := readable(file); err != nil {
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
			return nil, fmt.Errorf("there is no seed of a user in %s", c.Seed)
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

func readable(file string) error {
	if file == "" {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	return f.Close()
}
