package make

import (
	"cmp"
	"slices"
	"strings"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/schemas"
	"github.com/usesoke/soke-connector/triggers"
)

// connectionID is the one connection that every component uses.
const connectionID = "sokeKey"

// Export returns Make's custom app in the layout of the Make Apps Editor for local development
// (github.com/integromat/vscode-apps-sdk). What an operation asks and answers is written from the catalogue; how a
// module of each kind calls the connector is in package/, once a kind. Its errors name operations
// whose keys do not fit Make or meet in one name.
func (Dialect) Export(e platform.Export) (platform.Files, error) {
	a := newApp(e)
	a.connection()
	watching := group{Label: "Triggers"}
	for _, t := range e.Catalogue.Triggers {
		watching.Modules = append(watching.Modules, a.watch(t), a.poll(t))
	}
	doing := []group{}
	for _, act := range e.Catalogue.Actions {
		modules := []string{a.action(act)}
		if list, ok := platform.Listed(act); ok {
			// People want those one by one, which in Make is a search.
			modules = append(modules, a.search(act, list))
		}
		doing = into(doing, act.Noun, modules)
	}
	groups := append(append([]group{watching}, doing...), group{Label: "Other", Modules: []string{a.universal()}})
	return a.finish(slices.DeleteFunc(groups, func(g group) bool { return len(g.Modules) == 0 }))
}

// into puts modules into the group of the thing that they are about.
func into(groups []group, noun string, modules []string) []group {
	label := platform.SentenceCase(platform.Plural(cmp.Or(noun, "Action")))
	for i := range groups {
		if groups[i].Label == label {
			groups[i].Modules = append(groups[i].Modules, modules...)
			return groups
		}
	}
	return append(groups, group{Label: label, Modules: modules})
}

// connection is the key, its test and the name that people see.
func (a *app) connection() {
	const name = "soke-key"
	a.add("connection", name, component{Label: "Soke (API key)", ConnectionType: "basic"}, codes{
		"communication": a.source("connections/soke-key/soke-key.communication.iml.json"),
		"params":        a.source("connections/soke-key/soke-key.params.iml.json"),
	})
}

// watch is an instant trigger with the webhook that feeds it. Its fields are the webhook's: Make
// registers one at the connector when it is made.
func (a *app) watch(t triggers.Trigger) string {
	form := inputs(t.Input.Fields)
	values := values{key: t.Key, fields: mapped(form)}
	subscribe := a.source("webhooks/event/event.attach.iml.json", values)
	hook := a.add("webhook", t.Key, component{Label: platform.SentenceCase(t.Title), Connection: connectionID, WebhookType: "web"}, codes{
		"communication": a.source("webhooks/event/event.communication.iml.json"),
		"params":        a.data(form),
		"attach":        subscribe,
		// The connector takes the same target again as new settings of the same subscription.
		"update": subscribe,
		"detach": a.source("webhooks/event/event.detach.iml.json", values),
	})
	return a.add("module", "watch-"+t.Key, component{
		Label: "Watch " + watched(t.Title), Description: t.Description, ModuleType: "instant_trigger", Webhook: hook, credits: t.Credits,
	}, codes{
		"communication": a.source("modules/watch/watch.communication.iml.json"),
		"interface":     a.interfaceOf(t.Output.Fields, t.Sample),
		"samples":       a.sample(t.Output.Fields, first(t.Sample)),
	})
}

// poll is a trigger for scenarios that run on a schedule of their own.
func (a *app) poll(t triggers.Trigger) string {
	form := inputs(t.Input.Fields)
	values := values{key: t.Key, fields: mapped(form)}
	return a.add("module", "poll-"+t.Key, component{
		Label:       "Watch " + watched(t.Title) + " (polling)",
		Description: t.Description + " Looks for new ones whenever the scenario runs.",
		Connection:  connectionID, ModuleType: "trigger", credits: t.Credits,
	}, codes{
		"communication": a.source("modules/poll/poll.communication.iml.json", values),
		"epoch":         a.source("modules/poll/poll.epoch.iml.json"),
		"staticParams":  a.data(inOrder(append(form, pollLimit()))),
		"interface":     a.interfaceOf(t.Output.Fields, t.Sample),
		"samples":       a.sample(t.Output.Fields, first(t.Sample)),
	})
}

// action runs an operation and puts out its whole answer as one bundle.
func (a *app) action(act actions.Action) string {
	form := inputs(act.Input.Fields)
	return a.add("module", act.Key, component{
		Label: platform.SentenceCase(act.Title), Description: act.Description, Connection: connectionID, ModuleType: "action", credits: act.Credits,
	}, codes{
		"communication":  a.source("modules/action/action.communication.iml.json", values{key: act.Key, fields: mapped(form)}),
		"mappableParams": a.data(append(form, idempotencyKey())),
		"interface":      a.interfaceOf(act.Output.Fields, []any{act.Sample}),
		"samples":        a.sample(act.Output.Fields, act.Sample),
	})
}

// search runs the same operation and puts out a bundle for each thing that it found. How many to
// find is Make's limit there.
func (a *app) search(act actions.Action, list schemas.Field) string {
	var form []parameter
	limit := searchLimit()
	var send []mapping
	for _, p := range inputs(act.Input.Fields) {
		if p.Name == countField {
			limit = limit.upTo(p.Validate)
			send = append(send, mapping{p.Name, limit.expression})
			continue
		}
		form = append(form, p)
		send = append(send, mapping{p.Name, "{{parameters." + p.Name + "}}"})
	}
	things := strings.ToLower(platform.Plural(act.Noun))
	found := items(under([]any{a.plain(act.Sample)}, list.Name))
	return a.add("module", "search-"+strings.ReplaceAll(things, " ", "-"), component{
		Label:       "Search " + things,
		Description: act.Description + " Returns them one by one.",
		Connection:  connectionID, ModuleType: "search", credits: act.Credits,
	}, codes{
		"communication":  a.source("modules/search/search.communication.iml.json", values{key: act.Key, list: list.Name, fields: send}),
		"mappableParams": a.data(append(form, idempotencyKey(), limit.parameter)),
		"interface":      a.interfaceOf(list.Fields, found),
		"samples":        a.sample(list.Fields, first(found)),
	})
}

// universal is the module that Make's review asks for: any call to Soke, with this connection.
func (a *app) universal() string {
	const name, at = "make-an-api-call", "modules/make-an-api-call/make-an-api-call."
	return a.add("module", name, component{
		Label: "Make an API call", Description: "Performs an arbitrary authorized API call.", Connection: connectionID, ModuleType: "universal",
	}, codes{
		"communication":  a.source(at + "communication.iml.json"),
		"mappableParams": a.source(at + "mappable-params.iml.json"),
		"interface":      a.source(at + "interface.iml.json"),
		"samples":        a.source(at + "samples.iml.json"),
	})
}
