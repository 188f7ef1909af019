"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.INSTEAD = exports.ROWS = void 0;
exports.property = property;
exports.menu = menu;
exports.form = form;
exports.merge = merge;
exports.input = input;
exports.simplified = simplified;
function property(field, show) {
    var _a, _b, _c, _d, _e, _f;
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
        return { ...base, type: 'options', options, default: (_a = field.default) !== null && _a !== void 0 ? _a : field.enum[0] };
    }
    switch (field.kind) {
        case 'integer':
        case 'number': {
            const typeOptions = {
                ...(field.min === undefined ? {} : { minValue: field.min }),
                ...(field.max === undefined ? {} : { maxValue: field.max }),
                ...(field.kind === 'number' ? { numberPrecision: 2 } : {}),
            };
            return { ...base, type: 'number', typeOptions, default: (_b = field.default) !== null && _b !== void 0 ? _b : 0 };
        }
        case 'boolean':
            return { ...base, type: 'boolean', default: (_c = field.default) !== null && _c !== void 0 ? _c : false };
        case 'datetime':
            return { ...base, type: 'dateTime', default: '' };
        case 'text':
            return { ...base, type: 'string', typeOptions: { rows: 4 }, default: (_d = field.default) !== null && _d !== void 0 ? _d : '' };
        case 'objects':
            return {
                ...base,
                type: 'fixedCollection',
                typeOptions: { multipleValues: true, sortable: true },
                default: {},
                options: [{ displayName: field.label, name: exports.ROWS, values: ((_e = field.fields) !== null && _e !== void 0 ? _e : []).map((f) => property(f)) }],
            };
        case 'object':
        case 'any':
            return { ...base, type: 'json', default: '{}' };
        default:
            return { ...base, type: 'string', default: (_f = field.default) !== null && _f !== void 0 ? _f : '' };
    }
}
function menu(displayName, name, options, show) {
    const words = { displayName, name, default: options[0].value };
    const sorted = [...options].sort((a, b) => a.name.localeCompare(b.name));
    return { ...words, type: 'options', noDataExpression: true, options: sorted, ...(show ? { displayOptions: { show } } : {}) };
}
exports.ROWS = 'rows';
exports.INSTEAD = 'input';
function form(fields, show, instead = []) {
    const properties = [];
    if (instead.length > 0) {
        const choices = fields.filter((f) => instead.includes(f.name));
        const options = choices.map((f) => ({ name: f.label, value: f.name, description: f.help }));
        properties.push(menu('Input', exports.INSTEAD, options, show));
        for (const f of choices)
            properties.push(property({ ...f, required: true }, { ...show, [exports.INSTEAD]: [f.name] }));
    }
    const rest = fields.filter((f) => !instead.includes(f.name));
    for (const f of rest.filter((field) => !field.advanced))
        properties.push(property(f, show));
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
function merge(properties, key) {
    var _a, _b, _c, _d;
    const merged = new Map();
    for (const p of properties) {
        const { displayOptions, ...alike } = p;
        const same = JSON.stringify(alike);
        const known = merged.get(same);
        if (known)
            ((_b = (_a = known.displayOptions) === null || _a === void 0 ? void 0 : _a.show) === null || _b === void 0 ? void 0 : _b[key]).push(...(_c = displayOptions === null || displayOptions === void 0 ? void 0 : displayOptions.show) === null || _c === void 0 ? void 0 : _c[key]);
        else
            merged.set(same, { ...p, displayOptions: { show: { ...displayOptions === null || displayOptions === void 0 ? void 0 : displayOptions.show, [key]: [...(_d = displayOptions === null || displayOptions === void 0 ? void 0 : displayOptions.show) === null || _d === void 0 ? void 0 : _d[key]] } } });
    }
    const folded = (p) => Number(p.type === 'collection');
    return [...merged.values()].sort((a, b) => folded(a) - folded(b));
}
function input(fields, read, instead = []) {
    var _a;
    const filled = {};
    const options = fields.some((f) => f.advanced && !instead.includes(f.name)) ? read('options') : {};
    const chosen = instead.length > 0 ? read(exports.INSTEAD) : undefined;
    for (const f of fields) {
        if (instead.includes(f.name) && f.name !== chosen)
            continue;
        const value = f.advanced && !instead.includes(f.name) ? options[f.name] : read(f.name);
        if (value === undefined || value === '')
            continue;
        filled[f.name] = f.kind === 'objects' ? ((_a = value[exports.ROWS]) !== null && _a !== void 0 ? _a : []) : value;
    }
    return filled;
}
function simplified(answer, fields) {
    const kept = {};
    for (const f of fields) {
        const value = answer[f.name];
        if (value === undefined || f.kind === 'any')
            continue;
        if (f.kind === 'objects' && Array.isArray(value))
            kept[f.name] = value.map((item) => { var _a; return simplified(item, (_a = f.fields) !== null && _a !== void 0 ? _a : []); });
        else
            kept[f.name] = value;
    }
    return kept;
}
function title(value) {
    return value.charAt(0).toUpperCase() + value.slice(1);
}
