package sandbox

// What researches are made of. evergreen has as many entries as a research of the largest size
// needs beside the two fresh ones.
var evergreen = []string{
	"%s for beginners", "best %s", "%s tutorial", "%s tips", "how to start %s", "%s mistakes to avoid",
	"%s on a budget", "%s setup", "%s review", "cheap vs expensive %s", "%s explained", "%s at home",
	"%s ideas", "%s for small spaces", "%s routine", "%s challenge", "top 10 %s", "%s hacks",
	"%s before and after", "%s full guide", "%s in 10 minutes", "%s gear", "%s accessories", "%s comparison",
	"is %s worth it", "why %s fails", "%s myths", "%s for experts", "%s step by step", "%s checklist",
	"%s unboxing", "%s maintenance", "%s troubleshooting", "%s alternatives", "%s trends", "%s history",
	"%s workflow", "%s inspiration", "%s for families", "%s on the go", "%s with friends", "silent %s",
	"%s live", "%s q and a", "%s behind the scenes", "%s fails compilation", "%s one year later", "%s for students",
}

var (
	adjectives = []string{
		"quiet", "minimal", "viral", "portable", "honest", "weekend", "vintage", "smart", "slow", "colourful",
		"practical", "underrated", "seasonal", "compact", "surprising", "handmade", "modern", "relaxing", "fast", "secret",
	}
	nouns = []string{
		"setup", "routine", "upgrade", "experiment", "guide", "starter kit", "makeover", "story", "comparison", "masterclass",
		"shortcut", "project", "collection", "session", "blueprint", "test", "ranking", "walkthrough", "journey", "recipe",
		"playlist", "diary", "transformation", "lesson", "secrets", "workshop", "breakdown", "checklist", "reaction", "recap",
	}
	tails    = []string{"for beginners", "on a budget", "at home", "in 2026", "without experience", "that works", "for busy people"}
	titles   = []string{"I tried %s for 30 days", "%s: what nobody tells you", "The only %s guide you need", "%s in five minutes"}
	channels = []string{"Daily Maker", "North Studio", "The Curious Creator", "Plain & Simple", "Second Take"}
)
