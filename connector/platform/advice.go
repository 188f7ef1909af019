package platform

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/usesoke/soke-connector/connector/soke"
)

// Where people go in Soke.
const (
	billingURL = "https://app.usesoke.ai/billing"
	keysURL    = "https://app.usesoke.ai/settings/api-keys"
)

func subscriptionAdvice(*soke.Error, Call) string {
	return "Renew your Soke subscription at " + billingURL + ", then replay this run. The account behind this connection has no active one; the key is fine, no need to re-enter it."
}

func keyAdvice(*soke.Error, Call) string {
	return "Enter a valid Soke API key: make one in Soke under Settings > API Keys (" + keysURL + "). This one was not accepted; it may have been rotated or revoked."
}

func forbiddenAdvice(*soke.Error, Call) string {
	return "Check the account ID and the key's permissions in Soke: the key works but may not do this."
}

func creditsAdvice(e *soke.Error, call Call) string {
	cost := "more credits than are left"
	if n, ok := number(e.Details["required"]); ok {
		cost = credits(n)
	} else if call.Credits > 0 {
		cost = credits(call.Credits)
	}
	left := ""
	if n, ok := number(e.Details["remaining"]); ok {
		left = " and " + strconv.Itoa(n) + " are left"
	} else if e.Limits.CreditsRemaining != nil {
		left = " and " + strconv.Itoa(*e.Limits.CreditsRemaining) + " are left"
	}
	return "Add credits or upgrade at " + billingURL + ", then replay this run. This call costs " + cost + left + "."
}

func rateAdvice(e *soke.Error, _ Call) string {
	limit := "The plan's limit of requests a minute is used up."
	if e.Limits.Limit != nil {
		limit = fmt.Sprintf("The plan's limit of %d requests a minute is used up.", *e.Limits.Limit)
	}
	return fmt.Sprintf("Wait %d seconds and try again, or upgrade at %s. %s", waitSeconds(e), billingURL, limit)
}

func inputAdvice(e *soke.Error, _ Call) string {
	if e.Message != "" {
		return e.Message
	}
	return "Check the inputs of this step."
}

func badRequestAdvice(*soke.Error, Call) string {
	return "Check the inputs of this step; Soke did not accept them."
}

func topicAdvice(*soke.Error, Call) string {
	return "Fill in Topic, or connect a YouTube channel in Soke: without either there is nothing to research."
}

func keywordsAdvice(*soke.Error, Call) string {
	return "Fill in the keywords, or connect a YouTube channel in Soke: without either there is nothing to work on."
}

// ownAdvice is for codes whose sentence the connector itself has written.
func ownAdvice(e *soke.Error, _ Call) string {
	if e.Message != "" {
		return e.Message
	}
	return "Change the request and try again."
}

func notFoundAdvice(e *soke.Error, _ Call) string {
	if e.Label == "Account ID" {
		return "Check the account ID of this connection, or leave it empty for the default account: Soke has no such account for this key."
	}
	if e.Message == "" {
		return "Check the ID in this step; Soke has nothing under it."
	}
	return "Check what this step asks for. " + e.Message
}

func methodAdvice(*soke.Error, Call) string {
	return "Use another HTTP method; the Allow header lists those that this address takes."
}

func platformAdvice(*soke.Error, Call) string {
	return "Set Platform to youtube: it is the only platform that Soke covers today."
}

func internalAdvice(*soke.Error, Call) string {
	return "Try again in a few minutes. Soke accepted the request and could not finish it; if that goes on, send Soke the request ID."
}

func unavailableAdvice(e *soke.Error, call Call) string {
	switch {
	case call.Free:
		return "Try again in a few minutes: Soke could not be reached, or its answer was lost or unreadable. No credit was spent."
	case e.NotSent:
		return "Try again in a minute: Soke could not be reached. Nothing was done and no credit was spent."
	}
	return "Try again in a few minutes: Soke's answer was lost or unreadable. Check your credits first, because the call may have been charged."
}

func timeoutAdvice(_ *soke.Error, call Call) string {
	if call.Free {
		return "Try again in a few minutes: Soke gave no answer in time. No credit was spent."
	}
	return "Try again in a few minutes, or ask for less: Soke gave no answer in time. Check your credits first, because the call may have been charged."
}

func connectorAdvice(e *soke.Error, _ Call) string {
	if e.Status == 503 && e.NotSent && e.Message != "" {
		return e.Message
	}
	if e.Status == 503 {
		return "Try again in a minute: the connector cannot use its storage right now. Nothing was done and no credit was spent. Its operator finds the cause in its log."
	}
	return "Try again in a few minutes. If it goes on, ask the connector's operator to look up this request in its log."
}

func unknownAdvice(e *soke.Error, _ Call) string {
	if e.Status >= http.StatusInternalServerError {
		return "Try again in a few minutes: Soke had trouble of its own."
	}
	return "Check the inputs of this step and your Soke account."
}

func credits(n int) string {
	if n == 1 {
		return "1 credit"
	}
	return strconv.Itoa(n) + " credits"
}

// number reads a whole number that Soke sent among the details.
func number(v any) (int, bool) {
	switch n := v.(type) {
	case float64:
		return int(n), n == float64(int(n))
	case int:
		return n, true
	case json.Number:
		i, err := strconv.Atoi(n.String())
		return i, err == nil
	}
	return 0, false
}
