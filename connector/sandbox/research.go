package sandbox

import (
	"fmt"
	"hash/fnv"
	"math"
	"regexp"
	"strings"
	"unicode/utf8"
)

type researchRequest struct {
	Topic       string `json:"topic"`
	Platform    string `json:"platform"`
	Niche       string `json:"niche"`
	Region      string `json:"region"`
	MaxResults  *int   `json:"maxResults"`
	RecencyDays *int   `json:"recencyDays"`
}

type keyword struct {
	Keyword          string   `json:"keyword"`
	CompetitionScore float64  `json:"competitionScore"`
	TrendDirection   string   `json:"trendDirection"`
	SearchVolume     int      `json:"searchVolume"`
	LongTail         []string `json:"longTail"`
}

type video struct {
	Title   string `json:"title"`
	Channel string `json:"channel"`
	Views   int    `json:"views"`
	URL     string `json:"url"`
}

// channelTopic is what the main account's channel is about; the second account has no channel.
const channelTopic = "camera gear"

var regionForm = regexp.MustCompile(`^[A-Z]{2}$`)

func (s *Server) researchKeywords(x *exchange) {
	var r researchRequest
	if !x.decode(&r) || !x.platform(r.Platform) {
		return
	}
	if r.Region == "" {
		r.Region = "US"
	}
	results, days := valueOr(r.MaxResults, 20), valueOr(r.RecencyDays, 365)
	topic := strings.TrimSpace(r.Topic)
	switch {
	case utf8.RuneCountInString(topic) > 200:
		x.refuse(badRequest("topic", "topic must be at most 200 characters."))
		return
	case utf8.RuneCountInString(r.Niche) > 100:
		x.refuse(badRequest("niche", "niche must be at most 100 characters."))
		return
	case !regionForm.MatchString(r.Region):
		x.refuse(badRequest("region", "region must be an ISO 3166-1 alpha-2 code."))
		return
	case results < 1 || results > 50:
		x.refuse(badRequest("maxResults", "maxResults must be between 1 and 50."))
		return
	case days < 1 || days > 3650:
		x.refuse(badRequest("recencyDays", "recencyDays must be between 1 and 3650."))
		return
	case topic == "" && x.account == secondAccount:
		x.refuse(refusal{400, "TOPIC_REQUIRED", "A topic is required because no channel is connected.", nil})
		return
	case topic == "":
		topic = channelTopic
	}
	if refused := s.charge(x); refused != nil {
		x.refuse(*refused)
		return
	}
	subject := fmt.Sprintf("%s\x00%s\x00%s\x00%s\x00%d", x.account, strings.ToLower(topic), r.Niche, r.Region, days)
	n := s.nextState(x, fmt.Sprintf("%s\x00%d", subject, results))
	x.answer(map[string]any{
		"topic":     topic,
		"keywords":  state(subject, topic, n)[:results],
		"topVideos": videos(subject, topic),
	})
}

func valueOr(p *int, otherwise int) int {
	if p == nil {
		return otherwise
	}
	return *p
}

// stateSize is the longest research.
const stateSize = 50

// state is the n-th research of a subject. From one state to the next, among the first four
// keywords already: one is new (third), the one that was new loses a fifth of its competition
// (fourth), the first turns its trend, and all the others stay as they were.
func state(subject, topic string, n int) []keyword {
	out := make([]keyword, 0, stateSize)
	trends := [...]string{"rising", "stable", "falling"}
	for i := range evergreen {
		seed := hash(subject, evergreen[i])
		k := keyword{
			Keyword:          fmt.Sprintf(evergreen[i], topic),
			CompetitionScore: cents(0.2 + float64(seed%60)/100),
			TrendDirection:   trends[seed/60%3],
			SearchVolume:     int(500 + seed%90_000),
			LongTail:         longTail(fmt.Sprintf(evergreen[i], topic), seed),
		}
		if i == 0 {
			k.TrendDirection = trends[(seed/60+uint64(n))%3]
		}
		out = append(out, k)
		if i == 1 {
			out = append(out, fresh(subject, topic, n+1, 0), fresh(subject, topic, n, 0.2))
		}
	}
	return out[:stateSize]
}

// fresh is the keyword that comes up in state n; it is there for two states, easier in the second.
func fresh(subject, topic string, n int, eased float64) keyword {
	adjective := adjectives[n%len(adjectives)]
	noun := nouns[n/len(adjectives)%len(nouns)]
	text := adjective + " " + topic + " " + noun
	if round := n / (len(adjectives) * len(nouns)); round > 0 {
		text = fmt.Sprintf("%s %d", text, round+1)
	}
	seed := hash(subject, text)
	return keyword{
		Keyword:          text,
		CompetitionScore: cents(0.5 + float64(seed%40)/100 - eased),
		TrendDirection:   "rising",
		SearchVolume:     int(300 + seed%9_000),
		LongTail:         longTail(text, seed),
	}
}

func longTail(text string, seed uint64) []string {
	return []string{
		text + " " + tails[seed%uint64(len(tails))],
		text + " " + tails[(seed/7+1)%uint64(len(tails))] + " step by step",
	}
}

func videos(subject, topic string) []video {
	out := make([]video, 3)
	for i := range out {
		seed := hash(subject, fmt.Sprint("video", i))
		out[i] = video{
			Title:   fmt.Sprintf(titles[seed%uint64(len(titles))], topic),
			Channel: channels[seed/11%uint64(len(channels))],
			Views:   int(10_000 + seed%4_000_000),
			URL:     fmt.Sprintf("https://www.youtube.com/watch?v=%011x", seed&(1<<44-1)),
		}
	}
	return out
}

func hash(parts ...string) uint64 {
	h := fnv.New64a()
	for _, p := range parts {
		_, _ = h.Write([]byte(p))
		_, _ = h.Write([]byte{0})
	}
	return h.Sum64()
}

// cents rounds a score to two decimals.
func cents(score float64) float64 { return math.Round(score*100) / 100 }
