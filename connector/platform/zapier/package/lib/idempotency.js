'use strict';

const crypto = require('crypto');

// Zapier runs a step again when it timed out or was replayed, and names no run. So a call is known
// by what it asks, and the key that it is paid under is kept in Zapier's cache from the first try on.
//
// Until there is an answer every try renews the key: Zapier's own come 5 minutes, 30 minutes and an
// hour after each other, and any of them gets what an earlier one has paid for. Once there is one the
// key is kept for ten minutes more. A run with the same input in that time, be it a test in the editor
// or an event that arrived twice, gets the same answer and costs nothing; whoever wants a new answer
// asks something else or waits that long.
const UNANSWERED_SECONDS = 2 * 60 * 60;
const ANSWERED_SECONDS = 10 * 60;

const hash = (...parts) => crypto.createHash('sha256').update(JSON.stringify(parts)).digest('hex');

// The key under which something was asked lately, else a new one. Of two runs that begin at once the
// first to write decides.
const recall = async (cache, name) => {
  const kept = await cache.get(name);
  if (kept) {
    if (!kept.answered) await cache.set(name, kept, UNANSWERED_SECONDS);
    return kept;
  }
  const fresh = { key: crypto.randomUUID(), answered: false };
  await cache.set(name, fresh, UNANSWERED_SECONDS, null, true);
  return (await cache.get(name)) || fresh;
};

// Without the cache, repeats are told by the clock: most fall into the same ten minutes.
const byClock = (name) => ({ key: hash(name, Math.floor(Date.now() / 600000)), answered: true });

// Sends what is asked under the key that it has or gets.
const once = async (z, asked, send) => {
  const name = hash(asked);
  const kept = await recall(z.cache, name).catch(() => byClock(name));
  const answer = await send(kept.key);
  // An answer that was paid for is not withheld because the cache has failed.
  if (!kept.answered) await z.cache.set(name, { ...kept, answered: true }, ANSWERED_SECONDS).catch(() => false);
  return answer;
};

module.exports = { hash, once };
