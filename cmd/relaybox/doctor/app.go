package doctor

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/relaybox/relaybox/local/minihost"
)

// builtApp is where relaybox assemble puts the app.
var builtApp = filepath.Join("dist", "app")

// checkApp inspects the app folder.
func checkApp(folder, home string, s Settings, n HostNeeds) Group {
	g := Group{Name: "App folder"}
	if folder == "" {
		folder = filepath.Join(home, builtApp)
		if _, err := os.Stat(folder); err != nil {
			g.Findings = []Finding{finding(Unknown, "app folder", "there is no "+folder, "run relaybox assemble, or name the folder with --app")}
			return g
		}
	}
	g.Name += " " + folder
	i, err := minihost.Inspect(folder, s.Values)
	if err != nil {
		found, remedy := splitFault(err.Error())
		g.Findings = []Finding{finding(Refused, "app folder", found, remedy)}
		return g
	}
	g.Findings = CheckFaults(i.Faults)
	if i.Host != nil {
		if i.Host.Executable != "" {
			g.Findings = append(g.Findings, checkHandler(i.Root, i.Host.Executable, s.Azure))
		}
		n.Sessions = slices.ContainsFunc(i.Functions, func(f Function) bool { return f.Sessions })
		n.Messages = !n.Stream && slices.ContainsFunc(i.Functions, func(f Function) bool { return f.Trigger == minihost.ServiceBusTrigger && !f.Sessions })
		g.Findings = append(g.Findings, CheckHost(*i.Host, n)...)
	}
	if n.Stream {
		g.Findings = append(g.Findings, CheckStreamFunctions(i.Functions, s.Azure)...)
	} else {
		g.Findings = append(g.Findings, CheckFunctions(i.Functions, s.Azure)...)
	}
	g.Findings = append(g.Findings, CheckUnseen(i.Unseen)...)
	return g
}

// takesSessions says whether the app's function takes the sessions of a subscription; the app as it
// comes does not.
func takesSessions(folder, home string, s Settings, subscription string) bool {
	if folder == "" {
		folder = filepath.Join(home, builtApp)
	}
	i, err := minihost.Inspect(folder, s.Values)
	return err == nil && slices.ContainsFunc(i.Functions, func(f Function) bool { return f.Sessions && f.Subscription == subscription })
}
