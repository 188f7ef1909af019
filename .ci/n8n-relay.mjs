// Stands between n8n and the connector: notes every call, and breaks those it is told to.
import http from 'node:http';

// Starts a relay to the connector at target. Its calls are { method, path, idempotencyKey, status,
// replayed }. breaks(call) may say 'refuse' (the connector never hears of it), 'lose' (it has
// answered, and the answer is lost), or 'page' (something else lives at this address).
export async function relay(target) {
  const self = { calls: [], breaks: () => undefined };
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const { method, url, headers } = request;
      const call = { method, path: url, idempotencyKey: headers['idempotency-key'] };
      self.calls.push(call);
      const broken = self.breaks(call);
      if (broken === 'refuse') return response.writeHead(503).end();
      if (broken === 'page') return response.writeHead(200, { 'content-type': 'text/html' }).end('<html></html>');
      const onward = http.request(target + url, { method, headers: { ...headers, host: new URL(target).host } }, (answer) => {
        call.status = answer.statusCode;
        call.replayed = answer.headers['idempotent-replayed'] === 'true';
        if (broken === 'lose') return answer.resume().on('end', () => request.socket.destroy());
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      });
      onward.on('error', () => request.socket.destroy());
      onward.end(Buffer.concat(chunks));
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  self.url = `http://127.0.0.1:${server.address().port}`;
  return self;
}
