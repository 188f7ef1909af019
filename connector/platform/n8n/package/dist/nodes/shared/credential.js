"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.expression = expression;
exports.connection = connection;
const crypto_1 = require("crypto");
const foreign = { apiKey: '[^A-Za-z0-9_-]', accountId: '[^A-Za-z0-9_.:-]' };
function expression(part) {
    return `={{($credentials.${part} || "").replace(/${foreign[part]}/g, "")}}`;
}
function clean(part, entered) {
    return String(entered !== null && entered !== void 0 ? entered : '').replace(new RegExp(foreign[part], 'g'), '');
}
function hash(...parts) {
    return (0, crypto_1.createHash)('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}
async function connection() {
    const entered = await this.getCredentials('sokeApi');
    const url = String(entered.baseUrl).replace(/\/+$/, '');
    const apiKey = clean('apiKey', entered.apiKey);
    const accountId = clean('accountId', entered.accountId);
    return { url, apiKey, fingerprint: hash(url, accountId, apiKey), home: hash(url, accountId) };
}
