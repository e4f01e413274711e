package redis

import "crypto/x509"

// Trust lets s trust servers that roots vouch for, or do without TLS if there are none.
func Trust(s *Store, roots *x509.CertPool) {
	if roots == nil {
		s.client.Options().TLSConfig = nil
		return
	}
	s.client.Options().TLSConfig.RootCAs = roots
}
