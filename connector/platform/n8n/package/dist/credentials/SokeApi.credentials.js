"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.SokeApi = void 0;
const catalogue_1 = require("../nodes/shared/catalogue");
const credential_1 = require("../nodes/shared/credential");
class SokeApi {
    constructor() {
        this.name = 'sokeApi';
        this.displayName = 'Soke API';
        this.icon = { light: 'file:../icons/soke.svg', dark: 'file:../icons/soke.dark.svg' };
        this.documentationUrl = 'https://github.com/usesoke/soke-connector#use-it-in-n8n';
        this.properties = [
            {
                displayName: 'API Key',
                name: 'apiKey',
                type: 'string',
                typeOptions: { password: true },
                default: '',
                required: true,
                placeholder: 'sk_live_…',
                description: 'Made in Soke under Settings > <a href="https://app.usesoke.ai/settings/api-keys" target="_blank">API Keys</a>',
            },
            {
                displayName: 'Account ID',
                name: 'accountId',
                type: 'string',
                default: '',
                description: 'Only for another account than your default one',
            },
            {
                displayName: 'Connector URL',
                name: 'baseUrl',
                type: 'string',
                default: catalogue_1.connector.url,
                required: true,
                description: 'Where your Soke connector runs',
            },
        ];
        this.authenticate = {
            type: 'generic',
            properties: {
                headers: {
                    'X-Soke-Key': (0, credential_1.expression)('apiKey'),
                    'X-Soke-Account-Id': (0, credential_1.expression)('accountId'),
                },
            },
        };
        this.test = {
            request: {
                baseURL: '={{$credentials.baseUrl.replace(/\\/+$/, "")}}',
                url: '/v1/n8n/connection/check',
            },
            rules: [
                ...catalogue_1.failures.map(({ code, message }) => rule('error.code', code, message)),
                rule('ok', false, 'Soke did not accept this connection. Check the API key and the account ID.'),
                rule('ok', undefined, 'Check the Connector URL: what answers there is not a Soke connector.'),
            ],
        };
    }
}
exports.SokeApi = SokeApi;
function rule(key, value, message) {
    return { type: 'responseSuccessBody', properties: { key, value, message } };
}
