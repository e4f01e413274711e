package redis_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http/httptest"
	"testing"
)

// selfSigned is a certificate for 127.0.0.1, with who vouches for it.
func selfSigned(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return server.TLS.Clone(), roots
}
