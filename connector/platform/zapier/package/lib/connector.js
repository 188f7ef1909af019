'use strict';

const { baseUrl } = require('../connector.json');

// Zapier ends a step after 30 seconds, whatever it is doing. The connector is asked to answer
// before that, be it that it needs longer (RFC 7240), and one that does not is not waited for.
const WAIT_SECONDS = 25;
const GIVE_UP_MILLISECONDS = 27000;

// Where the connector is. The environment goes first, so that an app can be tried on another one.
const root = () => (process.env.SOKE_CONNECTOR_URL || baseUrl).replace(/\/+$/, '');

const trimmed = (value, held) => String(value || '').replace(new RegExp(`^[^${held}]+|[^${held}]+$`, 'g'), '');

// The credential without what came along when it was pasted. What then is no key is refused here:
// Node's own refusal of such a header quotes it.
const credential = (z, { api_key: entered, account_id: account } = {}) => {
  const apiKey = trimmed(entered, 'A-Za-z0-9_-');
  if (entered && !/^sk_live_[A-Za-z0-9_-]{8,200}$/.test(apiKey)) {
    throw new z.errors.Error(
      'Check the API key of this connection: it is sk_live_ followed by 8 to 200 letters, digits, _ or -. Copy it again from Soke under Settings > API Keys (https://app.usesoke.ai/settings/api-keys).',
      'UNAUTHORIZED',
      401,
    );
  }
  const accountId = trimmed(account, 'A-Za-z0-9_.:-');
  if (!/^[A-Za-z0-9_.:-]{0,128}$/.test(accountId)) {
    throw new z.errors.Error(
      'Check the Account ID of this connection: it is 1 to 128 letters, digits, _ . : or -. Leave it empty for your default account.',
      'INVALID_INPUT',
      400,
    );
  }
  return { apiKey, accountId };
};

// The credential goes to the connector and to nobody else.
const sendCredential = (request, z, bundle) => {
  if (!String(request.url).startsWith(`${root()}/`) || request.headers['X-Unsubscribe-Token']) return request;
  const { apiKey, accountId } = credential(z, bundle.authData);
  if (apiKey) request.headers['X-Soke-Key'] = apiKey;
  if (accountId) request.headers['X-Soke-Account-Id'] = accountId;
  return request;
};

// Says for people what the network did. Its own words name addresses, and headers that it refuses.
const raiseUnanswered = (z, error, repeats) => {
  if (error.name !== 'FetchError' && !(error instanceof TypeError)) throw error;
  if (!['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'].includes(error.code)) {
    throw new z.errors.Error(
      'Try again in a few minutes, without changing the step: the Soke connector gave no answer. What was paid for already is then not paid for again.',
      'UPSTREAM_UNAVAILABLE',
    );
  }
  const message =
    'Try again in a minute: the Soke connector could not be reached. Nothing was done and no credit was spent. If it goes on, ask whoever runs the connector.';
  if (repeats) throw new z.errors.ThrottledError(message, 60);
  throw new z.errors.Error(message, 'UPSTREAM_UNAVAILABLE');
};

// Tells a run that somebody waits for in the editor from one of a live Zap.
const inEditor = (bundle) => Boolean(bundle.meta && bundle.meta.isLoadingSample);

// Calls the connector. A step that Zapier can run again by itself says so with repeats: if the
// connector was surely not reached, it is run again in a minute and no failure is counted.
const call = async (z, { path, repeats, ...request }) => {
  const headers = { ...request.headers };
  // What is answered to a callback has time.
  if (!headers['X-Callback-Url']) headers.Prefer = `wait=${WAIT_SECONDS}`;
  try {
    return await z.request({ ...request, url: `${root()}/v1/zapier${path}`, headers, timeout: GIVE_UP_MILLISECONDS });
  } catch (error) {
    return raiseUnanswered(z, error, repeats);
  }
};

// Raises an error of the connector's as the class that it names. Which failure is which class is
// decided there, in one place for all platforms.
const raise = (z, error, status) => {
  switch (error.type) {
    case 'ExpiredAuthError':
      throw new z.errors.ExpiredAuthError(error.message);
    case 'ThrottledError':
      throw new z.errors.ThrottledError(error.message, error.retryAfter || 60);
    default:
      throw new z.errors.Error(error.message, error.code, status);
  }
};

const raiseNativeError = (response, z) => {
  if (response.status < 400 || response.skipThrowForStatus) return response;
  const error = response.data && response.data.error;
  if (error && error.message) raise(z, error, response.status);
  throw new z.errors.Error(
    'The Soke connector could not be reached. Try again in a few minutes.',
    'UPSTREAM_UNAVAILABLE',
    response.status,
  );
};

module.exports = { call, inEditor, credential, sendCredential, raise, raiseNativeError };
