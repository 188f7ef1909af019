'use strict';

const { call } = require('./lib/connector');

// Tests the key, its account and its subscription. No credit is spent.
const test = async (z) => (await call(z, { path: '/connection' })).data;

// Zapier puts the app's name in front.
const connectionLabel = (z, bundle) => String(bundle.inputData.label).replace(/^Soke /, '');

module.exports = {
  type: 'custom',
  fields: [
    {
      key: 'api_key',
      label: 'API Key',
      type: 'password',
      required: true,
      helpText:
        'Starts with `sk_live_`. Make one in Soke under Settings > API Keys: [open API Keys](https://app.usesoke.ai/settings/api-keys).',
    },
    {
      key: 'account_id',
      label: 'Account ID',
      type: 'string',
      required: false,
      isNoSecret: true,
      helpText: 'Only if you have connected several accounts in Soke and want another one than your default.',
    },
  ],
  test,
  connectionLabel,
};
