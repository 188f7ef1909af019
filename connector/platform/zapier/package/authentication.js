'use strict';

const { url } = require('./lib/connector');

// Tests the key, its account and its subscription. No credit is spent.
const test = async (z) => (await z.request({ url: url('/connection') })).data;

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
  connectionLabel: '{{label}}',
};
