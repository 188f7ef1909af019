'use strict';

const { call, inEditor, credential, raise } = require('./connector');
const { hash, once } = require('./idempotency');

// Makes an action of the connector's a create. A slow one answers later, to a callback of Zapier's:
// a step may take 30 seconds, a chat longer. In the editor it answers at once, because a callback
// is not waited for there.
const create = (operation) => {
  const perform = async (z, bundle) => {
    const asked = [operation.path, credential(z, bundle.authData), bundle.inputData];
    const send = (headers) =>
      call(z, { method: 'POST', path: operation.path, headers, body: bundle.inputData, repeats: !inEditor(bundle) });
    if (operation.slow && !inEditor(bundle)) {
      // Zapier gives each run a callback URL of its own, which so names the run.
      const callbackUrl = z.generateCallbackUrl();
      return (await send({ 'Idempotency-Key': hash(asked, callbackUrl), 'X-Callback-Url': callbackUrl })).data;
    }
    return (await once(z, asked, (key) => send({ 'Idempotency-Key': key }))).data;
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
