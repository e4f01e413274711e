package stack

import (
	"crypto/tls"
	"os"
	"path/filepath"

	"github.com/relaybox/relaybox/local/private"
	"github.com/relaybox/relaybox/local/selfsigned"
)

// writeBusCertificate lets clients trust the bus, which speaks TLS to those who want it: bus.pem in the data folder.
func (s *Stack) writeBusCertificate() error {
	if s.cfg.Data == "" {
		return nil
	}
	text, err := s.Bus.CertificatePEM()
	if err != nil {
		return err
	}
	s.BusCertificate = filepath.Join(s.cfg.Data, "bus.pem")
	return os.WriteFile(s.BusCertificate, text, private.File)
}

// certificate makes a certificate for this machine's loopback names and lets the handler
// trust it: SSL_CERT_FILE, which Go programs honour on Linux. The certificate stands in
// the data folder as cosmos.pem for other clients.
func (s *Stack) certificate() (*tls.Config, error) {
	made, err := selfsigned.Certificate("relaybox minicosmos")
	if err != nil {
		return nil, err
	}
	dir := s.cfg.Data
	if dir == "" {
		if dir, err = os.MkdirTemp("", "relaybox-tls-"); err != nil {
			return nil, err
		}
		s.closer = append(s.closer, func() error { return os.RemoveAll(dir) })
	}
	file := filepath.Join(dir, "cosmos.pem")
	if err := os.WriteFile(file, selfsigned.PEM(made), private.File); err != nil {
		return nil, err
	}
	if s.Settings["SSL_CERT_FILE"], err = filepath.Abs(file); err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{made}, MinVersion: tls.VersionTLS12}, nil
}
