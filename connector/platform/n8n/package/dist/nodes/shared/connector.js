"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.call = call;
exports.end = end;
exports.apiError = apiError;
const n8n_workflow_1 = require("n8n-workflow");
const credential_1 = require("./credential");
async function call({ method, path, body, headers, itemIndex, accept }) {
    const { url } = await credential_1.connection.call(this);
    const request = { method, url: `${url}/v1/n8n${path}`, headers, body, ...whole };
    const sent = this.helpers.httpRequestWithAuthentication.call(this, 'sokeApi', request);
    return await answered.call(this, sent, { itemIndex, accept });
}
async function end(url, unsubscribeToken) {
    const headers = { 'X-Unsubscribe-Token': unsubscribeToken };
    await answered.call(this, this.helpers.httpRequest({ method: 'DELETE', url, headers, ...whole }));
}
const whole = { json: true, returnFullResponse: true, ignoreHttpStatusErrors: true };
async function answered(sent, { itemIndex, accept } = {}) {
    var _a, _b;
    const oneLine = !('getInputData' in this);
    let answer;
    try {
        answer = (await sent);
    }
    catch (error) {
        throw apiError(this.getNode(), unreachable(error), { body: {} }, itemIndex, oneLine);
    }
    const status = (_a = answer.statusCode) !== null && _a !== void 0 ? _a : 0;
    const said = (_b = answer.body) === null || _b === void 0 ? void 0 : _b.error;
    const failure = typeof (said === null || said === void 0 ? void 0 : said.message) === 'string' ? said : undefined;
    if ((accept === null || accept === void 0 ? void 0 : accept(status, failure)) || (status < 400 && typeof answer.body === 'object'))
        return answer;
    throw apiError(this.getNode(), failure !== null && failure !== void 0 ? failure : foreigner(status), answer, itemIndex, oneLine);
}
function unreachable(error) {
    return {
        code: 'UNREACHABLE',
        title: 'The Soke connector could not be reached',
        message: `Check the Connector URL in the Soke credential, and that the connector is running there. n8n says: ${error.message}`,
    };
}
function foreigner(status) {
    return {
        code: 'NOT_A_CONNECTOR',
        title: 'Something other than a Soke connector answered',
        message: `Check the Connector URL in the Soke credential: what answered there, with status ${status}, is no connector or a proxy in front of one`,
    };
}
function apiError(node, failure, answer, itemIndex, oneLine = false) {
    const { title, message, retryAfter } = failure;
    const cause = answer.statusCode === 429 ? 'rate-limited' : 'temporarily-unavailable';
    return new n8n_workflow_1.NodeApiError(node, { body: answer.body }, {
        message: oneLine ? message : title,
        description: message,
        itemIndex,
        ...(answer.statusCode ? { httpCode: String(answer.statusCode) } : {}),
        ...(retryAfter ? { failure: { cause, retryAfterMs: retryAfter * 1000 } } : {}),
    });
}
