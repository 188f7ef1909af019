import type {
	IAuthenticateGeneric,
	Icon,
	ICredentialTestRequest,
	ICredentialType,
	INodeProperties,
} from 'n8n-workflow';
import { connector, failures } from '../nodes/shared/catalogue';

export class SokeApi implements ICredentialType {
	name = 'sokeApi';

	displayName = 'Soke API';

	icon: Icon = { light: 'file:../icons/soke.svg', dark: 'file:../icons/soke.dark.svg' };

	documentationUrl = 'https://github.com/usesoke/soke-connector#use-it-in-n8n';

	properties: INodeProperties[] = [
		{
			displayName: 'API Key',
			name: 'apiKey',
			type: 'string',
			typeOptions: { password: true },
			default: '',
			required: true,
			placeholder: 'sk_live_…',
			description:
				'Made in Soke under Settings > <a href="https://app.usesoke.ai/settings/api-keys" target="_blank">API Keys</a>',
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
			default: connector.url,
			required: true,
			description: 'Where your Soke connector runs',
		},
	];

	authenticate: IAuthenticateGeneric = {
		type: 'generic',
		properties: {
			headers: {
				'X-Soke-Key': '={{$credentials.apiKey}}',
				'X-Soke-Account-Id': '={{$credentials.accountId}}',
			},
		},
	};

	// This check answers 200 whatever it finds, because n8n reads no other body here; each rule shows
	// the words of one failure.
	test: ICredentialTestRequest = {
		request: {
			baseURL: '={{$credentials.baseUrl.replace(/\\/+$/, "")}}',
			url: '/v1/n8n/connection/check',
		},
		rules: failures.map(({ code, message }) => ({
			type: 'responseSuccessBody',
			properties: { key: 'error.code', value: code, message },
		})),
	};
}
