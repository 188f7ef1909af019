package connector

import (
	"net/http"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/labstack/echo/v4"

	"github.com/usesoke/soke-connector/actions"
)

// catalogueAnswer is the catalogue as data, for whoever renders it elsewhere.
type catalogueAnswer struct {
	Actions  []operationAnswer `json:"actions" title:"Actions"`
	Triggers []operationAnswer `json:"triggers" title:"Triggers"`
}

type operationAnswer struct {
	Key         string             `json:"key" title:"Key"`
	Title       string             `json:"title" title:"Title"`
	Description string             `json:"description" title:"Description"`
	Credits     int                `json:"credits" title:"Credits" help:"What one successful call, or one run, costs."`
	Input       *jsonschema.Schema `json:"input" title:"Input"`
	Output      *jsonschema.Schema `json:"output" title:"Output"`
	Sample      any                `json:"sample" title:"Sample"`
}

func (s *Server) catalogue(c echo.Context, _ *call) error {
	answer := catalogueAnswer{Actions: []operationAnswer{}, Triggers: []operationAnswer{}}
	for _, a := range s.Catalogue.Actions {
		answer.Actions = append(answer.Actions, describeAction(a))
	}
	for _, t := range s.Catalogue.Triggers {
		answer.Triggers = append(answer.Triggers, operationAnswer{
			Key: t.Key, Title: t.Title, Description: t.Description, Credits: t.Credits,
			Input: t.Input.Schema, Output: t.Output.Schema, Sample: t.Sample,
		})
	}
	return c.JSON(http.StatusOK, answer)
}

func describeAction(a actions.Action) operationAnswer {
	return operationAnswer{
		Key: a.Key, Title: a.Title, Description: a.Description, Credits: a.Credits,
		Input: a.Input.Schema, Output: a.Output.Schema, Sample: a.Sample,
	}
}
