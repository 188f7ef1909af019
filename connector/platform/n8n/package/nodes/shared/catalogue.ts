import data from './catalogue.json';

// What the connector offers, as it was when this package was exported. The operations, their fields
// and their words all come from here.

export interface Field {
	name: string;
	label: string;
	help: string;
	kind: string;
	default?: string | number | boolean;
	example?: string;
	required?: boolean;
	advanced?: boolean;
	enum?: string[];
	min?: number;
	max?: number;
	fields?: Field[];
}

export interface Action {
	key: string;
	resource: string;
	resourceName: string;
	name: string;
	action: string;
	description: string;
	// Exactly one of these fields is given.
	instead: string[];
	fields: Field[];
	output: Field[];
	// The output that is a list of the things that the action is about, if there is one.
	list: string;
	listName: string;
}

export interface Trigger {
	key: string;
	title: string;
	description: string;
	fields: Field[];
}

export const connector: { url: string } = data.connector;
export const actions: Action[] = data.actions;
export const triggers: Trigger[] = data.triggers;
export const failures: Array<{ code: string; message: string }> = data.failures;
