import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Door } from '../src/tools/door';

const heard: http.IncomingMessage[] = [];
const dashboard = http.createServer((request, response) => {
  heard.push(request);
  if (request.url === '/open?token=once') response.writeHead(303, { 'set-cookie': 'c=1; HttpOnly', location: '/' }).end();
  else if (request.headers.cookie !== 'c=1') response.writeHead(401).end();
  else if (request.url === '/')
    response
      .writeHead(200, { 'content-type': 'text/html', 'x-frame-options': 'DENY', 'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'" })
      .end('<a href="/">up</a><script src="/assets/a.js"></script><script>fetch(`/api/x?y=1`); "/rowsome"; "a/b"</script>');
  else request.pipe(response.writeHead(200, { 'content-type': 'application/json' }));
});
let door: Door;
const get = (path: string, init?: RequestInit): Promise<Response> => fetch(new URL(door.address).origin + path, init);

beforeAll(async () => {
  await new Promise<void>((resolve) => dashboard.listen(0, '127.0.0.1', resolve));
  door = await Door.open(`http://127.0.0.1:${(dashboard.address() as AddressInfo).port}/open?token=once`);
});
afterAll(() => {
  door.close();
  dashboard.close();
});

describe('the door', () => {
  it('lets in by its secret path alone', async () => {
    const own = new URL(door.address).pathname;
    expect((await get(own)).status).toBe(200);
    for (const other of ['/', '/api/x', own.slice(0, -2), `/${'A'.repeat(own.length - 2)}/`]) expect((await get(other)).status).toBe(404);
  });

  it('gives pages that may stand in a frame, and that find the rest behind a proxy', async () => {
    const own = new URL(door.address).pathname;
    door.root = '/proxy/1/x/';
    const answer = await get(own);
    expect(await answer.text()).toBe(
      '<a href="/proxy/1/x/">up</a><script src="/proxy/1/x/assets/a.js"></script><script>fetch(`/proxy/1/x/api/x?y=1`); "/rowsome"; "a/b"</script>',
    );
    expect(answer.headers.get('x-frame-options')).toBeNull();
    expect(answer.headers.get('content-security-policy')).toBe("default-src 'none';  base-uri 'none'");
  });

  it('passes a write on as one of the dashboard’s own page', async () => {
    const headers = { 'content-type': 'application/json', 'x-sotto-token': 't', origin: 'https://elsewhere.example' };
    const answer = await get(`${new URL(door.address).pathname}api/pause`, { method: 'POST', headers, body: '{"paused": true}' });
    expect(await answer.json()).toEqual({ paused: true });
    const last = heard.at(-1);
    expect(last?.url).toBe('/api/pause');
    expect(last?.headers.origin).toBe(`http://${last?.headers.host ?? ''}`);
    expect(last?.headers['x-sotto-token']).toBe('t');
  });

  it('says when the address does not work any more', async () => {
    const port = (dashboard.address() as AddressInfo).port;
    await expect(Door.open(`http://127.0.0.1:${port}/open?token=again`)).rejects.toThrow('401');
  });
});
