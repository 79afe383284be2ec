package fetch

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"testing"
	"time"
)

// quiet is a log for servers whose clients go away.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// clientCertificate makes a client certificate, which is its own authority.
func clientCertificate(t *testing.T) (pemPair, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := writePEM(t, "cert.pem", &pem.Block{Type: "CERTIFICATE", Bytes: der})
	return pemPair{cert, writePEM(t, "key.pem", &pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})}, cert
}
