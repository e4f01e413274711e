package minibus_test

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// adminFeed is what a client of another language reads of a list.
type adminFeed struct {
	Links []struct {
		Rel  string `xml:"rel,attr"`
		HRef string `xml:"href,attr"`
	} `xml:"link"`
	Entries []struct {
		Title string `xml:"title"`
	} `xml:"entry"`
}

// follow reads a list as most clients do: from one page to the next for as long as the feed names one.
func follow(t *testing.T, url string) (titles []string, pages int) {
	t.Helper()
	for url != "" {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", sas(r.URL.Scheme+"://"+r.URL.Host+"/", time.Now().Add(time.Minute)))
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		var f adminFeed
		require.NoError(t, xml.NewDecoder(answer.Body).Decode(&f))
		require.NoError(t, answer.Body.Close())
		url = ""
		for _, l := range f.Links {
			if l.Rel == "next" {
				url = l.HRef
			}
		}
		for _, e := range f.Entries {
			titles = append(titles, e.Title)
		}
		pages++
	}
	return titles, pages
}

// Every list says where it goes on: clients of JavaScript, Python and Java stop at a page without a next one.
func TestListsSayWhereTheyGoOn(t *testing.T) {
	t.Parallel()
	const n = 187
	config := minibus.Config{Topics: []minibus.Topic{{Name: "topic"}}}
	rules := make([]minibus.Rule, 0, n)
	for i := range n {
		rules = append(rules, minibus.Rule{Name: fmt.Sprintf("rule-%03d", i), SQL: "1 = 1"})
		config.Queues = append(config.Queues, minibus.Queue{Name: fmt.Sprintf("queue-%03d", i)})
		config.Topics[0].Subscriptions = append(config.Topics[0].Subscriptions, minibus.Subscription{Name: fmt.Sprintf("sub-%03d", i)})
		config.Topics = append(config.Topics, minibus.Topic{Name: fmt.Sprintf("topic-%03d", i)})
	}
	config.Topics[0].Subscriptions[0].Rules = rules
	bus := minibus.RunT(t, func(o *minibus.Options) { o.Config = &config })
	for path, want := range map[string]int{
		"$Resources/queues": n, "$Resources/topics": n + 1, "topic/Subscriptions": n, "topic/Subscriptions/sub-000/Rules": n,
	} {
		for query, pages := range map[string]int{
			"?api-version=2021-05": 2, "?api-version=2021-05&$skip=0&$top=10": (want + 9) / 10, "": 2, "?$top=1000": 1, fmt.Sprintf("?$top=%d", want): 1,
		} {
			titles, got := follow(t, "http://"+bus.AdminAddr+"/"+path+query)
			require.Len(t, titles, want, path+query)
			require.Equal(t, pages, got, path+query)
			seen := map[string]bool{}
			for _, title := range titles {
				require.False(t, seen[title], title)
				seen[title] = true
			}
		}
	}
}
