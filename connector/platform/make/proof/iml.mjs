// The part of IML, Make's expression language, that the app uses. Make publishes no evaluator, so this
// one follows the documentation; what the app does not use is an error here, so that nothing new goes
// unproved.

import crypto from 'node:crypto';

const keywords = { undefined: () => undefined, emptyarray: () => [] };

const text = (v) => (v === undefined || v === null ? '' : v instanceof Date ? v.toISOString() : typeof v === 'object' ? JSON.stringify(v) : String(v));
const empty = (v) => v === undefined || v === null || v === '' || (Array.isArray(v) && v.length === 0);

const functions = {
    if: (condition, yes, no) => (condition ? yes : no),
    ifempty: (value, other) => (empty(value) ? other : value),
    contains: (whole, part) => (Array.isArray(whole) ? whole.includes(part) : text(whole).includes(text(part))),
    add: (list, ...more) => [...list, ...more],
    reverse: (list) => [...list].reverse(),
    min: (...numbers) => Math.min(...numbers),
    sha256: (value) => crypto.createHash('sha256').update(text(value)).digest('hex'),
    formatDate,
    toCollection: (list, key, value) => Object.fromEntries((list ?? []).map((o) => [o[key], o[value]])),
};

/** The tokens that the app uses. Text is taken for a date where a function wants one, as Make does. */
function formatDate(value, format, zone) {
    const date = new Date(value);
    if (Number.isNaN(date.valueOf())) throw new Error(`IML: ${JSON.stringify(value)} is no date`);
    if (format === 'x') return String(date.valueOf());
    if (format === 'YYYY' && zone === 'UTC') return String(date.getUTCFullYear());
    throw new Error(`IML: formatDate() with ${format} and ${zone} is not proved here`);
}

/** Evaluates every expression within value, in the scope of named roots. */
export function render(value, scope) {
    if (typeof value === 'string') return renderText(value, scope);
    if (Array.isArray(value)) return value.map((v) => render(v, scope));
    if (value === null || typeof value !== 'object' || value instanceof Date) return value;
    const out = {};
    for (const [key, v] of Object.entries(value)) {
        const rendered = render(v, scope);
        if (key === '{{...}}') Object.assign(out, rendered);
        else if (rendered !== undefined) out[key] = rendered; // Make leaves out what is not filled in
    }
    return out;
}

function renderText(template, scope) {
    const parts = template.split(/(\{\{.*?\}\})/s).filter((p) => p !== '');
    const values = parts.map((p) => (p.startsWith('{{') ? evaluate(p.slice(2, -2), scope) : p));
    return values.length === 1 ? values[0] : values.map(text).join('');
}

function tokensOf(source) {
    const tokens = [];
    const form = /\s*(?:('(?:[^'\\]|\\.)*')|(\d+(?:\.\d+)?)|([A-Za-z_][\w.]*)|(\|\||&&|==|!=|>=|<=|[-+<>!(),]))/y;
    while (form.lastIndex < source.trimEnd().length) {
        const at = form.lastIndex;
        const m = form.exec(source);
        if (!m) throw new Error(`IML: "${source}" is not understood from "${source.slice(at)}" on`);
        if (m[1]) tokens.push({ value: m[1].slice(1, -1).replace(/\\(.)/g, '$1') });
        else if (m[2]) tokens.push({ value: Number(m[2]) });
        else if (m[3]) tokens.push({ name: m[3] });
        else tokens.push({ op: m[4] });
    }
    return tokens;
}

const levels = [['||'], ['&&'], ['==', '!='], ['<', '>', '<=', '>='], ['+', '-']];
const operators = {
    '||': (a, b) => a || b, '&&': (a, b) => a && b, '==': (a, b) => a === b, '!=': (a, b) => a !== b,
    '<': (a, b) => a < b, '>': (a, b) => a > b, '<=': (a, b) => a <= b, '>=': (a, b) => a >= b,
    '+': (a, b) => (typeof a === 'number' && typeof b === 'number' ? a + b : text(a) + text(b)), '-': (a, b) => a - b,
};

function evaluate(source, scope) {
    const tokens = tokensOf(source);
    let at = 0;
    const take = (op) => tokens[at]?.op === op && ++at;
    const expect = (op) => { if (!take(op)) throw new Error(`IML: "${op}" is missing in "${source}"`); };

    function binary(level) {
        if (level === levels.length) return unary();
        let left = binary(level + 1);
        while (levels[level].includes(tokens[at]?.op)) left = operators[tokens[at++].op](left, binary(level + 1));
        return left;
    }
    function unary() {
        if (take('!')) return !unary();
        if (take('(')) { const v = binary(0); expect(')'); return v; }
        const token = tokens[at++];
        if (!token || token.op) throw new Error(`IML: a value is missing in "${source}"`);
        return 'value' in token ? token.value : named(token.name);
    }
    function named(name) {
        if (!take('(')) return path(name);
        const args = [];
        while (!take(')')) { args.push(binary(0)); if (tokens[at]?.op !== ')') expect(','); }
        if (!functions[name]) throw new Error(`IML: ${name}() is not proved here`);
        return functions[name](...args);
    }
    function path(name) {
        const [root, ...rest] = name.split('.');
        if (rest.length === 0 && root in keywords) return keywords[root]();
        if (!(root in scope)) throw new Error(`IML: "${root}" does not exist here, in "${source}"`);
        return rest.reduce((v, k) => (v !== null && typeof v === 'object' && Object.hasOwn(v, k) ? v[k] : undefined), scope[root]);
    }
    const result = binary(0);
    if (at < tokens.length) throw new Error(`IML: "${source}" goes on after its end`);
    return result;
}
