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
async function connection() {
    const entered = await this.getCredentials('sokeApi');
    const url = String(entered.baseUrl).replace(/\/+$/, '');
    const apiKey = clean('apiKey', entered.apiKey);
    const whose = JSON.stringify([url, clean('accountId', entered.accountId), apiKey]);
    return { url, apiKey, fingerprint: (0, crypto_1.createHash)('sha256').update(whose).digest('hex').slice(0, 16) };
}
