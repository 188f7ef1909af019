import type {
	IAuthenticateGeneric,
	IAuthenticateRuleResponseSuccessBody,
	Icon,
	ICredentialTestRequest,
	ICredentialType,
	INodeProperties,
} from 'n8n-workflow';
import { connector, failures } from '../nodes/shared/catalogue';
import { expression } from '../nodes/shared/credential';

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
				'X-Soke-Key': expression('apiKey'),
				'X-Soke-Account-Id': expression('accountId'),
			},
		},
	};

	// This check answers 200 whatever it finds, because n8n reads no other body here. Each rule shows
	// the words of one failure; the last two are for a failure without words of its own, and for an
	// address where something else than a connector answers.
	test: ICredentialTestRequest = {
		request: {
			baseURL: '={{$credentials.baseUrl.replace(/\\/+$/, "")}}',
			url: '/v1/n8n/connection/check',
		},
		rules: [
			...failures.map(({ code, message }) => rule('error.code', code, message)),
			rule('ok', false, 'Soke did not accept this connection. Check the API key and the account ID.'),
			rule('ok', undefined, 'Check the Connector URL: what answers there is not a Soke connector.'),
		],
	};
}

function rule(key: string, value: unknown, message: string): IAuthenticateRuleResponseSuccessBody {
	return { type: 'responseSuccessBody', properties: { key, value, message } };
}
