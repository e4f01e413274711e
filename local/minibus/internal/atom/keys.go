package atom

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/relaybox/relaybox/local/minibus/internal/sas"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// What keys an entity may have, as with the service.
const (
	maxKeys    = 12
	maxKeyText = 256 // characters of a name or a key
)

type authorizationRules struct {
	Rules []authorizationRule `xml:"AuthorizationRule"`
}

type authorizationRule struct {
	Type         string      `xml:"i:type,attr"`
	ClaimType    string      // as the service has it; and it says nothing
	ClaimValue   string      // so does this
	Rights       []sas.Claim `xml:"Rights>AccessRights"`
	CreatedTime  string
	ModifiedTime string
	KeyName      string
	PrimaryKey   string
	SecondaryKey string
}

func describeKeys(e Entity) (list authorizationRules) {
	for _, k := range e.Keys {
		list.Rules = append(list.Rules, authorizationRule{
			Type: "SharedAccessAuthorizationRule", ClaimType: "SharedAccessKey", ClaimValue: "None", Rights: k.Claims,
			CreatedTime: atomTime(e.Created), ModifiedTime: atomTime(e.Updated), KeyName: k.Name, PrimaryKey: k.Primary, SecondaryKey: k.Secondary,
		})
	}
	return list
}

// readKeys reads the keys of an entity: they go over those that it has.
func readKeys(p *Proposal, e Element) error {
	if len(e.Children) > 0 && p.Kind == topology.SubscriptionKind {
		return fmt.Errorf("a subscription has no keys of its own: give them to its topic")
	}
	if len(e.Children) > maxKeys {
		return fmt.Errorf("there are %d; %d are allowed", len(e.Children), maxKeys)
	}
	p.Keys = nil
	for _, child := range e.Children {
		k, err := readKey(child)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(p.Keys, func(other sas.Rule) bool { return other.Name == k.Name }) {
			return fmt.Errorf("there are two keys '%s'", k.Name)
		}
		p.Keys = append(p.Keys, k)
	}
	return nil
}

func readKey(e Element) (sas.Rule, error) {
	if kind := e.kind(); kind != "" && kind != "SharedAccessAuthorizationRule" {
		return sas.Rule{}, fmt.Errorf("'%s' is not supported: use SharedAccessAuthorizationRule", kind)
	}
	k := sas.Rule{Name: e.child("KeyName").text(), Primary: e.child("PrimaryKey").text(), Secondary: e.child("SecondaryKey").text()}
	for _, key := range []*string{&k.Primary, &k.Secondary} {
		if *key == "" {
			*key = newKey()
		}
	}
	if k.Name == "" || max(len(k.Name), len(k.Primary), len(k.Secondary)) > maxKeyText {
		return k, fmt.Errorf("a KeyName must stand, and it and the keys have at most %d characters", maxKeyText)
	}
	for _, right := range e.child("Rights").Children {
		switch c := sas.Claim(right.text()); {
		case c != sas.Send && c != sas.Listen && c != sas.Manage:
			return k, fmt.Errorf("'%s' of '%s' must be Send, Listen or Manage", c, k.Name)
		case !slices.Contains(k.Claims, c):
			k.Claims = append(k.Claims, c)
		}
	}
	switch {
	case len(k.Claims) == 0:
		return k, fmt.Errorf("'%s' has no Rights", k.Name)
	case slices.Contains(k.Claims, sas.Manage) && len(k.Claims) < 3:
		return k, fmt.Errorf("'%s' has Manage, which takes Send and Listen with it: name them too", k.Name)
	}
	return k, nil
}

// newKey is what the service makes where a client gives no key.
func newKey() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // it never fails
	return base64.StdEncoding.EncodeToString(b)
}
