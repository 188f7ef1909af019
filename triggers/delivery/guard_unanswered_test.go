package delivery_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/triggers/delivery"
)

func TestAReceiverThatDoesNotAnswerTimesOut(t *testing.T) {
	release := make(chan struct{})
	srv, _ := receiver(t, func(http.ResponseWriter, *http.Request) { <-release })
	srv.Start()
	defer close(release)
	client := guard(t, delivery.GuardOptions{AllowLoopback: true, AllowPlainHTTP: true}).Client(50 * time.Millisecond)
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Do(r)
	if got := delivery.Unanswered(err).Failure; got != delivery.Timeout {
		t.Errorf("the outcome is %q (%v), want %q", got, err, delivery.Timeout)
	}
}

func TestAReceiverThatIsDownIsNoConnection(t *testing.T) {
	srv, _ := receiver(t, func(http.ResponseWriter, *http.Request) {})
	srv.Start()
	target := srv.URL
	srv.Close()
	_, err := post(t, guard(t, delivery.GuardOptions{AllowLoopback: true, AllowPlainHTTP: true}), target)
	if got := delivery.Unanswered(err).Failure; got != delivery.NoConnection {
		t.Errorf("the outcome is %q (%v), want %q", got, err, delivery.NoConnection)
	}
}
