import type { IDataObject, INodeProperties, INodePropertyOptions } from 'n8n-workflow';
import type { Field } from './catalogue';

type Show = Record<string, string[]>;

// A field as n8n's forms show it.
export function property(field: Field, show?: Show): INodeProperties {
	const base = {
		displayName: field.label,
		name: field.name,
		description: field.help,
		...(field.required ? { required: true } : {}),
		...(field.example ? { placeholder: `e.g. ${field.example}` } : {}),
		...(show ? { displayOptions: { show } } : {}),
	};
	if (field.enum) {
		const options = field.enum.map((value) => ({ name: title(value), value }));
		return { ...base, type: 'options', options, default: field.default ?? field.enum[0] };
	}
	switch (field.kind) {
		case 'integer':
		case 'number': {
			const typeOptions = {
				...(field.min === undefined ? {} : { minValue: field.min }),
				...(field.max === undefined ? {} : { maxValue: field.max }),
				...(field.kind === 'number' ? { numberPrecision: 2 } : {}),
			};
			return { ...base, type: 'number', typeOptions, default: field.default ?? 0 };
		}
		case 'boolean':
			return { ...base, type: 'boolean', default: field.default ?? false };
		case 'datetime':
			return { ...base, type: 'dateTime', default: '' };
		case 'text':
			return { ...base, type: 'string', typeOptions: { rows: 4 }, default: field.default ?? '' };
		case 'objects':
			return {
				...base,
				type: 'fixedCollection',
				typeOptions: { multipleValues: true, sortable: true },
				default: {},
				options: [{ displayName: field.label, name: ROWS, values: (field.fields ?? []).map((f) => property(f)) }],
			};
		case 'object':
		case 'any':
			return { ...base, type: 'json', default: '{}' };
		default:
			return { ...base, type: 'string', default: field.default ?? '' };
	}
}

// A menu in the order that n8n's editor wants; the first one given is chosen.
export function menu(displayName: string, name: string, options: INodePropertyOptions[], show?: Show): INodeProperties {
	const words = { displayName, name, default: options[0].value };
	const sorted = [...options].sort((a, b) => a.name.localeCompare(b.name));
	return { ...words, type: 'options', noDataExpression: true, options: sorted, ...(show ? { displayOptions: { show } } : {}) };
}

// ROWS names the list inside a collection that n8n wraps it in.
export const ROWS = 'rows';

// INSTEAD chooses between fields of which exactly one is given.
export const INSTEAD = 'input';

// The form of one operation: what is usual in sight, what is advanced under Options.
export function form(fields: Field[], show: Show, instead: string[] = []): INodeProperties[] {
	const properties: INodeProperties[] = [];
	if (instead.length > 0) {
		const choices = fields.filter((f) => instead.includes(f.name));
		const options = choices.map((f) => ({ name: f.label, value: f.name, description: f.help }));
		properties.push(menu('Input', INSTEAD, options, show));
		for (const f of choices) properties.push(property({ ...f, required: true }, { ...show, [INSTEAD]: [f.name] }));
	}
	const rest = fields.filter((f) => !instead.includes(f.name));
	for (const f of rest.filter((field) => !field.advanced)) properties.push(property(f, show));
	const advanced = rest.filter((field) => field.advanced);
	if (advanced.length > 0) {
		properties.push({
			displayName: 'Options',
			name: 'options',
			type: 'collection',
			placeholder: 'Add option',
			default: {},
			displayOptions: { show },
			options: advanced.map((f) => property(f)).sort((a, b) => a.displayName.localeCompare(b.displayName)),
		});
	}
	return properties;
}

// Fields that several operations have alike are shown once, for all of them; folded ones stay last.
export function merge(properties: INodeProperties[], key: string): INodeProperties[] {
	const merged = new Map<string, INodeProperties>();
	for (const p of properties) {
		const { displayOptions, ...alike } = p;
		const same = JSON.stringify(alike);
		const known = merged.get(same);
		if (known) (known.displayOptions?.show?.[key] as string[]).push(...(displayOptions?.show?.[key] as string[]));
		else merged.set(same, { ...p, displayOptions: { show: { ...displayOptions?.show, [key]: [...(displayOptions?.show?.[key] as string[])] } } });
	}
	const folded = (p: INodeProperties) => Number(p.type === 'collection');
	return [...merged.values()].sort((a, b) => folded(a) - folded(b));
}

// What a user has filled in, as the connector takes it.
export function input(fields: Field[], read: (name: string) => unknown, instead: string[] = []): IDataObject {
	const filled: IDataObject = {};
	const options = fields.some((f) => f.advanced && !instead.includes(f.name)) ? (read('options') as IDataObject) : {};
	const chosen = instead.length > 0 ? (read(INSTEAD) as string) : undefined;
	for (const f of fields) {
		if (instead.includes(f.name) && f.name !== chosen) continue;
		const value = f.advanced && !instead.includes(f.name) ? options[f.name] : read(f.name);
		if (value === undefined || value === '') continue;
		filled[f.name] = f.kind === 'objects' ? ((value as IDataObject)[ROWS] ?? []) as IDataObject[] : (value as IDataObject);
	}
	return filled;
}

// Keeps what the catalogue describes of an answer, and leaves out what Soke sent besides.
export function simplified(answer: IDataObject, fields: Field[]): IDataObject {
	const kept: IDataObject = {};
	for (const f of fields) {
		const value = answer[f.name];
		if (value === undefined || f.kind === 'any') continue;
		if (f.kind === 'objects' && Array.isArray(value)) kept[f.name] = (value as IDataObject[]).map((item) => simplified(item, f.fields ?? []));
		else kept[f.name] = value;
	}
	return kept;
}

function title(value: string): string {
	return value.charAt(0).toUpperCase() + value.slice(1);
}
