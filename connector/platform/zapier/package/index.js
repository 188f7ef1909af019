'use strict';

const { version } = require('./package.json');
const { version: platformVersion } = require('zapier-platform-core');
const authentication = require('./authentication');
const { sendCredential, raiseNativeError } = require('./lib/connector');

const byKey = (items) => Object.fromEntries(items.map((item) => [item.key, item]));

module.exports = {
  version,
  platformVersion,

  authentication,
  beforeRequest: [sendCredential],
  afterResponse: [raiseNativeError],

  triggers: byKey(require('./triggers')),
  creates: byKey(require('./creates')),
  searches: {},

  // Empty fields reach the connector as they are: it knows what a blank means. A 429 is worded by
  // the connector, so core must not throw before afterResponse has seen it.
  flags: { cleanInputData: false, throwForThrottlingEarly: false },
};
