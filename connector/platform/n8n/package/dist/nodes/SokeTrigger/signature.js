"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.isSigned = isSigned;
const crypto_1 = require("crypto");
const TOLERANCE_SECONDS = 5 * 60;
function secretOf(apiKey, subscriptionId) {
    return (0, crypto_1.createHmac)('sha256', apiKey).update(`soke-connector/webhook/v1/${subscriptionId}`).digest();
}
function isSigned(apiKey, subscriptionIds, headers, rawBody, now = Date.now()) {
    const id = headers['webhook-id'];
    const timestamp = headers['webhook-timestamp'];
    const signatures = headers['webhook-signature'];
    if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signatures !== 'string')
        return false;
    if (!(Math.abs(now / 1000 - Number(timestamp)) <= TOLERANCE_SECONDS))
        return false;
    const given = signatures
        .split(' ')
        .filter((signature) => signature.startsWith('v1,'))
        .map((signature) => Buffer.from(signature.slice(3), 'base64'));
    return subscriptionIds.some((subscription) => {
        const expected = (0, crypto_1.createHmac)('sha256', secretOf(apiKey, subscription))
            .update(`${id}.${timestamp}.`)
            .update(rawBody !== null && rawBody !== void 0 ? rawBody : '')
            .digest();
        return given.some((signature) => signature.length === expected.length && (0, crypto_1.timingSafeEqual)(signature, expected));
    });
}
