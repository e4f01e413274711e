package atom

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"time"
)

// The documents of the administration interface. Elements are in the service's order: some readers want it.

// Feed is a list of entries.
type Feed struct {
	XMLName xml.Name   `xml:"http://www.w3.org/2005/Atom feed"`
	Title   atomTitle  `xml:"title"`
	ID      string     `xml:"id"`
	Updated string     `xml:"updated"`
	Links   []atomLink `xml:"link"`
	Entries []Entry    `xml:"entry"`
}

// Entry is one thing: its Content describes it.
type Entry struct {
	XMLName   xml.Name    `xml:"http://www.w3.org/2005/Atom entry"`
	ID        string      `xml:"id"`
	Title     atomTitle   `xml:"title"`
	Published string      `xml:"published"`
	Updated   string      `xml:"updated"`
	Author    string      `xml:"author>name"`
	Link      atomLink    `xml:"link"`
	Content   atomContent `xml:"content"`
}

type atomTitle struct {
	Type string `xml:"type,attr"`
	Text string `xml:",chardata"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr"`
	HRef string `xml:"href,attr"`
}

// atomContent holds a description, whose XMLName is its element's.
type atomContent struct {
	Type        string `xml:"type,attr"`
	Description any
}

const instanceSchema = "http://www.w3.org/2001/XMLSchema-instance"

// atomTime is how the service writes a time in Unix milliseconds; 0 is its zero time.
func atomTime(ms int64) string {
	if ms == 0 {
		return "0001-01-01T00:00:00Z"
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.0000000Z")
}

// Created is an entry that is new, and Done a reply without a document.
type (
	Created struct{ Entry Entry }
	Done    struct{}
)

// Write writes a feed, an entry or a refusal. An error is a bug in this package.
func Write(w http.ResponseWriter, document any) error {
	contentType, status := "application/xml; charset=utf-8", http.StatusOK
	switch d := document.(type) {
	case *Feed:
		contentType = "application/atom+xml;type=feed;charset=utf-8"
	case Entry:
		contentType = "application/atom+xml;type=entry;charset=utf-8"
	case Created:
		contentType = "application/atom+xml;type=entry;charset=utf-8"
		document, status = d.Entry, http.StatusCreated
	case Done:
		w.WriteHeader(http.StatusOK)
		return nil
	case *Refusal:
		status = d.Code
	}
	text, err := xml.Marshal(document)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return err
	}
	// Not every reader knows characters by number; inside our attributes, which have double quotes, neither occurs.
	text = bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("&#39;"), []byte("'")), []byte("&#34;"), []byte("&quot;"))
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(text) // the client is gone
	return nil
}
