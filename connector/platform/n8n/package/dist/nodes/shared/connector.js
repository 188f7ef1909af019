"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.baseUrl = baseUrl;
exports.call = call;
exports.apiError = apiError;
const n8n_workflow_1 = require("n8n-workflow");
async function baseUrl() {
    const { baseUrl: url } = await this.getCredentials('sokeApi');
    return String(url).replace(/\/+$/, '');
}
async function call({ method, path, body, headers, itemIndex, accept = [] }) {
    var _a, _b;
    const answer = (await this.helpers.httpRequestWithAuthentication.call(this, 'sokeApi', {
        method,
        url: `${await baseUrl.call(this)}/v1/n8n${path}`,
        headers,
        body,
        json: true,
        returnFullResponse: true,
        ignoreHttpStatusErrors: true,
    }));
    const status = (_a = answer.statusCode) !== null && _a !== void 0 ? _a : 0;
    if (accept.includes(status) || (status < 400 && typeof answer.body === 'object'))
        return answer;
    const failure = (_b = answer.body) === null || _b === void 0 ? void 0 : _b.error;
    throw apiError(this.getNode(), failure, answer, itemIndex, 'getWebhookName' in this);
}
function apiError(node, failure, answer, itemIndex, oneLine = false) {
    const { title, message, retryAfter } = failure !== null && failure !== void 0 ? failure : {
        title: 'The Soke connector gave no answer',
        message: 'Check the Connector URL in the credential, and that the connector runs there.',
    };
    const cause = answer.statusCode === 429 ? 'rate-limited' : 'temporarily-unavailable';
    return new n8n_workflow_1.NodeApiError(node, { body: answer.body }, {
        message: oneLine ? message : title,
        description: message,
        itemIndex,
        ...(answer.statusCode ? { httpCode: String(answer.statusCode) } : {}),
        ...(retryAfter ? { failure: { cause, retryAfterMs: retryAfter * 1000 } } : {}),
    });
}
