'use strict';

const { call, inEditor, raise } = require('./connector');

// The newest events, newest first, always the same window. The connector answers from its own
// store: a poll costs no credits.
const events = (trigger, limit) => async (z, bundle) => {
  const response = await call(z, {
    method: 'POST',
    path: `${trigger.path}/poll`,
    body: { ...bundle.inputData, limit },
    repeats: !inEditor(bundle),
  });
  return response.data;
};

// What the editor shows: real events if there are any, else the trigger's sample.
const examples = (trigger) => async (z, bundle) => {
  const found = await events(trigger, 3)(z, bundle);
  return found.length > 0 ? found : (await call(z, { path: `${trigger.path}/sample` })).data;
};

// Looks for events whenever Zapier polls.
const polling = (trigger) => ({
  key: trigger.key,
  noun: trigger.noun,
  display: { label: trigger.label, description: trigger.description },
  operation: {
    type: 'polling',
    perform: events(trigger, 100),
    inputFields: trigger.inputFields,
    outputFields: trigger.outputFields,
    sample: trigger.sample,
  },
});

const subscribe = (trigger) => async (z, bundle) => {
  const response = await call(z, {
    method: 'POST',
    path: `${trigger.path}/subscriptions`,
    body: { ...bundle.inputData, targetUrl: bundle.targetUrl },
  });
  return { id: response.data.id, unsubscribeToken: response.data.unsubscribeToken };
};

// Ends a subscription with its own token. The key may have been rotated or revoked since, and a Zap
// must be able to go off all the same.
const unsubscribe = (trigger) => async (z, bundle) => {
  const { id, unsubscribeToken } = bundle.subscribeData || {};
  if (!id) return {};
  const response = await call(z, {
    method: 'DELETE',
    path: `${trigger.path}/subscriptions/${encodeURIComponent(id)}`,
    headers: { 'X-Unsubscribe-Token': unsubscribeToken },
    skipThrowForStatus: true,
  });
  return response.data || {};
};

// A delivery holds the events of one run. One that says that the watch is paused becomes the error
// that its user needs to see. A single event is what the editor sends to try the step.
const delivered = (z, bundle) => {
  const delivery = bundle.cleanedRequest;
  if (delivery.type === 'trigger.paused') raise(z, delivery.error);
  return Array.isArray(delivery.events) ? delivery.events : [delivery];
};

// Gets events from the connector the moment they are found.
const instant = (trigger) => ({
  key: trigger.key,
  noun: trigger.noun,
  display: { label: trigger.label, description: trigger.description },
  operation: {
    type: 'hook',
    perform: delivered,
    performList: examples(trigger),
    performSubscribe: subscribe(trigger),
    performUnsubscribe: unsubscribe(trigger),
    inputFields: trigger.inputFields,
    outputFields: trigger.outputFields,
    sample: trigger.sample,
  },
});

module.exports = { polling, instant };
