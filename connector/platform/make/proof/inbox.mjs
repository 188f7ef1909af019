// A receiver of deliveries that tests can wait on.
import http from 'node:http';
import { once } from 'node:events';

/** Listens on the loopback interface and keeps what is posted to it, by path. */
export class Inbox {
    static async open() {
        const inbox = new Inbox();
        inbox.got = {};
        inbox.server = http.createServer(async (request, response) => {
            const parts = await request.setEncoding('utf8').toArray();
            (inbox.got[request.url] ??= []).push(JSON.parse(parts.join('')));
            response.end('Accepted');
            inbox.server.emit('delivery');
        });
        inbox.server.setMaxListeners(0); // triggers wait together
        await once(inbox.server.listen(0, '127.0.0.1'), 'listening');
        return inbox;
    }

    url(name) { return `http://127.0.0.1:${this.server.address().port}/${name}`; }

    received(name) { return this.got[`/${name}`] ?? []; }

    /** Waits until a path has at least count deliveries. */
    async until(name, count) {
        const signal = AbortSignal.timeout(30_000);
        while (this.received(name).length < count) await once(this.server, 'delivery', { signal });
        return this.received(name);
    }

    close() { this.server.closeAllConnections(); this.server.close(); }
}
