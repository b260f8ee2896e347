/**
 * A door to the dashboard for the editor's simple browser. That is a frame of another page, often at another address (a forwarded
 * port, a path of a proxy), and the dashboard lets no such page in; so this asks for it, and shows its answers under a secret path.
 * Knows HTTP on the loopback interface; nothing of the editor.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';

const PASSED = ['accept', 'content-type', 'content-length', 'if-none-match', 'x-sotto-token'];
const KEPT_BACK = ['x-frame-options', 'set-cookie', 'cross-origin-opener-policy', 'cross-origin-resource-policy', 'content-length'];
/** Addresses from the root in the dashboard's own pages and scripts. */
const ROOTED = /(?<=["'`])\/(?=assets\/|api\/|rows\b|export\.)|(?<=href=")\/(?=")/g;

export class Door {
  private readonly secret = `/${randomBytes(32).toString('base64url')}/`;
  private readonly own = Buffer.from(this.secret);
  /** The path under which the browser finds it: another one than ours where a proxy stands between. */
  root = this.secret;
  private readonly server = http.createServer((request, response) => void this.pass(request, response));

  private constructor(
    private readonly dashboard: URL,
    private readonly cookie: string,
  ) {}

  /** Trade the address that the dashboard prints, which works once, for a door that stays open. Rejects when it is not answered. */
  static async open(address: string): Promise<Door> {
    const answer = await ask(new URL(address), {}, 'GET');
    answer.resume();
    const cookie = (answer.headers['set-cookie']?.[0] ?? '').split(';')[0] ?? '';
    if (cookie === '') throw new Error(`the dashboard answered ${answer.statusCode ?? '?'}`);
    const door = new Door(new URL('/', address), cookie);
    await new Promise<void>((resolve, reject) => door.server.once('error', reject).listen(0, '127.0.0.1', resolve));
    return door;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}${this.secret}`;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private async pass(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const path = request.url ?? '';
    if (!this.isOurs(path)) {
      response.writeHead(404).end();
      return;
    }
    const headers: http.OutgoingHttpHeaders = { cookie: this.cookie };
    for (const name of PASSED) if (request.headers[name] !== undefined) headers[name] = request.headers[name];
    if (request.method !== 'GET') headers['origin'] = this.dashboard.origin;
    try {
      const url = new URL(path.slice(this.own.length), this.dashboard);
      const answer = await ask(url, headers, request.method ?? 'GET', request);
      await this.show(answer, response);
    } catch {
      response.writeHead(502).end();
    }
  }

  private isOurs(path: string): boolean {
    const given = Buffer.from(path.slice(0, this.own.length));
    return given.length === this.own.length && timingSafeEqual(given, this.own);
  }

  private async show(answer: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const headers: http.OutgoingHttpHeaders = { ...answer.headers };
    for (const name of KEPT_BACK) Reflect.deleteProperty(headers, name);
    const policy = answer.headers['content-security-policy'];
    if (typeof policy === 'string') headers['content-security-policy'] = policy.replace(/frame-ancestors [^;]*;?/, '');
    response.writeHead(answer.statusCode ?? 502, headers);
    if (!/html|javascript/.test(answer.headers['content-type'] ?? '')) {
      answer.pipe(response);
      return;
    }
    let text = '';
    for await (const part of answer.setEncoding('utf8')) text += String(part);
    response.end(text.replace(ROOTED, this.root));
  }
}

function ask(url: URL, headers: http.OutgoingHttpHeaders, method: string, body?: http.IncomingMessage): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { headers, method }, resolve).on('error', reject);
    if (body === undefined) request.end();
    else body.pipe(request);
  });
}
