import type { Hono } from 'hono';

export interface Answer {
  status: number;
  body: Json;
}

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Talks to an application in this process, with the token unless told otherwise. */
export class ApiClient {
  readonly #app: Hono;
  readonly #token: string | undefined;

  constructor(app: Hono, token?: string) {
    this.#app = app;
    this.#token = token;
  }

  get(path: string): Promise<Answer> {
    return this.send('GET', path);
  }

  post(path: string, body: Json): Promise<Answer> {
    return this.send('POST', path, body);
  }

  put(path: string, body: Json): Promise<Answer> {
    return this.send('PUT', path, body);
  }

  delete(path: string): Promise<Answer> {
    return this.send('DELETE', path);
  }

  async send(method: string, path: string, body?: Json): Promise<Answer> {
    const headers: Record<string, string> = { 'content-type': 'application/json' };
    if (this.#token !== undefined) headers['authorization'] = `Bearer ${this.#token}`;
    const response = await this.#app.request(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, body: text ? (JSON.parse(text) as Json) : null };
  }
}

/** The value at a path like `phases.0.name`, or undefined. */
export function field(value: Json | undefined, path: string): Json | undefined {
  return path
    .split('.')
    .reduce<Json | undefined>(
      (inner, key) =>
        inner !== null && typeof inner === 'object' ? (inner as Record<string, Json | undefined>)[key] : undefined,
      value,
    );
}

export const errorCode = (body: Json) => field(body, 'error.code');
export const errorMessage = (body: Json) => field(body, 'error.message');
