// Receives webhooks, verifies them by Standard Webhooks 1.0 and prints each event once. Go 1.21 or later, no packages:
//
//	SECRET=whsec_… PORT=3000 go run receiver.go
package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Older or newer than this is refused, so that a recorded request cannot be sent again later.
const tolerance = 300 * time.Second
const maxBodyBytes = 1024 * 1024

func isGenuine(key []byte, header http.Header, body []byte) bool {
	id, timestamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseUint(timestamp, 10, 40)
	if id == "" || err != nil || time.Since(time.Unix(int64(seconds), 0)).Abs() > tolerance {
		return false
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.", id, timestamp)
	mac.Write(body)
	expected := mac.Sum(nil)
	// While a secret is rotated there is a signature for each.
	for _, part := range strings.Split(header.Get("webhook-signature"), " ") {
		version, text, _ := strings.Cut(part, ",")
		signature, err := base64.StdEncoding.DecodeString(text)
		if version == "v1" && err == nil && hmac.Equal(signature, expected) {
			return true
		}
	}
	return false
}

// Delivery is at least once. What must survive a restart belongs into the transaction that stores the event's effect, as a unique
// key; memory is enough where an effect may be repeated then.
const mostRemembered = 100_000

var (
	oneAtATime sync.Mutex
	seen       = map[string]bool{}
	order      []string
)

type lifecycleEvent struct {
	ID       string          `json:"id"`
	Type     string          `json:"type"`
	Sequence int64           `json:"sequence"`
	Data     json.RawMessage `json:"data"`
}

// Several of an endpoint that takes batches: each by its own id, which is the webhook-id of one that comes alone.
func eventsIn(body []byte) ([]lifecycleEvent, error) {
	var said struct {
		lifecycleEvent
		Events []lifecycleEvent `json:"events"`
	}
	if err := json.Unmarshal(body, &said); err != nil || said.Events != nil {
		return said.Events, err
	}
	return []lifecycleEvent{said.lifecycleEvent}, nil
}

func handleOnce(event lifecycleEvent) error {
	oneAtATime.Lock()
	defer oneAtATime.Unlock()
	if seen[event.ID] {
		return nil
	}
	if err := handle(event); err != nil {
		return err
	}
	// Only now: what failed is asked for again with a 500, and must not be taken for a repetition then.
	seen[event.ID] = true
	if order = append(order, event.ID); len(order) > mostRemembered {
		delete(seen, order[0])
		order = order[1:]
	}
	return nil
}

func handleAll(body []byte) error {
	events, err := eventsIn(body)
	for _, event := range events {
		err = errors.Join(err, handleOnce(event))
	}
	return err
}

// What you do with an event. Store it here and work on it later: an answer that takes over 15 s counts as failed.
func handle(event lifecycleEvent) error {
	_, err := fmt.Printf("%s %d %s\n", event.Type, event.Sequence, event.Data)
	return err
}

func receive(key []byte) http.HandlerFunc {
	return func(response http.ResponseWriter, request *http.Request) {
		// The bytes as they came: a JSON parser before the check would change them.
		body, err := io.ReadAll(http.MaxBytesReader(response, request.Body, maxBodyBytes))
		var tooMuch *http.MaxBytesError
		switch {
		case errors.As(err, &tooMuch):
			response.WriteHeader(http.StatusRequestEntityTooLarge)
		case err != nil:
			response.WriteHeader(http.StatusBadRequest)
		case request.Method != http.MethodPost || !isGenuine(key, request.Header, body):
			response.WriteHeader(http.StatusUnauthorized)
		default:
			if err := handleAll(body); err != nil {
				log.Print(err)
				response.WriteHeader(http.StatusInternalServerError)
				return
			}
			response.WriteHeader(http.StatusNoContent)
		}
	}
}

func main() {
	encoded, found := strings.CutPrefix(os.Getenv("SECRET"), "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !found || err != nil {
		log.Fatal("SECRET must be the endpoint's, whsec_…")
	}
	port := os.Getenv("PORT")
	if port == "" {
		port = "3000"
	}
	listener, err := net.Listen("tcp", ":"+port)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: receive(key), ReadTimeout: time.Minute}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	context.AfterFunc(stop, func() { _ = server.Shutdown(context.Background()) })
	fmt.Printf("ready on port %d\n", listener.Addr().(*net.TCPAddr).Port)
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}
