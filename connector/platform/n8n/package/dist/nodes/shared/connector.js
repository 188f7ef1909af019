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
    var _a;
    const answer = (await this.helpers.httpRequestWithAuthentication.call(this, 'sokeApi', {
        method,
        url: `${await baseUrl.call(this)}/v1/n8n${path}`,
        headers,
        body,
        json: true,
        returnFullResponse: true,
        ignoreHttpStatusErrors: true,
    }));
    if (answer.statusCode < 400 || accept.includes(answer.statusCode))
        return answer;
    const failure = (_a = answer.body) === null || _a === void 0 ? void 0 : _a.error;
    throw apiError(this.getNode(), failure, answer, itemIndex, 'getWebhookName' in this);
}
function apiError(node, failure, answer, itemIndex, oneLine = false) {
    const { title, message } = failure !== null && failure !== void 0 ? failure : {
        title: 'The Soke connector gave no answer',
        message: 'Check the Connector URL in the credential, and that the connector runs there.',
    };
    return new n8n_workflow_1.NodeApiError(node, { body: answer.body }, {
        message: oneLine ? message : title,
        description: message,
        httpCode: String(answer.statusCode),
        itemIndex,
    });
}
