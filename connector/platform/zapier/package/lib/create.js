'use strict';

const crypto = require('crypto');
const { url, raise } = require('./connector');

// A step that is run again with the same input, because it timed out or was replayed, must not be
// paid twice. Zapier names no run, so the call is named by what it asks, and by its callback URL,
// which is one for each run.
const idempotencyKey = (operation, bundle, callbackUrl) => {
  const { api_key: apiKey, account_id: accountId } = bundle.authData;
  const minute = callbackUrl ? '' : Math.floor(Date.now() / 600000); // ten minutes
  return crypto
    .createHash('sha256')
    .update(JSON.stringify([operation.path, apiKey, accountId, bundle.inputData, callbackUrl, minute]))
    .digest('hex');
};

const call = (z, bundle, operation, callbackUrl) =>
  z.request({
    method: 'POST',
    url: url(operation.path),
    headers: {
      'Idempotency-Key': idempotencyKey(operation, bundle, callbackUrl),
      ...(callbackUrl ? { 'X-Callback-Url': callbackUrl } : {}),
    },
    body: bundle.inputData,
  });

// Makes an action of the connector's a create. A slow one answers later, to a callback of Zapier's:
// a step may take 30 seconds, a chat longer. In the editor it answers at once, because a callback
// is not waited for there.
const create = (operation) => {
  const perform = async (z, bundle) => {
    const later = operation.slow && !bundle.meta.isLoadingSample;
    return (await call(z, bundle, operation, later ? z.generateCallbackUrl() : undefined)).data;
  };
  const performResume = (z, bundle) => {
    const answer = bundle.cleanedRequest;
    if (answer.status === 'success') return answer.result;
    return raise(z, answer.error || { message: 'Soke gave no answer. Run this step again.' });
  };
  return {
    key: operation.key,
    noun: operation.noun,
    display: { label: operation.label, description: operation.description },
    operation: {
      perform,
      ...(operation.slow ? { performResume } : {}),
      inputFields: operation.inputFields,
      outputFields: operation.outputFields,
      sample: operation.sample,
    },
  };
};

module.exports = { create };
