package delivery_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/triggers/delivery"
)

func TestAReceiverThatAnswersWithoutEndIsReadOnlyAsFarAsItIsWorth(t *testing.T) {
	const most = 64 << 20 // more than the buffers between the two hold
	sent := make(chan int, 1)
	srv, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		piece, n := bytes.Repeat([]byte("x"), 64<<10), 0
		for n < most {
			if _, err := w.Write(piece); err != nil {
				break
			}
			n += len(piece)
		}
		sent <- n
	})
	srv.Start()
	client := guard(t, delivery.GuardOptions{AllowLoopback: true, AllowPlainHTTP: true}).Client(10 * time.Second)
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	outcome := delivery.Exchange(client, request, delivery.Policy{}, time.Now)
	if outcome.Status != http.StatusOK || outcome.Failure != "" {
		t.Errorf("got %+v", outcome)
	}
	if n := <-sent; n >= most {
		t.Errorf("all of its %d bytes were read", n)
	}
}
