'use strict';

const { baseUrl } = require('../connector.json');

// Where the connector is. The environment goes first, so that an app can be tried on another one.
const root = () => (process.env.SOKE_CONNECTOR_URL || baseUrl).replace(/\/+$/, '');

const url = (path) => `${root()}/v1/zapier${path}`;

// The credential goes to the connector and to nobody else.
const sendCredential = (request, z, bundle) => {
  if (!String(request.url).startsWith(`${root()}/`) || request.headers['X-Unsubscribe-Token']) return request;
  const { api_key: apiKey, account_id: accountId } = bundle.authData || {};
  if (apiKey) request.headers['X-Soke-Key'] = apiKey;
  if (accountId) request.headers['X-Soke-Account-Id'] = accountId;
  return request;
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

module.exports = { url, sendCredential, raise, raiseNativeError };
