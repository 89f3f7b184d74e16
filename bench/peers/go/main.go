// Go's httputil.ReverseProxy with a token of golang.org/x/oauth2/clientcredentials: what one would write in Go.
//
//	go-proxy -listen 127.0.0.1:8080 -upstream https://127.0.0.1:8443 -token-url http://127.0.0.1:9000/token [-ca FILE]
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "")
	upstream := flag.String("upstream", "", "")
	tokenURL := flag.String("token-url", "", "")
	ca := flag.String("ca", "", "")
	flag.Parse()

	target, err := url.Parse(*upstream)
	if err != nil {
		log.Fatal(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns = 64
	transport.MaxIdleConnsPerHost = 64
	transport.ForceAttemptHTTP2 = false
	if *ca != "" {
		pem, err := os.ReadFile(*ca)
		if err != nil {
			log.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	credentials := &clientcredentials.Config{ClientID: "bench", ClientSecret: "not-a-secret", TokenURL: *tokenURL}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(request *httputil.ProxyRequest) { request.SetURL(target) },
		Transport: &oauth2.Transport{Source: credentials.TokenSource(context.Background()), Base: transport},
	}
	server := &http.Server{Addr: *listen, Handler: proxy, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}
